/* Activation functions, and their gradients as ops: one pass, and of the output where that will do, so
 * that the input need not be kept. */
#include "weft/activation.h"

#include "ops/activation.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"

#include <stdio.h>

/* ---- Shared ---- */

weft_value weft_activation_gradient(const weft_op *op, weft_map_function function, double a,
                                    double b, weft_value dy, weft_value y)
{
    return weft_map_apply(op, function, a, b, NULL, (weft_value[]){dy, y});
}

const weft_map_attributes *weft_activation_attributes(const void *attributes)
{
    return attributes;
}

weft_shape weft_activation_sample_shape(weft_sampler *sampler)
{
    return (weft_shape){
        2, {weft_sampler_integer(sampler, 1, 5), weft_sampler_integer(sampler, 25, 70)}};
}

bool weft_activation_sample_gradient(weft_sampler *sampler, int index, const weft_op *op,
                                     weft_map_function function, double a, double b)
{
    if (index >= 2)
        return false;
    weft_shape shape = weft_activation_sample_shape(sampler);
    weft_value dy = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value y = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_activation_gradient(op, function, a, b, dy, y));
    return true;
}

/* ---- ReLU ---- */

static weft_value relu_grad(weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_relu_gradient_op, WEFT_MAP_RELU_GRADIENT, 0, 0, dy, y);
}

/* Piecewise constant in y. */
static void relu_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = relu_grad(call->output_gradient[0], call->input[1]);
}

static bool relu_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_relu_gradient_op,
                                           WEFT_MAP_RELU_GRADIENT, 0, 0);
}

const weft_op weft_relu_gradient_op = {
    WEFT_ACTIVATION_OP("relu_gradient", relu_grad, 2), .summary = "dy where y > 0, else 0",
    .shapes = "dy [..], y [..] -> [..]", .source = "chain rule of relu"};

static void relu_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = relu_grad(call->output_gradient[0], call->output[0]);
}

static bool relu_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_activation_sample_shape(sampler), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_relu(x));
    return true;
}

const weft_op weft_relu_op = {WEFT_ACTIVATION_OP("relu", relu, 1),
                              .summary = "max(x, 0); its gradient at 0 is 0",
                              .shapes = "x [..] -> [..]", .source = "Nair, Hinton 2010"};

weft_value weft_relu(weft_value x)
{
    return weft_map_apply(&weft_relu_op, WEFT_MAP_RELU, 0, 0, NULL, &x);
}

/* ---- Clipped ReLU ---- */

static double ceiling_of(const void *attributes)
{
    return weft_activation_attributes(attributes)->a;
}

static void ceiling_label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "to %g", ceiling_of(attributes));
}

static weft_value clipped_relu_grad(double ceiling, weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_clipped_relu_gradient_op, WEFT_MAP_CLIPPED_RELU_GRADIENT,
                                    ceiling, 0, dy, y);
}

/* Piecewise constant in y. */
static void clipped_relu_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = clipped_relu_grad(ceiling_of(call->attributes),
                                                    call->output_gradient[0], call->input[1]);
}

static bool clipped_relu_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_clipped_relu_gradient_op,
                                           WEFT_MAP_CLIPPED_RELU_GRADIENT, 1, 0);
}

const weft_op weft_clipped_relu_gradient_op = {
    WEFT_ACTIVATION_OP("clipped_relu_gradient", clipped_relu_grad, 2),
    .summary = "dy where 0 < y < ceiling, else 0",
    .shapes = "dy [..], y [..] -> [..]",
    .parameters = "ceiling",
    .source = "chain rule of clipped_relu",
    .label = ceiling_label};

static void clipped_relu_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        clipped_relu_grad(ceiling_of(call->attributes), call->output_gradient[0], call->output[0]);
}

/* Elements on a grid of odd multiples of 0.05, some below 0, some between, some above the ceiling. */
static bool clipped_relu_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_shape shape = weft_shape_of(weft_sampler_integer(sampler, 2, 4), index ? 71 : 67);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_DISTINCT);
    weft_sampler_output(sampler, index ? weft_relu6(x) : weft_clipped_relu(x, 2));
    return true;
}

const weft_op weft_clipped_relu_op = {
    WEFT_ACTIVATION_OP("clipped_relu", clipped_relu, 1),
    .summary = "min(max(x, 0), ceiling); its gradient at 0 and at the ceiling is 0",
    .shapes = "x [..] -> [..]",
    .parameters = "ceiling",
    .source = "ReLU6: Howard et al. 2017",
    .label = ceiling_label};

weft_value weft_clipped_relu(weft_value x, double ceiling)
{
    if (!(ceiling > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "clipped_relu: the ceiling %g is not positive", ceiling);
    return weft_map_apply(&weft_clipped_relu_op, WEFT_MAP_CLIPPED_RELU, ceiling, 0, NULL, &x);
}

weft_value weft_relu6(weft_value x)
{
    return weft_clipped_relu(x, 6);
}

/* ---- Leaky ReLU ---- */

static double slope_of(const void *attributes)
{
    return weft_activation_attributes(attributes)->a;
}

static void slope_label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "slope %g", slope_of(attributes));
}

static weft_value leaky_relu_grad(double slope, weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_leaky_relu_gradient_op, WEFT_MAP_LEAKY_RELU_GRADIENT,
                                    slope, 0, dy, y);
}

static void leaky_relu_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] =
            leaky_relu_grad(slope_of(call->attributes), call->output_gradient[0], call->input[1]);
}

static bool leaky_relu_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_leaky_relu_gradient_op,
                                           WEFT_MAP_LEAKY_RELU_GRADIENT, 0.2, 0);
}

const weft_op weft_leaky_relu_gradient_op = {
    WEFT_ACTIVATION_OP("leaky_relu_gradient", leaky_relu_grad, 2),
    .summary = "dy where y > 0, else slope dy",
    .shapes = "dy [..], y [..] -> [..]",
    .parameters = "slope",
    .source = "chain rule of leaky_relu",
    .label = slope_label};

/* The output tells the branch only while the slope keeps the sign. */
static void leaky_relu_gradient(weft_gradient_call *call)
{
    double slope = slope_of(call->attributes);
    call->input_gradient[0] = leaky_relu_grad(slope, call->output_gradient[0],
                                              slope > 0 ? call->output[0] : call->input[0]);
}

static bool leaky_relu_sample(weft_sampler *sampler, int index)
{
    static const double slopes[] = {0, 0.3, -0.5};
    if (index >= 3)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_activation_sample_shape(sampler), WEFT_SAMPLE_NORMAL);
    weft_leaky_relu_options options = {.slope = slopes[index]};
    weft_sampler_output(sampler, weft_leaky_relu(x, &options));
    return true;
}

const weft_op weft_leaky_relu_op = {WEFT_ACTIVATION_OP("leaky_relu", leaky_relu, 1),
                                    .summary =
                                        "x where x > 0, else slope x; its gradient at 0 is slope",
                                    .shapes = "x [..] -> [..]",
                                    .parameters = "slope",
                                    .source = "Maas, Hannun, Ng 2013",
                                    .label = slope_label};

weft_value weft_leaky_relu(weft_value x, const weft_leaky_relu_options *options)
{
    double slope = options && options->slope != 0 ? options->slope : 0.01;
    return weft_map_apply(&weft_leaky_relu_op, WEFT_MAP_LEAKY_RELU, slope, 0,
                          options ? options->name : NULL, &x);
}

/* ---- Sigmoid ---- */

static weft_value sigmoid_grad(weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_sigmoid_gradient_op, WEFT_MAP_SIGMOID_GRADIENT, 0, 0, dy,
                                    y);
}

/* Of dy y (1 - y): by dy it is itself, by y it is dy (1 - 2y). */
static void sigmoid_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = sigmoid_grad(g, y);
    if (call->wanted[1])
        call->input_gradient[1] =
            weft_multiply(weft_multiply(g, dy), weft_offset(weft_scale(y, -2), 1));
}

static bool sigmoid_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_sigmoid_gradient_op,
                                           WEFT_MAP_SIGMOID_GRADIENT, 0, 0);
}

const weft_op weft_sigmoid_gradient_op = {
    WEFT_ACTIVATION_OP("sigmoid_gradient", sigmoid_grad, 2), .summary = "dy y (1 - y)",
    .shapes = "dy [..], y [..] -> [..]", .source = "chain rule of sigmoid"};

static void sigmoid_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = sigmoid_grad(call->output_gradient[0], call->output[0]);
}

static bool sigmoid_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_sigmoid, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_sigmoid_op = {WEFT_ACTIVATION_OP("sigmoid", sigmoid, 1),
                                 .summary = "1 / (1 + exp(-x))", .shapes = "x [..] -> [..]",
                                 .source = "definition"};

weft_value weft_sigmoid(weft_value x)
{
    return weft_map_apply(&weft_sigmoid_op, WEFT_MAP_SIGMOID, 0, 0, NULL, &x);
}

/* ---- Hyperbolic tangent ---- */

static weft_value tanh_grad(weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_tanh_gradient_op, WEFT_MAP_TANH_GRADIENT, 0, 0, dy, y);
}

/* Of dy (1 - y^2): by dy it is itself, by y it is -2 dy y. */
static void tanh_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = tanh_grad(g, y);
    if (call->wanted[1])
        call->input_gradient[1] = weft_scale(weft_multiply(weft_multiply(g, dy), y), -2);
}

static bool tanh_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_tanh_gradient_op,
                                           WEFT_MAP_TANH_GRADIENT, 0, 0);
}

const weft_op weft_tanh_gradient_op = {
    WEFT_ACTIVATION_OP("tanh_gradient", tanh_grad, 2), .summary = "dy (1 - y^2)",
    .shapes = "dy [..], y [..] -> [..]", .source = "chain rule of tanh"};

static void tanh_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = tanh_grad(call->output_gradient[0], call->output[0]);
}

static bool tanh_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_tanh, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_tanh_op = {WEFT_ACTIVATION_OP("tanh", tanh, 1),
                              .summary = "the hyperbolic tangent of x", .shapes = "x [..] -> [..]",
                              .source = "definition"};

weft_value weft_tanh(weft_value x)
{
    return weft_map_apply(&weft_tanh_op, WEFT_MAP_TANH, 0, 0, NULL, &x);
}

/* ---- Swish: its gradient needs the input, since the output does not determine it ---- */

static weft_value swish_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_swish_gradient_op, WEFT_MAP_SWISH_GRADIENT, 0, 0, dy, x);
}

/* By x it is dy s (1 - s) (2 + x (1 - 2s)), s = sigmoid(x). */
static void swish_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = swish_grad(g, x);
    if (call->wanted[1]) {
        weft_value s = weft_sigmoid(x);
        weft_value factor = weft_offset(weft_multiply(x, weft_offset(weft_scale(s, -2), 1)), 2);
        call->input_gradient[1] = weft_multiply(sigmoid_grad(weft_multiply(g, dy), s), factor);
    }
}

static bool swish_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_swish_gradient_op,
                                           WEFT_MAP_SWISH_GRADIENT, 0, 0);
}

const weft_op weft_swish_gradient_op = {WEFT_ACTIVATION_OP("swish_gradient", swish_grad, 2),
                                        .summary = "dy s (1 + x (1 - s)), s = sigmoid(x)",
                                        .shapes = "dy [..], x [..] -> [..]",
                                        .source = "chain rule of swish"};

static void swish_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = swish_grad(call->output_gradient[0], call->input[0]);
}

static bool swish_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_swish, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_swish_op = {WEFT_ACTIVATION_OP("swish", swish, 1),
                               .summary = "x / (1 + exp(-x))", .shapes = "x [..] -> [..]",
                               .source = "Ramachandran, Zoph, Le 2017"};

weft_value weft_swish(weft_value x)
{
    return weft_map_apply(&weft_swish_op, WEFT_MAP_SWISH, 0, 0, NULL, &x);
}

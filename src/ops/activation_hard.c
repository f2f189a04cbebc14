/* Activations in straight pieces: hard sigmoid, hard tanh, hard swish, parametric ReLU. */
#include "ops/activation.h"
#include "ops/ops.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"

#include <stdio.h>

static double parameter_of(const void *attributes)
{
    return weft_activation_attributes(attributes)->a;
}

/* ---- Hard sigmoid ---- */

static weft_value hard_sigmoid_grad(double slope, weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_hard_sigmoid_gradient_op, WEFT_MAP_HARD_SIGMOID_GRADIENT,
                                    slope, 0, dy, y);
}

/* Piecewise constant in y. */
static void hard_sigmoid_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = hard_sigmoid_grad(parameter_of(call->attributes),
                                                    call->output_gradient[0], call->input[1]);
}

static bool hard_sigmoid_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_hard_sigmoid_gradient_op,
                                           WEFT_MAP_HARD_SIGMOID_GRADIENT, 0.4, 0);
}

static void slope_label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "slope %.4g", parameter_of(attributes));
}

const weft_op weft_hard_sigmoid_gradient_op = {
    WEFT_ACTIVATION_OP("hard_sigmoid_gradient", hard_sigmoid_grad, 2),
    .label = slope_label,
    .summary = "slope dy where 0 < y < 1, else 0",
    .shapes = "dy [..], y [..] -> [..]",
    .parameters = "slope",
    .source = "chain rule of hard_sigmoid",
};

static void hard_sigmoid_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = hard_sigmoid_grad(parameter_of(call->attributes),
                                                call->output_gradient[0], call->output[0]);
}

/* Some elements of each piece; on odd multiples of 0.05, no border of either slope. */
static weft_value sample_pieces(weft_sampler *sampler, double factor)
{
    weft_shape shape = weft_shape_of(weft_sampler_integer(sampler, 2, 4), 67);
    return weft_scale(weft_sampler_input(sampler, shape, WEFT_SAMPLE_DISTINCT), factor);
}

static bool hard_sigmoid_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_hard_sigmoid_options options = {.slope = index ? 0.2 : 0};
    weft_sampler_output(sampler, weft_hard_sigmoid(sample_pieces(sampler, 1.5), &options));
    return true;
}

const weft_op weft_hard_sigmoid_op = {
    WEFT_ACTIVATION_OP("hard_sigmoid", hard_sigmoid, 1),
    .label = slope_label,
    .summary = "min(max(slope x + 1/2, 0), 1); its gradient where a piece ends is 0",
    .shapes = "x [..] -> [..]",
    .parameters = "slope",
    .source = "Courbariaux et al. 2015; slope 1/6: Howard et al. 2019",
};

weft_value weft_hard_sigmoid(weft_value x, const weft_hard_sigmoid_options *options)
{
    double slope = options && options->slope != 0 ? options->slope : 1.0 / 6;
    if (!(slope > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "hard_sigmoid: the slope %g is not positive", slope);
    return weft_map_apply(&weft_hard_sigmoid_op, WEFT_MAP_HARD_SIGMOID, slope, 0,
                          options ? options->name : NULL, &x);
}

/* ---- Hard tanh ---- */

static weft_value hard_tanh_grad(const void *attributes, weft_value dy, weft_value y)
{
    const weft_map_attributes *own = attributes;
    return weft_activation_gradient(&weft_hard_tanh_gradient_op, WEFT_MAP_HARD_TANH_GRADIENT,
                                    own->a, own->b, dy, y);
}

/* Piecewise constant in y. */
static void hard_tanh_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] =
            hard_tanh_grad(call->attributes, call->output_gradient[0], call->input[1]);
}

static bool hard_tanh_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_hard_tanh_gradient_op,
                                           WEFT_MAP_HARD_TANH_GRADIENT, -0.8, 1);
}

static void hard_tanh_label(const void *attributes, char *text, size_t size)
{
    const weft_map_attributes *own = attributes;
    snprintf(text, size, "[%g, %g]", own->a, own->b);
}

const weft_op weft_hard_tanh_gradient_op = {
    WEFT_ACTIVATION_OP("hard_tanh_gradient", hard_tanh_grad, 2),
    .label = hard_tanh_label,
    .summary = "dy where low < y < high, else 0",
    .shapes = "dy [..], y [..] -> [..]",
    .parameters = "low, high",
    .source = "chain rule of hard_tanh",
};

static void hard_tanh_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        hard_tanh_grad(call->attributes, call->output_gradient[0], call->output[0]);
}

static bool hard_tanh_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_hard_tanh_options options = {.low = index ? -0.4 : 0, .high = index ? 1.3 : 0};
    weft_sampler_output(sampler, weft_hard_tanh(sample_pieces(sampler, 1), &options));
    return true;
}

const weft_op weft_hard_tanh_op = {
    WEFT_ACTIVATION_OP("hard_tanh", hard_tanh, 1),
    .label = hard_tanh_label,
    .summary = "min(max(x, low), high); its gradient at both is 0",
    .shapes = "x [..] -> [..]",
    .parameters = "low, high",
    .source = "Collobert 2004",
};

weft_value weft_hard_tanh(weft_value x, const weft_hard_tanh_options *options)
{
    bool given = options && (options->low != 0 || options->high != 0);
    double low = given ? options->low : -1, high = given ? options->high : 1;
    if (!(low < high))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "hard_tanh: %g is not below %g", low,
                               high);
    return weft_map_apply(&weft_hard_tanh_op, WEFT_MAP_CLIP, low, high,
                          options ? options->name : NULL, &x);
}

/* ---- Hard swish ---- */

static weft_value hard_swish_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_hard_swish_gradient_op, WEFT_MAP_HARD_SWISH_GRADIENT, 0,
                                    0, dy, x);
}

/* By x it is dy / 3 between -3 and 3: a hard sigmoid of slope 1/6, whose gradient is half of that. */
static void hard_swish_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = hard_swish_grad(g, x);
    if (call->wanted[1])
        call->input_gradient[1] = hard_sigmoid_grad(1.0 / 3, weft_multiply(g, dy),
                                                    weft_offset(weft_scale(x, 1.0 / 6), 0.5));
}

/* dy and x, of which some are of each piece. */
static bool hard_swish_grad_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_value x = sample_pieces(sampler, 1.5);
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(x), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, hard_swish_grad(dy, x));
    return true;
}

const weft_op weft_hard_swish_gradient_op = {
    WEFT_ACTIVATION_OP("hard_swish_gradient", hard_swish_grad, 2),
    .summary = "0 where x <= -3, dy where x >= 3, between them dy (x/3 + 1/2)",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of hard_swish",
};

static void hard_swish_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = hard_swish_grad(call->output_gradient[0], call->input[0]);
}

static bool hard_swish_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_sampler_output(sampler, weft_hard_swish(sample_pieces(sampler, 1.5)));
    return true;
}

const weft_op weft_hard_swish_op = {
    WEFT_ACTIVATION_OP("hard_swish", hard_swish, 1),
    .summary = "x min(max(x/6 + 1/2, 0), 1); its gradient at -3 is 0, at 3 it is 1",
    .shapes = "x [..] -> [..]",
    .source = "Howard et al. 2019, section 5.2",
};

weft_value weft_hard_swish(weft_value x)
{
    return weft_map_apply(&weft_hard_swish_op, WEFT_MAP_HARD_SWISH, 0, 0, NULL, &x);
}

/* ---- Parametric ReLU: the slope is broadcast to x ---- */

static bool prelu_infer(weft_infer *infer)
{
    char x[120], y[120];
    if (!weft_map_infer_broadcast(infer))
        return false;
    int of_x = infer->inputs == 3; /* the gradient has dy before x and slope */
    if (weft_shape_equal(infer->out_shape[0], infer->shape[of_x]))
        return true;
    return weft_infer_fail(infer, "the slope %s does not broadcast to the input %s",
                           weft_shape_text(infer->shape[of_x + 1], y, sizeof(y)),
                           weft_shape_text(infer->shape[of_x], x, sizeof(x)));
}

static weft_value prelu_grad(weft_value dy, weft_value x, weft_value slope)
{
    return weft_map_apply(&weft_prelu_gradient_op, WEFT_MAP_PRELU_GRADIENT, 0, 0, NULL,
                          (weft_value[]){dy, x, slope});
}

static weft_value prelu_slope_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_prelu_slope_gradient_op, WEFT_MAP_PRELU_SLOPE_GRADIENT, 0,
                                    0, dy, x);
}

/* Piecewise constant in x. */
static void prelu_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    weft_value slope = call->input[2], zero = weft_scalar(call->graph, 0);
    if (call->wanted[0])
        call->input_gradient[0] = prelu_grad(g, x, slope);
    if (call->wanted[2])
        call->input_gradient[2] =
            weft_sum_like(weft_select(weft_less(zero, x), zero, weft_multiply(g, dy)), slope);
}

/* By x it is dy where x is not above 0. */
static void prelu_slope_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    weft_value zero = weft_scalar(call->graph, 0);
    if (call->wanted[0])
        call->input_gradient[0] = prelu_slope_grad(g, x);
    if (call->wanted[1])
        call->input_gradient[1] = weft_select(weft_less(zero, x), zero, weft_multiply(g, dy));
}

static bool prelu_slope_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_prelu_slope_gradient_op,
                                           WEFT_MAP_PRELU_SLOPE_GRADIENT, 0, 0);
}

const weft_op weft_prelu_slope_gradient_op = {
    WEFT_ACTIVATION_OP("prelu_slope_gradient", prelu_slope_grad, 2),
    .summary = "dy min(x, 0), which is summed over what shares a slope",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of prelu",
};

/* A slope for each channel, for all, and for each element. */
static bool sample_slopes(weft_sampler *sampler, int index, weft_value *x, weft_value *slope)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 5);
    int64_t c = weft_sampler_integer(sampler, 3, 19);
    const weft_shape slopes[] = {{1, {c}}, {0}, {3, {h, 3, 1}}};
    if (index >= 3)
        return false;
    *x = weft_sampler_input(sampler, weft_shape_of(n, h, 3, c), WEFT_SAMPLE_NORMAL);
    *slope = weft_sampler_input(sampler, slopes[index], WEFT_SAMPLE_NORMAL);
    return true;
}

static bool prelu_grad_sample(weft_sampler *sampler, int index)
{
    weft_value x, slope;
    if (!sample_slopes(sampler, index, &x, &slope))
        return false;
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(x), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, prelu_grad(dy, x, slope));
    return true;
}

const weft_op weft_prelu_gradient_op = {
    .name = "prelu_gradient",
    .family = WEFT_FAMILY_ACTIVATION,
    WEFT_MAP_OP(3),
    .infer = prelu_infer,
    .gradient = prelu_grad_gradient,
    .sample = prelu_grad_sample,
    .summary = "dy where x > 0, else slope dy",
    .shapes = "dy [..], x [..], slope -> [..]",
    .source = "chain rule of prelu",
};

static void prelu_gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], x = call->input[0], slope = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = prelu_grad(dy, x, slope);
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(prelu_slope_grad(dy, x), slope);
}

static bool prelu_sample(weft_sampler *sampler, int index)
{
    weft_value x, slope;
    if (!sample_slopes(sampler, index, &x, &slope))
        return false;
    weft_sampler_output(sampler, weft_prelu(x, slope));
    return true;
}

const weft_op weft_prelu_op = {
    .name = "prelu",
    .family = WEFT_FAMILY_ACTIVATION,
    WEFT_MAP_OP(2),
    .infer = prelu_infer,
    .gradient = prelu_gradient,
    .sample = prelu_sample,
    .summary = "x where x > 0, else slope x; its gradient by x at 0 is slope",
    .shapes = "x [..], slope -> [..]",
    .source = "He et al. 2015, equation 1",
};

weft_value weft_prelu(weft_value x, weft_value slope)
{
    return weft_map_apply(&weft_prelu_op, WEFT_MAP_PRELU, 0, 0, NULL, (weft_value[]){x, slope});
}

/* Smooth activations: ELU and SELU, GELU, softplus, softsign, Mish; swish with a slope, GLU. */
#include "ops/activation.h"
#include "ops/axes.h"
#include "ops/ops.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

#include <stdio.h>

static weft_value times(weft_value x, weft_value y)
{
    return weft_multiply(x, y);
}

/* a x + b */
static weft_value affine(double a, weft_value x, double b)
{
    return weft_offset(weft_scale(x, a), b);
}

static double parameter_of(const void *attributes)
{
    return weft_activation_attributes(attributes)->a;
}

/* ---- ELU: its gradient takes the output ---- */

static weft_value elu_grad(const void *attributes, weft_value dy, weft_value y)
{
    const weft_map_attributes *own = attributes;
    return weft_activation_gradient(&weft_elu_gradient_op, WEFT_MAP_ELU_GRADIENT, own->a, own->b,
                                    dy, y);
}

/* By y it is dy where y is not above 0. */
static void elu_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = elu_grad(call->attributes, g, y);
    if (call->wanted[1]) {
        weft_value zero = weft_scalar(call->graph, 0);
        call->input_gradient[1] = weft_select(weft_less_equal(y, zero), times(g, dy), zero);
    }
}

static bool elu_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_elu_gradient_op,
                                           WEFT_MAP_ELU_GRADIENT, 0.7, 1.3);
}

static void elu_label(const void *attributes, char *text, size_t size)
{
    const weft_map_attributes *own = attributes;
    if (own->b == 1)
        snprintf(text, size, "alpha %g", own->a);
    else
        snprintf(text, size, "alpha %.4g x %.4g", own->a, own->b);
}

const weft_op weft_elu_gradient_op = {
    WEFT_ACTIVATION_OP("elu_gradient", elu_grad, 2),
    .label = elu_label,
    .summary = "factor dy where y > 0, else dy (y + alpha factor)",
    .shapes = "dy [..], y [..] -> [..]",
    .parameters = "alpha, factor",
    .source = "chain rule of elu",
};

static void elu_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = elu_grad(call->attributes, call->output_gradient[0], call->output[0]);
}

static weft_value elu(weft_value x, double alpha, double factor, const char *name)
{
    return weft_map_apply(&weft_elu_op, WEFT_MAP_ELU, alpha, factor, name, &x);
}

static bool elu_sample(weft_sampler *sampler, int index)
{
    if (index >= 3)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_activation_sample_shape(sampler), WEFT_SAMPLE_NORMAL);
    weft_elu_options options = {.alpha = index == 1 ? 0.4 : 0};
    weft_sampler_output(sampler, index == 2 ? weft_selu(x) : weft_elu(x, &options));
    return true;
}

const weft_op weft_elu_op = {
    WEFT_ACTIVATION_OP("elu", elu, 1),
    .label = elu_label,
    .summary = "factor x where x > 0, else factor alpha (exp(x) - 1)",
    .shapes = "x [..] -> [..]",
    .parameters = "alpha; factor: of SELU",
    .source = "Clevert et al. 2016, equation 15; SELU: Klambauer et al. 2017, equation 2",
};

weft_value weft_elu(weft_value x, const weft_elu_options *options)
{
    double alpha = options && options->alpha != 0 ? options->alpha : 1;
    if (!(alpha > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "elu: alpha %g is not positive",
                               alpha);
    return elu(x, alpha, 1, options ? options->name : NULL);
}

weft_value weft_selu(weft_value x)
{
    return elu(x, 1.6732632423543772848, 1.0507009873554804934, "selu");
}

/* ---- GELU ---- */

static weft_value gelu_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_gelu_gradient_op, WEFT_MAP_GELU_GRADIENT, 0, 0, dy, x);
}

/* By x it is dy density(x) (2 - x^2). */
static void gelu_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = gelu_grad(g, x);
    if (call->wanted[1]) {
        weft_value square = weft_square(x);
        weft_value density = weft_scale(weft_exp(weft_scale(square, -0.5)), WEFT_MAP_NORMAL);
        call->input_gradient[1] = times(times(times(g, dy), density), affine(-1, square, 2));
    }
}

static bool gelu_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_gelu_gradient_op,
                                           WEFT_MAP_GELU_GRADIENT, 0, 0);
}

const weft_op weft_gelu_gradient_op = {
    WEFT_ACTIVATION_OP("gelu_gradient", gelu_grad, 2),
    .summary = "dy (below(x) + x density(x)), both of the normal distribution",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of gelu",
};

static void gelu_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = gelu_grad(call->output_gradient[0], call->input[0]);
}

static weft_value exact_gelu(weft_value x)
{
    return weft_gelu(x, NULL);
}

static bool gelu_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, exact_gelu, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_gelu_op = {
    WEFT_ACTIVATION_OP("gelu", gelu, 1),
    .summary = "x below(x), the probability that a standard normal number is less",
    .shapes = "x [..] -> [..]",
    .source = "Hendrycks, Gimpel 2016",
};

static weft_value gelu_tanh_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_gelu_tanh_gradient_op, WEFT_MAP_GELU_TANH_GRADIENT, 0, 0,
                                    dy, x);
}

/* By x it is dy (1 - t^2) (u' + x (u'' / 2 - t u'^2)), t = tanh(u), u = s (x + c x^3). */
static void gelu_tanh_grad_gradient(weft_gradient_call *call)
{
    const double s = WEFT_MAP_GELU_SLOPE, c = WEFT_MAP_GELU_CUBE;
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = gelu_tanh_grad(g, x);
    if (!call->wanted[1])
        return;
    weft_value square = weft_square(x);
    weft_value t = weft_tanh(times(x, affine(s * c, square, s)));
    weft_value first = affine(3 * s * c, square, s), half_second = weft_scale(x, 3 * s * c);
    weft_value bend = times(x, weft_subtract(half_second, times(t, weft_square(first))));
    weft_value steepness = affine(-1, weft_square(t), 1);
    call->input_gradient[1] = times(times(times(g, dy), steepness), weft_add(first, bend));
}

static bool gelu_tanh_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_gelu_tanh_gradient_op,
                                           WEFT_MAP_GELU_TANH_GRADIENT, 0, 0);
}

const weft_op weft_gelu_tanh_gradient_op = {
    WEFT_ACTIVATION_OP("gelu_tanh_gradient", gelu_tanh_grad, 2),
    .summary = "dy/2 (1 + t + x (1 - t^2) u'), t = tanh(u)",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of gelu_tanh",
};

static void gelu_tanh_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = gelu_tanh_grad(call->output_gradient[0], call->input[0]);
}

static weft_value approximate_gelu(weft_value x)
{
    return weft_gelu(x, &(weft_gelu_options){.approximate = true});
}

static bool gelu_tanh_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, approximate_gelu, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_gelu_tanh_op = {
    WEFT_ACTIVATION_OP("gelu_tanh", gelu_tanh, 1),
    .summary = "x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)",
    .shapes = "x [..] -> [..]",
    .source = "Hendrycks, Gimpel 2016, section 2",
};

weft_value weft_gelu(weft_value x, const weft_gelu_options *options)
{
    const char *name = options ? options->name : NULL;
    if (options && options->approximate)
        return weft_map_apply(&weft_gelu_tanh_op, WEFT_MAP_GELU_TANH, 0, 0, name, &x);
    return weft_map_apply(&weft_gelu_op, WEFT_MAP_GELU, 0, 0, name, &x);
}

/* ---- Softplus ---- */

static weft_value softplus_grad(double beta, weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_softplus_gradient_op, WEFT_MAP_SOFTPLUS_GRADIENT, beta, 0,
                                    dy, x);
}

/* By x it is beta dy s (1 - s), s = sigmoid(beta x). */
static void softplus_grad_gradient(weft_gradient_call *call)
{
    double beta = parameter_of(call->attributes);
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = softplus_grad(beta, g, x);
    if (call->wanted[1]) {
        weft_value s = weft_sigmoid(weft_scale(x, beta));
        call->input_gradient[1] = weft_scale(times(times(g, dy), times(s, affine(-1, s, 1))), beta);
    }
}

static bool softplus_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_softplus_gradient_op,
                                           WEFT_MAP_SOFTPLUS_GRADIENT, 1.5, 0);
}

static void softplus_label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "beta %g", parameter_of(attributes));
}

const weft_op weft_softplus_gradient_op = {
    WEFT_ACTIVATION_OP("softplus_gradient", softplus_grad, 2),
    .label = softplus_label,
    .summary = "dy sigmoid(beta x)",
    .shapes = "dy [..], x [..] -> [..]",
    .parameters = "beta",
    .source = "chain rule of softplus",
};

static void softplus_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        softplus_grad(parameter_of(call->attributes), call->output_gradient[0], call->input[0]);
}

static bool softplus_sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_activation_sample_shape(sampler), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler,
                        weft_softplus(x, &(weft_softplus_options){.beta = index ? 2.5 : 0}));
    return true;
}

const weft_op weft_softplus_op = {
    WEFT_ACTIVATION_OP("softplus", softplus, 1),
    .label = softplus_label,
    .summary = "log(1 + exp(beta x)) / beta",
    .shapes = "x [..] -> [..]",
    .parameters = "beta",
    .source = "Dugas et al. 2001",
};

weft_value weft_softplus(weft_value x, const weft_softplus_options *options)
{
    double beta = options && options->beta != 0 ? options->beta : 1;
    if (!(beta > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "softplus: beta %g is not positive",
                               beta);
    return weft_map_apply(&weft_softplus_op, WEFT_MAP_SOFTPLUS, beta, 1 / beta,
                          options ? options->name : NULL, &x);
}

/* ---- Softsign: its gradient takes the output ---- */

static weft_value softsign_grad(weft_value dy, weft_value y)
{
    return weft_activation_gradient(&weft_softsign_gradient_op, WEFT_MAP_SOFTSIGN_GRADIENT, 0, 0,
                                    dy, y);
}

/* By y it is -2 dy (1 - |y|) sign(y) = 2 dy (y - sign(y)). */
static void softsign_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = softsign_grad(g, y);
    if (call->wanted[1])
        call->input_gradient[1] =
            weft_scale(times(times(g, dy), weft_subtract(y, weft_sign(y))), 2);
}

static bool softsign_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_softsign_gradient_op,
                                           WEFT_MAP_SOFTSIGN_GRADIENT, 0, 0);
}

const weft_op weft_softsign_gradient_op = {
    WEFT_ACTIVATION_OP("softsign_gradient", softsign_grad, 2),
    .summary = "dy (1 - |y|)^2",
    .shapes = "dy [..], y [..] -> [..]",
    .source = "chain rule of softsign",
};

static void softsign_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = softsign_grad(call->output_gradient[0], call->output[0]);
}

static bool softsign_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_softsign, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_softsign_op = {
    WEFT_ACTIVATION_OP("softsign", softsign, 1),
    .summary = "x / (1 + |x|)",
    .shapes = "x [..] -> [..]",
    .source = "Bergstra et al. 2009",
};

weft_value weft_softsign(weft_value x)
{
    return weft_map_apply(&weft_softsign_op, WEFT_MAP_SOFTSIGN, 0, 0, NULL, &x);
}

/* ---- Mish ---- */

static weft_value mish_grad(weft_value dy, weft_value x)
{
    return weft_activation_gradient(&weft_mish_gradient_op, WEFT_MAP_MISH_GRADIENT, 0, 0, dy, x);
}

/* By x it is dy (2 t' + x t''), with s = sigmoid(x), t = tanh(softplus(x)), t' = (1 - t^2) s and
 * t'' = t' (1 - s - 2 t s). */
static void mish_grad_gradient(weft_gradient_call *call)
{
    weft_value g = call->output_gradient[0], dy = call->input[0], x = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = mish_grad(g, x);
    if (!call->wanted[1])
        return;
    weft_value s = weft_sigmoid(x), t = weft_tanh(weft_softplus(x, NULL));
    weft_value first = times(affine(-1, weft_square(t), 1), s);
    weft_value bend = weft_subtract(affine(-1, s, 1), weft_scale(times(t, s), 2));
    call->input_gradient[1] = times(times(g, dy), times(first, weft_offset(times(x, bend), 2)));
}

static bool mish_grad_sample(weft_sampler *sampler, int index)
{
    return weft_activation_sample_gradient(sampler, index, &weft_mish_gradient_op,
                                           WEFT_MAP_MISH_GRADIENT, 0, 0);
}

const weft_op weft_mish_gradient_op = {
    WEFT_ACTIVATION_OP("mish_gradient", mish_grad, 2),
    .summary = "dy (t + x (1 - t^2) sigmoid(x)), t = tanh(softplus(x))",
    .shapes = "dy [..], x [..] -> [..]",
    .source = "chain rule of mish",
};

static void mish_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = mish_grad(call->output_gradient[0], call->input[0]);
}

static bool mish_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_mish, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_mish_op = {
    WEFT_ACTIVATION_OP("mish", mish, 1),
    .summary = "x tanh(softplus(x))",
    .shapes = "x [..] -> [..]",
    .source = "Misra 2019",
};

weft_value weft_mish(weft_value x)
{
    return weft_map_apply(&weft_mish_op, WEFT_MAP_MISH, 0, 0, NULL, &x);
}

/* ---- Made of others ---- */

weft_value weft_swish_beta(weft_value x, weft_value beta)
{
    return times(x, weft_sigmoid(times(x, beta)));
}

weft_value weft_glu(weft_value x, int axis)
{
    weft_value half[2];
    weft_split(x, axis, NULL, 2, half);
    return times(half[0], weft_sigmoid(half[1]));
}

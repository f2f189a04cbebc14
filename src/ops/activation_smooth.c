/* Smooth activations: sigmoid, tanh, swish, ELU and SELU, GELU, softplus, softsign, Mish; swish with a slope, GLU. */
#include "weft/activation.h"

#include "ops/activation.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

static weft_value times(weft_value x, weft_value y)
{
    return weft_multiply(x, y);
}

/* a x + b */
static weft_value affine(double a, weft_value x, double b)
{
    return weft_offset(weft_scale(x, a), b);
}

/* ---- Sigmoid ---- */

/* dy (1 - 2y) */
static weft_value sigmoid_second(const weft_gradient_call *call, weft_value dy)
{
    return times(dy, affine(-2, call->input[1], 1));
}

WEFT_ACTIVATION(sigmoid, SIGMOID, SIGMOID_GRADIENT, "y", "1 / (1 + exp(-x))", "dy y (1 - y)",
                "definition", .second = sigmoid_second);

weft_value weft_sigmoid(weft_value x)
{
    return weft_activate(&sigmoid_activation, x, 0, 0, NULL);
}

/* ---- Hyperbolic tangent ---- */

/* -2 dy y */
static weft_value tanh_second(const weft_gradient_call *call, weft_value dy)
{
    return weft_scale(times(dy, call->input[1]), -2);
}

WEFT_ACTIVATION(tanh, TANH, TANH_GRADIENT, "y", "the hyperbolic tangent of x", "dy (1 - y^2)",
                "definition", .second = tanh_second);

weft_value weft_tanh(weft_value x)
{
    return weft_activate(&tanh_activation, x, 0, 0, NULL);
}

/* ---- Swish ---- */

/* dy s (1 - s) (2 + x (1 - 2s)), s = sigmoid(x) */
static weft_value swish_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value x = call->input[1], s = weft_sigmoid(x);
    weft_value factor = weft_offset(times(x, affine(-2, s, 1)), 2);
    return times(weft_activation_slope(&sigmoid_activation, dy, s, 0, 0), factor);
}

WEFT_ACTIVATION(swish, SWISH, SWISH_GRADIENT, "x", "x / (1 + exp(-x))",
                "dy s (1 + x (1 - s)), s = sigmoid(x)", "Ramachandran, Zoph, Le 2017",
                .second = swish_second);

weft_value weft_swish(weft_value x)
{
    return weft_activate(&swish_activation, x, 0, 0, NULL);
}

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

/* ---- ELU ---- */

#define SELU_ALPHA 1.6732632423543772848
#define SELU_FACTOR 1.0507009873554804934

/* dy where y is not above 0 */
static weft_value elu_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value zero = weft_scalar(call->graph, 0);
    return weft_select(weft_less_equal(call->input[1], zero), dy, zero);
}

WEFT_ACTIVATION_WITH("alpha; factor: of SELU", "alpha %.4g, factor %.4g", elu, ELU, ELU_GRADIENT,
                     "y", "factor x where x > 0, else factor alpha (exp(x) - 1)",
                     "factor dy where y > 0, else dy (y + alpha factor)",
                     "Clevert et al. 2016, equation 15; SELU: Klambauer et al. 2017, equation 2",
                     .second = elu_second,
                     .parameters = {{1, 1}, {0.4, 1}, {SELU_ALPHA, SELU_FACTOR}});

weft_value weft_elu(weft_value x, const weft_elu_options *options)
{
    double alpha = options && options->alpha != 0 ? options->alpha : 1;
    if (!(alpha > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "elu: alpha %g is not positive",
                               alpha);
    return weft_activate(&elu_activation, x, alpha, 1, options ? options->name : NULL);
}

weft_value weft_selu(weft_value x)
{
    return weft_activate(&elu_activation, x, SELU_ALPHA, SELU_FACTOR, "selu");
}

/* ---- GELU ---- */

/* dy density(x) (2 - x^2) */
static weft_value gelu_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value square = weft_square(call->input[1]);
    weft_value density = weft_scale(weft_exp(weft_scale(square, -0.5)), WEFT_MAP_NORMAL);
    return times(times(dy, density), affine(-1, square, 2));
}

WEFT_ACTIVATION(gelu, GELU, GELU_GRADIENT, "x",
                "x below(x), the probability that a standard normal number is less",
                "dy (below(x) + x density(x)), both of the normal distribution",
                "Hendrycks, Gimpel 2016", .second = gelu_second);

/* dy (1 - t^2) (u' + x (u'' / 2 - t u'^2)), t = tanh(u), u = s (x + c x^3) */
static weft_value gelu_tanh_second(const weft_gradient_call *call, weft_value dy)
{
    const double s = WEFT_MAP_GELU_SLOPE, c = WEFT_MAP_GELU_CUBE;
    weft_value x = call->input[1], square = weft_square(x);
    weft_value t = weft_tanh(times(x, affine(s * c, square, s)));
    weft_value first = affine(3 * s * c, square, s), half_second = weft_scale(x, 3 * s * c);
    weft_value bend = times(x, weft_subtract(half_second, times(t, weft_square(first))));
    weft_value steepness = affine(-1, weft_square(t), 1);
    return times(times(dy, steepness), weft_add(first, bend));
}

WEFT_ACTIVATION(gelu_tanh, GELU_TANH, GELU_TANH_GRADIENT, "x",
                "x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)",
                "dy/2 (1 + t + x (1 - t^2) u'), t = tanh(u)", "Hendrycks, Gimpel 2016, section 2",
                .second = gelu_tanh_second);

weft_value weft_gelu(weft_value x, const weft_gelu_options *options)
{
    bool approximate = options && options->approximate;
    return weft_activate(approximate ? &gelu_tanh_activation : &gelu_activation, x, 0, 0,
                         options ? options->name : NULL);
}

/* ---- Softplus ---- */

/* beta dy s (1 - s), s = sigmoid(beta x) */
static weft_value softplus_second(const weft_gradient_call *call, weft_value dy)
{
    double beta = ((const weft_map_attributes *)call->attributes)->a;
    weft_value s = weft_sigmoid(weft_scale(call->input[1], beta));
    return weft_scale(times(dy, times(s, affine(-1, s, 1))), beta);
}

WEFT_ACTIVATION_WITH("beta", "beta %g", softplus, SOFTPLUS, SOFTPLUS_GRADIENT, "x",
                     "log(1 + exp(beta x)) / beta", "dy sigmoid(beta x)", "Dugas et al. 2001",
                     .second = softplus_second, .parameters = {{1, 1}, {2.5, 1 / 2.5}});

weft_value weft_softplus(weft_value x, const weft_softplus_options *options)
{
    double beta = options && options->beta != 0 ? options->beta : 1;
    if (!(beta > 0))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "softplus: beta %g is not positive",
                               beta);
    return weft_activate(&softplus_activation, x, beta, 1 / beta, options ? options->name : NULL);
}

/* ---- Softsign ---- */

/* -2 dy (1 - |y|) sign(y) = 2 dy (y - sign(y)) */
static weft_value softsign_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value y = call->input[1];
    return weft_scale(times(dy, weft_subtract(y, weft_sign(y))), 2);
}

WEFT_ACTIVATION(softsign, SOFTSIGN, SOFTSIGN_GRADIENT, "y", "x / (1 + |x|)", "dy (1 - |y|)^2",
                "Bergstra et al. 2009", .second = softsign_second);

weft_value weft_softsign(weft_value x)
{
    return weft_activate(&softsign_activation, x, 0, 0, NULL);
}

/* ---- Mish ---- */

/* dy (2 t' + x t''), with s = sigmoid(x), t = tanh(softplus(x)), t' = (1 - t^2) s and t'' = t' (1 - s - 2 t s) */
static weft_value mish_second(const weft_gradient_call *call, weft_value dy)
{
    weft_value x = call->input[1], s = weft_sigmoid(x), t = weft_tanh(weft_softplus(x, NULL));
    weft_value first = times(affine(-1, weft_square(t), 1), s);
    weft_value bend = weft_subtract(affine(-1, s, 1), weft_scale(times(t, s), 2));
    return times(dy, times(first, weft_offset(times(x, bend), 2)));
}

WEFT_ACTIVATION(mish, MISH, MISH_GRADIENT, "x", "x tanh(softplus(x))",
                "dy (t + x (1 - t^2) sigmoid(x)), t = tanh(softplus(x))", "Misra 2019",
                .second = mish_second);

weft_value weft_mish(weft_value x)
{
    return weft_activate(&mish_activation, x, 0, 0, NULL);
}

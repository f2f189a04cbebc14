/* What each map computes, in double: the formulas that the vector kernels are compared to. */
#include "kernels/map.h"

#include <math.h>

typedef weft_map_f64_in operands;

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double map_copy(operands in)
{
    return in.x;
}

static double map_add(operands in)
{
    return in.x + in.y;
}

static double map_subtract(operands in)
{
    return in.x - in.y;
}

static double map_multiply(operands in)
{
    return in.x * in.y;
}

static double map_divide(operands in)
{
    return in.x / in.y;
}

static double map_scale(operands in)
{
    return in.a * in.x;
}

static double map_offset(operands in)
{
    return in.x + in.a;
}

static double map_negate(operands in)
{
    return -in.x;
}

static double map_square(operands in)
{
    return in.x * in.x;
}

static double map_sqrt(operands in)
{
    return sqrt(in.x);
}

static double map_rsqrt(operands in)
{
    return 1 / sqrt(in.x);
}

static double map_exp(operands in)
{
    return exp(in.x);
}

static double map_log(operands in)
{
    return log(in.x);
}

static double map_abs(operands in)
{
    return fabs(in.x);
}

/* NaN stays NaN here and in the four functions below, but for its power 0, which is 1. */
static double map_sign(operands in)
{
    return in.x > 0 ? 1 : in.x < 0 ? -1 : in.x * 0;
}

static double map_maximum(operands in)
{
    return in.x > in.y || isnan(in.x) ? in.x : in.y;
}

static double map_minimum(operands in)
{
    return in.x < in.y || isnan(in.x) ? in.x : in.y;
}

static double map_power(operands in)
{
    return pow(in.x, in.y);
}

/* To [a, b]. */
static double map_clip(operands in)
{
    double above = in.x < in.a ? in.a : in.x;
    return above > in.b ? in.b : above;
}

/* x is the gradient of the output, y the input. */
static double map_clip_gradient(operands in)
{
    return in.y >= in.a && in.y <= in.b ? in.x : 0;
}

/* As numbers: 1 for true. */
static double map_not_equal(operands in)
{
    return in.x != in.y ? 1 : 0;
}

static double map_less(operands in)
{
    return in.x < in.y ? 1 : 0;
}

static double map_less_equal(operands in)
{
    return in.x <= in.y ? 1 : 0;
}

/* Written so that NaN stays NaN. */
static double map_relu(operands in)
{
    return in.x <= 0 ? 0 : in.x;
}

/* Gradients: x is the gradient of the output, y the output, or the input where that is said. */
static double map_relu_gradient(operands in)
{
    return in.y > 0 ? in.x : 0;
}

/* a is the ceiling; the output as y tells where it was reached. */
static double map_clipped_relu(operands in)
{
    return in.x <= 0 ? 0 : in.x >= in.a ? in.a : in.x;
}

static double map_clipped_relu_gradient(operands in)
{
    return in.y > 0 && in.y < in.a ? in.x : 0;
}

static double map_leaky_relu(operands in)
{
    return in.x <= 0 ? in.a * in.x : in.x;
}

/* y is output or input, which have the same sign for slopes above 0. */
static double map_leaky_relu_gradient(operands in)
{
    return in.y > 0 ? in.x : in.a * in.x;
}

static double map_sigmoid(operands in)
{
    return logistic(in.x);
}

static double map_sigmoid_gradient(operands in)
{
    return in.x * in.y * (1 - in.y);
}

static double map_tanh(operands in)
{
    return tanh(in.x);
}

static double map_tanh_gradient(operands in)
{
    return in.x * (1 - in.y * in.y);
}

static double map_swish(operands in)
{
    return in.x * logistic(in.x);
}

/* y is the input. */
static double map_swish_gradient(operands in)
{
    double s = logistic(in.y);
    return in.x * s * (1 + in.y * (1 - s));
}

/* a is alpha, b a factor. */
static double map_elu(operands in)
{
    return in.b * (in.x > 0 ? in.x : in.a * expm1(in.x));
}

static double map_elu_gradient(operands in)
{
    return in.x * (in.y > 0 ? in.b : in.y + in.a * in.b);
}

static double map_gelu(operands in)
{
    return 0.5 * in.x * erfc(-in.x * WEFT_MAP_SQRT_HALF);
}

/* y is the input, here and below where nothing else is said. */
static double map_gelu_gradient(operands in)
{
    double density = WEFT_MAP_NORMAL * exp(-0.5 * in.y * in.y);
    return in.x * (0.5 * erfc(-in.y * WEFT_MAP_SQRT_HALF) + in.y * density);
}

static double map_gelu_tanh(operands in)
{
    double u = WEFT_MAP_GELU_SLOPE * in.x * (1 + WEFT_MAP_GELU_CUBE * in.x * in.x);
    return 0.5 * in.x * (1 + tanh(u));
}

static double map_gelu_tanh_gradient(operands in)
{
    double square = in.y * in.y;
    double t = tanh(WEFT_MAP_GELU_SLOPE * in.y * (1 + WEFT_MAP_GELU_CUBE * square));
    double du = WEFT_MAP_GELU_SLOPE * (1 + 3 * WEFT_MAP_GELU_CUBE * square);
    return in.x * 0.5 * (1 + t + in.y * (1 - t * t) * du);
}

/* a is beta, b its inverse. */
static double map_softplus(operands in)
{
    return fmax(in.x, 0) + in.b * log1p(exp(-in.a * fabs(in.x)));
}

static double map_softplus_gradient(operands in)
{
    return in.x * logistic(in.a * in.y);
}

static double map_softsign(operands in)
{
    return in.x / (1 + fabs(in.x));
}

/* y is the output. */
static double map_softsign_gradient(operands in)
{
    double rest = 1 - fabs(in.y);
    return in.x * rest * rest;
}

/* tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); 1 beyond 20, and e^x finite. */
static double map_mish(operands in)
{
    double e = exp(in.x > 20 ? 20 : in.x), n = e * (e + 2);
    return in.x * n / (n + 2);
}

static double map_mish_gradient(operands in)
{
    double e = exp(in.y > 20 ? 20 : in.y), n = e * (e + 2), t = n / (n + 2);
    return in.x * (t + in.y * (1 - t * t) * logistic(in.y));
}

/* a is the slope. */
static double map_hard_sigmoid(operands in)
{
    double y = in.a * in.x + 0.5;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

/* y is the output. */
static double map_hard_sigmoid_gradient(operands in)
{
    return in.y > 0 && in.y < 1 ? in.a * in.x : 0;
}

/* y is the output, which lies between a and b. */
static double map_hard_tanh_gradient(operands in)
{
    return in.y > in.a && in.y < in.b ? in.x : 0;
}

static double map_hard_swish(operands in)
{
    return in.x <= -3 ? 0 : in.x >= 3 ? in.x : in.x * (in.x + 3) * WEFT_MAP_SIXTH;
}

static double map_hard_swish_gradient(operands in)
{
    return in.y <= -3 ? 0 : in.y >= 3 ? in.x : in.x * (in.y * 2 * WEFT_MAP_SIXTH + 0.5);
}

/* y is the slope. */
static double map_prelu(operands in)
{
    return in.x <= 0 ? in.y * in.x : in.x;
}

static double map_prelu_slope_gradient(operands in)
{
    return in.y > 0 ? 0 : in.x * in.y;
}

/* As a number: 1 for true. */
static double map_equal(operands in)
{
    return in.x == in.y ? 1 : 0;
}

/* x is the logit, y the target. */
static double map_binary_cross_entropy(operands in)
{
    return fmax(in.x, 0) - in.x * in.y + log1p(exp(-fabs(in.x)));
}

static double map_add_product(operands in)
{
    return in.x + in.y * in.z;
}

/* z is the slope. */
static double map_prelu_gradient(operands in)
{
    return in.y > 0 ? in.x : in.z * in.x;
}

/* x is the gradient of the larger of y and z: what y gets of it. */
static double map_maximum_gradient(operands in)
{
    return in.y > in.z ? in.x : in.y == in.z ? 0.5 * in.x : 0;
}

static double map_select(operands in)
{
    return in.x != 0 ? in.y : in.z;
}

/* (x - center) * slope + shift: the center first, which keeps the digits of what varies about it. */
static double map_normalize(operands in)
{
    return (in.x - in.y) * in.z + in.w;
}

static double map_cast_uint8(operands in)
{
    return in.a * in.x + in.b;
}

static double map_cast_int32(operands in)
{
    return in.a * in.x + in.b;
}

const weft_map_traits weft_map_functions[WEFT_MAP_FUNCTIONS] = {
#define MAP_TRAITS(NAME, function, operands, cost)                                                 \
    [WEFT_MAP_##                                                                                   \
        NAME] = {.name = #function, .inputs = operands, .flops = cost, .f64 = map_##function},
    WEFT_MAP_TABLE(MAP_TRAITS)
#undef MAP_TRAITS
};

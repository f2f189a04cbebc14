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

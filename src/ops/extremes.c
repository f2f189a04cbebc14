/* The larger and the smaller of two values, clipping, magnitude and sign, powers. */
#include "ops/activation.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"

#include <math.h>

/* ---- Maximum and minimum ---- */

weft_value weft_maximum(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_maximum_op, WEFT_MAP_MAXIMUM, x, y);
}

weft_value weft_minimum(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_minimum_op, WEFT_MAP_MINIMUM, x, y);
}

/* What `larger` gets of dy, the gradient of the maximum of it and `other`. */
static weft_value maximum_grad(weft_value dy, weft_value larger, weft_value other)
{
    return weft_map_apply(&weft_maximum_gradient_op, WEFT_MAP_MAXIMUM_GRADIENT, 0, 0, NULL,
                          (weft_value[]){dy, larger, other});
}

/* Piecewise constant in the other two. */
static void maximum_grad_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = weft_sum_like(
            maximum_grad(call->output_gradient[0], call->input[1], call->input[2]), call->input[0]);
}

static void maximum_gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], x = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = weft_sum_like(maximum_grad(dy, x, y), x);
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(maximum_grad(dy, y, x), y);
}

/* The smaller of two is the larger's other. */
static void minimum_gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], x = call->input[0], y = call->input[1];
    if (call->wanted[0])
        call->input_gradient[0] = weft_sum_like(maximum_grad(dy, y, x), x);
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(maximum_grad(dy, x, y), y);
}

/* Operands that differ everywhere: multiples of 0.1, and odd multiples of 0.05. */
static bool sample_pair(weft_sampler *sampler, int index, weft_value *x, weft_value *y)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 5);
    int64_t c = weft_sampler_integer(sampler, 2, 19);
    const weft_shape shapes[][2] = {
        {{3, {n, h, c}}, {3, {n, h, c}}},
        {{3, {n, h, c}}, {1, {c}}},
        {{2, {h, 1}}, {3, {n, 1, c}}},
        {{0}, {2, {n, c}}},
    };
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    *x = weft_sampler_input(sampler, shapes[index][0], WEFT_SAMPLE_DISTINCT);
    *y = weft_offset(weft_sampler_input(sampler, shapes[index][1], WEFT_SAMPLE_DISTINCT), 0.05);
    return true;
}

static bool maximum_sample(weft_sampler *sampler, int index)
{
    weft_value x, y;
    if (!sample_pair(sampler, index, &x, &y))
        return false;
    weft_sampler_output(sampler, weft_maximum(x, y));
    return true;
}

static bool minimum_sample(weft_sampler *sampler, int index)
{
    weft_value x, y;
    if (!sample_pair(sampler, index, &x, &y))
        return false;
    weft_sampler_output(sampler, weft_minimum(x, y));
    return true;
}

/* The last case compares a value with itself: ties. */
static bool maximum_grad_sample(weft_sampler *sampler, int index)
{
    weft_value x, y;
    if (!sample_pair(sampler, index < 4 ? index : 0, &x, &y) || index > 4)
        return false;
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(weft_add(x, y)), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, maximum_grad(dy, x, index < 4 ? y : x));
    return true;
}

#define BINARY(title)                                                                              \
    .name = #title, .family = WEFT_FAMILY_ARITHMETIC, WEFT_MAP_OP(2),                              \
    .infer = weft_map_infer_broadcast, .gradient = title##_gradient, .sample = title##_sample,     \
    .shapes = "x, y -> x y broadcast", .source = "definition"

const weft_op weft_maximum_op = {
    BINARY(maximum), .summary = "the larger of x and y; equal ones get half of the gradient each"};
const weft_op weft_minimum_op = {
    BINARY(minimum), .summary = "the smaller of x and y; equal ones get half of the gradient each"};
const weft_op weft_maximum_gradient_op = {
    .name = "maximum_gradient",
    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(3),
    .infer = weft_map_infer_broadcast,
    .gradient = maximum_grad_gradient,
    .sample = maximum_grad_sample,
    .summary = "dy where x > y, dy/2 where they are equal, else 0",
    .shapes = "dy, x, y -> dy x y broadcast",
    .source = "chain rule of maximum",
};

/* ---- Clipping ---- */

WEFT_MAP_LABEL(clip_label, "[%g, %g]")
WEFT_ACTIVATION_OPS(WEFT_FAMILY_ARITHMETIC, "low, high", clip_label, clip, CLIP, CLIP_GRADIENT, "x",
                    "min(max(x, low), high); its gradient at both is 1",
                    "dy where low <= x <= high, else 0", "definition",
                    .parameters = {{-0.6, 1.2}, {-INFINITY, 1.2}, {-0.6, INFINITY}},
                    .pieces = true);

weft_value weft_clip(weft_value x, double low, double high)
{
    if (!(low <= high))
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "clip: %g is above %g", low, high);
    return weft_activate(&clip_activation, x, low, high, NULL);
}

/* ---- Magnitude and sign ---- */

weft_value weft_abs(weft_value x)
{
    return weft_map_apply(&weft_abs_op, WEFT_MAP_ABS, 0, 0, NULL, &x);
}

weft_value weft_sign(weft_value x)
{
    return weft_map_apply(&weft_sign_op, WEFT_MAP_SIGN, 0, 0, NULL, &x);
}

static void abs_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_multiply(call->output_gradient[0], weft_sign(call->input[0]));
}

static bool abs_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_abs, WEFT_SAMPLE_NORMAL);
}

static bool sign_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_sign, WEFT_SAMPLE_NORMAL);
}

const weft_op weft_abs_op = {
    .name = "abs",
    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(1),
    .infer = weft_map_infer_equal,
    .gradient = abs_gradient,
    .sample = abs_sample,
    .summary = "|x|; its gradient at 0 is 0",
    .shapes = "x [..] -> [..]",
    .source = "definition",
};

const weft_op weft_sign_op = {
    .name = "sign",
    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP_FLAGS(1, WEFT_OP_NO_GRADIENT),
    .infer = weft_map_infer_equal,
    .sample = sign_sample,
    .summary = "1 where x > 0, -1 where x < 0, 0 at 0",
    .shapes = "x [..] -> [..]",
    .source = "definition",
};

/* ---- Powers ---- */

weft_value weft_power(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_power_op, WEFT_MAP_POWER, x, y);
}

/* By x it is y x^(y-1), and 0 where y is; by y it is x^y log(x), and 0 where x is: neither 0 times an infinity. */
static void power_gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], x = call->input[0], y = call->input[1];
    weft_value zero = weft_scalar(call->graph, 0), one = weft_scalar(call->graph, 1);
    if (call->wanted[0]) {
        weft_value less = weft_select(weft_equal(y, zero), one, weft_offset(y, -1));
        weft_value slope = weft_multiply(y, weft_power(x, less));
        call->input_gradient[0] = weft_sum_like(weft_multiply(dy, slope), x);
    }
    if (call->wanted[1]) {
        weft_value base = weft_select(weft_equal(x, zero), one, x); /* 1^y log(1) is 0 */
        weft_value slope = weft_multiply(weft_power(base, y), weft_log(base));
        call->input_gradient[1] = weft_sum_like(weft_multiply(dy, slope), y);
    }
}

/* Positive bases. */
static bool power_sample(weft_sampler *sampler, int index)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), c = weft_sampler_integer(sampler, 2, 19);
    const weft_shape shapes[][2] = {
        {{2, {n, c}}, {2, {n, c}}}, {{2, {n, c}}, {1, {c}}}, {{2, {n, 1}}, {3, {2, 1, c}}}};
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    weft_value x = weft_sampler_input(sampler, shapes[index][0], WEFT_SAMPLE_POSITIVE);
    weft_value y = weft_sampler_input(sampler, shapes[index][1], WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_power(x, y));
    return true;
}

const weft_op weft_power_op = {
    BINARY(power),
    .summary = "x^y, as C's pow; the gradient by y where x = 0 is 0, and that by x where y = 0"};

/* The four operations, with broadcasting. */
#include "weft/arithmetic.h"

#include "ops/map.h"
#include "ops/ops.h"
#include "ops/rules.h"

/* ---- Gradients: each sums over what was broadcast ---- */

static void set_gradients(weft_gradient_call *call, weft_value (*of_x)(weft_gradient_call *),
                          weft_value (*of_y)(weft_gradient_call *))
{
    if (call->wanted[0])
        call->input_gradient[0] = weft_sum_like(of_x(call), call->input[0]);
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(of_y(call), call->input[1]);
}

static weft_value pass(weft_gradient_call *call)
{
    return call->output_gradient[0];
}

static weft_value pass_negated(weft_gradient_call *call)
{
    return weft_negate(call->output_gradient[0]);
}

static weft_value times_x(weft_gradient_call *call)
{
    return weft_multiply(call->output_gradient[0], call->input[0]);
}

static weft_value times_y(weft_gradient_call *call)
{
    return weft_multiply(call->output_gradient[0], call->input[1]);
}

static weft_value over_y(weft_gradient_call *call)
{
    return weft_divide(call->output_gradient[0], call->input[1]);
}

/* d(x/y)/dy = -(x/y)/y */
static weft_value quotient_by_y(weft_gradient_call *call)
{
    weft_value product = weft_multiply(call->output_gradient[0], call->output[0]);
    return weft_negate(weft_divide(product, call->input[1]));
}

static void add_gradient(weft_gradient_call *call)
{
    set_gradients(call, pass, pass);
}

static void subtract_gradient(weft_gradient_call *call)
{
    set_gradients(call, pass, pass_negated);
}

static void multiply_gradient(weft_gradient_call *call)
{
    set_gradients(call, times_y, times_x);
}

static void divide_gradient(weft_gradient_call *call)
{
    set_gradients(call, over_y, quotient_by_y);
}

/* ---- Identities ---- */

/* `input` where the other operand is `neutral` everywhere and the output has the input's shape. */
static bool passes(const weft_bind *bind, int input, double neutral)
{
    return weft_tensor_is(&bind->input[1 - input], neutral) &&
           weft_tensor_same_extents(&bind->input[input], &bind->output[0]);
}

static int identity_of_either(const weft_bind *bind, double neutral)
{
    if (passes(bind, 0, neutral))
        return 0;
    return passes(bind, 1, neutral) ? 1 : -1;
}

static int add_identity(const weft_bind *bind)
{
    return identity_of_either(bind, 0);
}

static int subtract_identity(const weft_bind *bind)
{
    return passes(bind, 0, 0) ? 0 : -1;
}

static int multiply_identity(const weft_bind *bind)
{
    return identity_of_either(bind, 1);
}

static int divide_identity(const weft_bind *bind)
{
    return passes(bind, 0, 1) ? 0 : -1;
}

/* ---- Samples: equal shapes, channels, a column, both repeated, missing dimensions, a scalar ---- */

static bool sample(weft_sampler *sampler, int index, weft_value (*build)(weft_value, weft_value),
                   weft_sample_kind kind_of_y)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 5);
    int64_t c = weft_sampler_integer(sampler, 2, 19);
    const weft_shape shapes[][2] = {
        {{4, {n, h, 3, c}}, {4, {n, h, 3, c}}}, {{4, {n, h, 3, c}}, {1, {c}}},
        {{4, {n, h, 3, 1}}, {4, {n, h, 3, c}}}, {{3, {n, 1, c}}, {3, {1, h, c}}},
        {{2, {h, 1}}, {4, {n, 3, 1, c}}},       {{0}, {2, {n, c}}},
        {{2, {n, c}}, {4, {1, 1, 1, 1}}},       {{0}, {0}},
    };
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    weft_value x = weft_sampler_input(sampler, shapes[index][0], WEFT_SAMPLE_NORMAL);
    weft_value y = weft_sampler_input(sampler, shapes[index][1], kind_of_y);
    weft_sampler_output(sampler, build(x, y));
    return true;
}

static bool add_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, weft_add, WEFT_SAMPLE_NORMAL);
}

static bool subtract_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, weft_subtract, WEFT_SAMPLE_NORMAL);
}

static bool multiply_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, weft_multiply, WEFT_SAMPLE_NORMAL);
}

static bool divide_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, weft_divide, WEFT_SAMPLE_POSITIVE);
}

/* ---- Ops ---- */

const weft_op weft_add_op = {
    .name = "add",
    .summary = "x + y",
    .shapes = "x, y -> x y broadcast",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP_FLAGS(2, WEFT_OP_AFFINE),
    .infer = weft_map_infer_broadcast,
    .gradient = add_gradient,
    .identity = add_identity,
    .sample = add_sample,
};

const weft_op weft_subtract_op = {
    .name = "subtract",
    .summary = "x - y",
    .shapes = "x, y -> x y broadcast",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP_FLAGS(2, WEFT_OP_AFFINE),
    .infer = weft_map_infer_broadcast,
    .gradient = subtract_gradient,
    .identity = subtract_identity,
    .sample = subtract_sample,
};

const weft_op weft_multiply_op = {
    .name = "multiply",
    .summary = "x y",
    .shapes = "x, y -> x y broadcast",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(2),
    .infer = weft_map_infer_broadcast,
    .gradient = multiply_gradient,
    .identity = multiply_identity,
    .sample = multiply_sample,
};

const weft_op weft_divide_op = {
    .name = "divide",
    .summary = "x / y",
    .shapes = "x, y -> x y broadcast",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(2),
    .infer = weft_map_infer_broadcast,
    .gradient = divide_gradient,
    .identity = divide_identity,
    .sample = divide_sample,
};

weft_value weft_add(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_add_op, WEFT_MAP_ADD, x, y);
}

weft_value weft_subtract(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_subtract_op, WEFT_MAP_SUBTRACT, x, y);
}

weft_value weft_multiply(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_multiply_op, WEFT_MAP_MULTIPLY, x, y);
}

weft_value weft_divide(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_divide_op, WEFT_MAP_DIVIDE, x, y);
}

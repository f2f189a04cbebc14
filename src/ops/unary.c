/* Elementwise functions of one operand: scale, offset, negate, square, sqrt, rsqrt, exp, log. */
#include "weft/arithmetic.h"

#include "ops/map.h"
#include "ops/ops.h"

/* ---- Gradients ---- */

static double parameter(const void *attributes)
{
    return ((const weft_map_attributes *)attributes)->a;
}

static void scale_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_scale(call->output_gradient[0], parameter(call->attributes));
}

static void offset_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->output_gradient[0];
}

static void negate_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_negate(call->output_gradient[0]);
}

static void square_gradient(weft_gradient_call *call)
{
    weft_value product = weft_multiply(call->output_gradient[0], call->input[0]);
    call->input_gradient[0] = weft_scale(product, 2);
}

/* 1 / (2 sqrt(x)), from the output. */
static void sqrt_gradient(weft_gradient_call *call)
{
    weft_value quotient = weft_divide(call->output_gradient[0], call->output[0]);
    call->input_gradient[0] = weft_scale(quotient, 0.5);
}

/* -1/2 x^(-3/2), from the output. */
static void rsqrt_gradient(weft_gradient_call *call)
{
    weft_value y = call->output[0], cube = weft_multiply(weft_square(y), y);
    call->input_gradient[0] = weft_scale(weft_multiply(call->output_gradient[0], cube), -0.5);
}

static void exp_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_multiply(call->output_gradient[0], call->output[0]);
}

static void log_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_divide(call->output_gradient[0], call->input[0]);
}

/* ---- Identities and labels ---- */

static int scale_identity(const weft_bind *bind)
{
    return parameter(bind->attributes) == 1 ? 0 : -1;
}

static int offset_identity(const weft_bind *bind)
{
    return parameter(bind->attributes) == 0 ? 0 : -1;
}

WEFT_MAP_LABEL(scale_label, "x %g")
WEFT_MAP_LABEL(offset_label, "%+g")

/* ---- Samples ---- */

static weft_value scale_by_some(weft_value x)
{
    return weft_scale(x, -1.75);
}

static weft_value offset_by_some(weft_value x)
{
    return weft_offset(x, 0.625);
}

static bool scale_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, scale_by_some, WEFT_SAMPLE_NORMAL);
}

static bool offset_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, offset_by_some, WEFT_SAMPLE_NORMAL);
}

static bool negate_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_negate, WEFT_SAMPLE_NORMAL);
}

static bool square_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_square, WEFT_SAMPLE_NORMAL);
}

static bool sqrt_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_sqrt, WEFT_SAMPLE_POSITIVE);
}

static bool rsqrt_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_rsqrt, WEFT_SAMPLE_POSITIVE);
}

static bool exp_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_exp, WEFT_SAMPLE_NORMAL);
}

static bool log_sample(weft_sampler *sampler, int index)
{
    return weft_map_sample_unary(sampler, index, weft_log, WEFT_SAMPLE_POSITIVE);
}

/* ---- Ops ---- */

#define UNARY_OP_FLAGS(op_name, flags)                                                             \
    .name = #op_name, .family = WEFT_FAMILY_ARITHMETIC, WEFT_MAP_OP_FLAGS(1, flags),               \
    .infer = weft_map_infer_equal, .gradient = op_name##_gradient, .sample = op_name##_sample
#define UNARY_OP(op_name) UNARY_OP_FLAGS(op_name, 0)

const weft_op weft_scale_op = {UNARY_OP_FLAGS(scale, WEFT_OP_AFFINE),
                               .summary = "factor x",
                               .shapes = "x [..] -> [..]",
                               .parameters = "factor",
                               .source = "definition",
                               .identity = scale_identity,
                               .label = scale_label};
const weft_op weft_offset_op = {UNARY_OP_FLAGS(offset, WEFT_OP_AFFINE),
                                .summary = "x + addend",
                                .shapes = "x [..] -> [..]",
                                .parameters = "addend",
                                .source = "definition",
                                .identity = offset_identity,
                                .label = offset_label};
const weft_op weft_negate_op = {UNARY_OP_FLAGS(negate, WEFT_OP_AFFINE), .summary = "-x",
                                .shapes = "x [..] -> [..]", .source = "definition"};
const weft_op weft_square_op = {UNARY_OP(square), .summary = "x^2", .shapes = "x [..] -> [..]",
                                .source = "definition"};
const weft_op weft_sqrt_op = {UNARY_OP(sqrt), .summary = "sqrt(x)", .shapes = "x [..] -> [..]",
                              .source = "definition"};
const weft_op weft_rsqrt_op = {UNARY_OP(rsqrt), .summary = "1 / sqrt(x)",
                               .shapes = "x [..] -> [..]", .source = "definition"};
const weft_op weft_exp_op = {UNARY_OP(exp), .summary = "exp(x)", .shapes = "x [..] -> [..]",
                             .source = "definition"};
const weft_op weft_log_op = {UNARY_OP(log), .summary = "the natural logarithm of x",
                             .shapes = "x [..] -> [..]", .source = "definition"};

static weft_value unary(const weft_op *op, weft_map_function function, weft_value x, double a)
{
    return weft_map_apply(op, function, a, 0, NULL, &x);
}

weft_value weft_scale(weft_value x, double factor)
{
    return unary(&weft_scale_op, WEFT_MAP_SCALE, x, factor);
}

weft_value weft_offset(weft_value x, double addend)
{
    return unary(&weft_offset_op, WEFT_MAP_OFFSET, x, addend);
}

weft_value weft_negate(weft_value x)
{
    return unary(&weft_negate_op, WEFT_MAP_NEGATE, x, 0);
}

weft_value weft_square(weft_value x)
{
    return unary(&weft_square_op, WEFT_MAP_SQUARE, x, 0);
}

weft_value weft_sqrt(weft_value x)
{
    return unary(&weft_sqrt_op, WEFT_MAP_SQRT, x, 0);
}

weft_value weft_rsqrt(weft_value x)
{
    return unary(&weft_rsqrt_op, WEFT_MAP_RSQRT, x, 0);
}

weft_value weft_exp(weft_value x)
{
    return unary(&weft_exp_op, WEFT_MAP_EXP, x, 0);
}

weft_value weft_log(weft_value x)
{
    return unary(&weft_log_op, WEFT_MAP_LOG, x, 0);
}

/* The maps that batch normalization is made of: (x - center) * slope + shift, and x + y * z. Operands are
 * broadcast to the first. */
#include "ops/map.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

static bool infer(weft_infer *infer)
{
    for (int i = 0; i < infer->inputs; i++)
        if (infer->dtype[i] != WEFT_REAL)
            return weft_infer_fail(infer, "operand %d must be real", i);
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static weft_value apply(const weft_op *op, weft_map_function function, const weft_value *input)
{
    return weft_map_apply(op, function, 0, 0, NULL, input);
}

static void normalize_gradient(weft_gradient_call *call)
{
    const weft_value *in = call->input;
    weft_value dy = call->output_gradient[0], dx = weft_multiply(dy, in[2]);
    if (call->wanted[0])
        call->input_gradient[0] = dx;
    if (call->wanted[1])
        call->input_gradient[1] = weft_negate(weft_sum_like(dx, in[1]));
    if (call->wanted[2])
        call->input_gradient[2] =
            weft_sum_like(weft_multiply(dy, weft_subtract(in[0], in[1])), in[2]);
    if (call->wanted[3])
        call->input_gradient[3] = weft_sum_like(dy, in[3]);
}

static void add_product_gradient(weft_gradient_call *call)
{
    const weft_value *in = call->input;
    weft_value dy = call->output_gradient[0];
    if (call->wanted[0])
        call->input_gradient[0] = dy;
    if (call->wanted[1])
        call->input_gradient[1] = weft_sum_like(weft_multiply(dy, in[2]), in[1]);
    if (call->wanted[2])
        call->input_gradient[2] = weft_sum_like(weft_multiply(dy, in[1]), in[2]);
}

/* The first operand whole; then whole ones, rows of channels, single elements. */
static bool sample(weft_sampler *sampler, int index, const weft_op *op, weft_map_function function)
{
    if (index >= 3)
        return false;
    int64_t channels = weft_sampler_integer(sampler, 2, 37);
    weft_shape image = weft_shape_of(2, weft_sampler_integer(sampler, 1, 4), 3, channels);
    weft_shape other[] = {image, weft_shape_of(channels), weft_shape_of(1)};
    weft_value input[WEFT_MAP_INPUTS];
    for (int i = 0; i < WEFT_MAP_INPUTS; i++)
        input[i] = weft_sampler_input(sampler, i == 0 ? image : other[index], WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, apply(op, function, input));
    return true;
}

static bool normalize_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, &weft_normalize_op, WEFT_MAP_NORMALIZE);
}

static bool add_product_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, &weft_add_product_op, WEFT_MAP_ADD_PRODUCT);
}

const weft_op weft_normalize_op = {
    .name = "normalize",
    .summary = "(x - center) slope + shift",
    .shapes = "x [..], center, slope, shift -> [..]",
    .source = "definition",

    .family = WEFT_FAMILY_NORMALIZATION,
    WEFT_MAP_OP(4),
    .infer = infer,
    .gradient = normalize_gradient,
    .sample = normalize_sample,
};

const weft_op weft_add_product_op = {
    .name = "add_product",
    .summary = "x + y z",
    .shapes = "x [..], y, z -> [..]",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(3),
    .infer = infer,
    .gradient = add_product_gradient,
    .sample = add_product_sample,
};

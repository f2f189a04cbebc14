/* Integers made real. */
#include "weft/arithmetic.h"

#include "ops/map.h"
#include "ops/ops.h"

#include <stdio.h>

static bool infer(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    if (infer->dtype[0] == WEFT_INT32 || infer->dtype[0] == WEFT_UINT8)
        return true;
    return weft_infer_fail(infer, "input must be int32 or uint8, not %s",
                           weft_dtype_name(infer->dtype[0]));
}

static void label(const void *attributes, char *text, size_t size)
{
    const weft_map_attributes *cast = attributes;
    snprintf(text, size, "x %.4g %+.4g", cast->a, cast->b);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_cast_options options[] = {
        {NULL, 1.0 / 255, 0}, {NULL, 0.25, -3}, {NULL, 0, 0}};
    if (index >= 6)
        return false;
    weft_shape shape = {2, {3, weft_sampler_integer(sampler, 1, 90)}};
    weft_value x =
        index < 3 ? weft_sampler_bytes(sampler, shape) : weft_sampler_labels(sampler, shape, 1000);
    weft_sampler_output(sampler, weft_cast_real(x, &options[index % 3]));
    return true;
}

const weft_op weft_cast_op = {
    .name = "cast",
    .summary = "scale x + offset, of integer elements",
    .shapes = "x [..] int32 or uint8 -> [..]",
    .parameters = "scale, offset",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | WEFT_OP_NO_GRADIENT,
    .infer = infer,
    .run_f64 = weft_map_run_f64,
    .bind = weft_map_bind_op,
    .cost = weft_map_cost,
    .label = label,
    .sample = sample,
};

weft_value weft_cast_real(weft_value x, const weft_cast_options *options)
{
    bool bytes = weft_dtype_get(x) == WEFT_UINT8;
    double scale = options && options->scale != 0 ? options->scale : 1;
    return weft_map_apply(&weft_cast_op, bytes ? WEFT_MAP_CAST_UINT8 : WEFT_MAP_CAST_INT32, scale,
                          options ? options->offset : 0, options ? options->name : NULL, &x);
}

/* pad: a value with a border of one number; borders of its own elements are another op's, border.c. */
#include "ops/border.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/region.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

typedef struct pad_attributes {
    int64_t before[WEFT_MAX_RANK], after[WEFT_MAX_RANK];
    double value;
} pad_attributes;

weft_value weft_pad(weft_value x, const weft_pad_options *options)
{
    if (options->mode != WEFT_PAD_CONSTANT)
        return weft_border(x, options);
    pad_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    memcpy(attributes.before, options->before, sizeof(attributes.before));
    memcpy(attributes.after, options->after, sizeof(attributes.after));
    attributes.value = options->value;
    return weft_apply(x.graph, &weft_pad_op, &attributes, sizeof(attributes), options->name, &x, 1,
                      NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const pad_attributes *attributes = infer->attributes;
    weft_shape *y = &infer->out_shape[0];
    if (!weft_infer_none_past(infer, "before", attributes->before, 0) ||
        !weft_infer_none_past(infer, "after", attributes->after, 0))
        return false;
    *y = infer->shape[0];
    for (int i = 0; i < y->rank; i++) {
        int64_t before = attributes->before[i], after = attributes->after[i];
        if (before < 0 || after < 0)
            return weft_infer_fail(infer, "padding (%lld, %lld) of dimension %d is negative",
                                   (long long)before, (long long)after, i);
        if (y->extent[i] < 0 && (before || after))
            return weft_infer_fail(infer, "dimension %d is open and cannot be padded", i);
        if (__builtin_add_overflow(y->extent[i], before, &y->extent[i]) ||
            __builtin_add_overflow(y->extent[i], after, &y->extent[i]))
            return weft_infer_fail(infer, "dimension %d would be too large", i);
    }
    return weft_infer_real(infer, 0, "input");
}

static void gradient(weft_gradient_call *call)
{
    const pad_attributes *attributes = call->attributes;
    weft_region_options options = {0};
    memcpy(options.begin, attributes->before, sizeof(options.begin));
    call->input_gradient[0] = weft_crop_like(call->output_gradient[0], call->input[0], &options);
}

static weft_region region_of(const pad_attributes *attributes)
{
    weft_region region;
    for (int i = 0; i < WEFT_MAX_RANK; i++) {
        region.begin[i] = attributes->before[i];
        region.step[i] = 1;
    }
    return region;
}

static void run_f64(const weft_operands *operands)
{
    const pad_attributes *attributes = operands->attributes;
    weft_region region = region_of(attributes);
    weft_region_put_f64(operands, &region, attributes->value);
}

static bool bind(weft_bind *bind)
{
    const pad_attributes *attributes = bind->attributes;
    weft_region region = region_of(attributes);
    return weft_region_bind_put(bind, &region, attributes->value);
}

static void label(const void *given, char *text, size_t size)
{
    const pad_attributes *attributes = given;
    size_t used = 0;
    for (int i = 0; i < WEFT_MAX_RANK && used < size; i++)
        if (attributes->before[i] || attributes->after[i])
            used +=
                (size_t)snprintf(text + used, size - used, "%s%d: %lld,%lld", used ? "; " : "", i,
                                 (long long)attributes->before[i], (long long)attributes->after[i]);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_pad_options cases[] = {
        {.before = {0, 1, 1}, .after = {0, 1, 1}},
        {.before = {0, 0, 2, 3}, .after = {0, 3, 0, 1}, .value = -1.5},
        {.before = {2, 0, 0, 0}, .after = {1}},
        {.after = {0, 0, 0, 20}, .value = 1},
        {.value = 2}, /* nothing is added */
    };
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_sample_shape(sampler, 4, 1, 5), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_pad(x, &cases[index]));
    return true;
}

const weft_op weft_pad_op = {
    .name = "pad",
    .summary = "x with a border of value",
    .shapes = "x [..] -> [before + .. + after]",
    .parameters = "before, after, value",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample,
};

/* slice: a regular part of a value. */
#include "kernels/integer.h"
#include "ops/copying.h"
#include "ops/cut.h"
#include "ops/ops.h"
#include "ops/region.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

typedef struct slice_attributes {
    int64_t begin[WEFT_MAX_RANK], size[WEFT_MAX_RANK], step[WEFT_MAX_RANK]; /* size 0: the rest */
} slice_attributes;

weft_value weft_slice(weft_value x, const weft_slice_options *options)
{
    slice_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    for (int i = 0; i < WEFT_MAX_RANK; i++) {
        attributes.begin[i] = options->begin[i];
        attributes.size[i] = options->size[i];
        attributes.step[i] = options->step[i] ? options->step[i] : 1;
    }
    return weft_apply(x.graph, &weft_slice_op, &attributes, sizeof(attributes), options->name, &x,
                      1, NULL, 1);
}

weft_status weft_slice_expand(weft_expansion *expansion, int operand, int axis, int64_t begin,
                              const weft_tensor *like, int *result)
{
    slice_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    for (int i = 0; i < WEFT_MAX_RANK; i++)
        attributes.step[i] = 1;
    attributes.begin[axis] = begin;
    attributes.size[axis] = like->extent[axis];
    const weft_expand_call call = {.op = &weft_slice_op,
                                   .attributes = &attributes,
                                   .attribute_bytes = sizeof(attributes),
                                   .inputs = 1,
                                   .input = {operand},
                                   .outputs = 1,
                                   .like = {like},
                                   .as = {-1}};
    return weft_expand_node(expansion, &call, result);
}

/* What is taken of an open extent: everything, or a fixed number that is checked when it is bound. */
static bool infer_open(const weft_infer *infer, int dimension, int64_t *extent)
{
    const slice_attributes *attributes = infer->attributes;
    int64_t size = attributes->size[dimension];
    if (size > 0)
        *extent = size;
    else if (size < 0 || attributes->begin[dimension] != 0 || attributes->step[dimension] != 1)
        return weft_infer_fail(infer, "dimension %d is open: take all of it, or a fixed size",
                               dimension);
    return true;
}

static bool infer_dimension(const weft_infer *infer, int dimension, int64_t *extent)
{
    const slice_attributes *attributes = infer->attributes;
    int64_t begin = attributes->begin[dimension], step = attributes->step[dimension];
    int64_t size = attributes->size[dimension], all = *extent;
    if (step < 1)
        return weft_infer_fail(infer, "step %lld of dimension %d is not positive", (long long)step,
                               dimension);
    if (all < 0)
        return infer_open(infer, dimension, extent);
    int64_t first = begin < 0 ? begin + all : begin;
    int64_t left = first >= 0 && first < all ? 1 + (all - 1 - first) / step : 0;
    *extent = size ? size : left;
    if (left == 0 || size < 0 || size > left)
        return weft_infer_fail(infer,
                               "%lld elements from %lld by %lld are not all within the %lld of "
                               "dimension %d",
                               (long long)size, (long long)begin, (long long)step, (long long)all,
                               dimension);
    return true;
}

static bool infer(weft_infer *infer)
{
    const slice_attributes *attributes = infer->attributes;
    if (!weft_infer_none_past(infer, "begin", attributes->begin, 0) ||
        !weft_infer_none_past(infer, "size", attributes->size, 0) ||
        !weft_infer_none_past(infer, "step", attributes->step, 1))
        return false;
    infer->out_shape[0] = infer->shape[0];
    infer->out_dtype[0] = infer->dtype[0];
    for (int i = 0; i < infer->shape[0].rank; i++)
        if (!infer_dimension(infer, i, &infer->out_shape[0].extent[i]))
            return false;
    return true;
}

static void gradient(weft_gradient_call *call)
{
    const slice_attributes *attributes = call->attributes;
    weft_region_options options = {0};
    memcpy(options.begin, attributes->begin, sizeof(options.begin));
    memcpy(options.step, attributes->step, sizeof(options.step));
    call->input_gradient[0] = weft_embed_like(call->output_gradient[0], call->input[0], &options);
}

static weft_region region_of(const slice_attributes *attributes, const weft_tensor *x)
{
    weft_region region;
    for (int i = 0; i < x->rank; i++) {
        int64_t begin = attributes->begin[i];
        region.begin[i] = begin < 0 ? begin + x->extent[i] : begin;
        /* A longer one takes one element, too. */
        region.step[i] = weft_least(attributes->step[i], x->extent[i]);
    }
    return region;
}

static void run_f64(const weft_operands *operands)
{
    weft_region region = region_of(operands->attributes, &operands->input[0]);
    weft_region_take_f64(operands, &region);
}

static bool bind(weft_bind *bind)
{
    weft_region region = region_of(bind->attributes, &bind->input[0]);
    return weft_region_bind_take(bind, &region);
}

static bool view(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    (void)output;
    weft_region region = region_of(bind->attributes, &bind->input[0]);
    return weft_region_view(bind, &region, view, offset);
}

static void label(const void *given, char *text, size_t size)
{
    const slice_attributes *attributes = given;
    size_t used = 0;
    for (int i = 0; i < WEFT_MAX_RANK && used < size; i++) {
        bool all = !attributes->begin[i] && !attributes->size[i] && attributes->step[i] == 1;
        if (all)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%d: %lld", used ? ", " : "", i,
                                 (long long)attributes->begin[i]);
        if (attributes->size[i] && used < size)
            used +=
                (size_t)snprintf(text + used, size - used, "+%lld", (long long)attributes->size[i]);
        if (attributes->step[i] != 1 && used < size)
            used += (size_t)snprintf(text + used, size - used, " by %lld",
                                     (long long)attributes->step[i]);
    }
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_slice_options cases[] = {
        {.begin = {0, 1, 2}},
        {.begin = {1, 0, 0, 2}, .size = {1, 0, 0, 2}},
        {.begin = {0, -3, -2}, .size = {0, 2}},
        {.step = {1, 2, 3}},
        {.begin = {0, 1, 0, 1}, .step = {1, 2, 1, 2}, .size = {0, 2, 0, 2}},
        {.size = {2, 1, 1, 1}},
    };
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_shape shape = weft_sample_shape(sampler, 4, 4, 7);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_slice(x, &cases[index]));
    return true;
}

const weft_op weft_slice_op = {
    .name = "slice",
    .summary = "the part of x of that begin, size and step",
    .shapes = "x [..] -> [size]",
    .parameters = "begin, size, step",
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
    .view = view,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample,
};

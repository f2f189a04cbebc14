/* Classes as rows that are off but in one place. */
#include "kernels/one_hot.h"

#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

typedef struct one_hot_attributes {
    int64_t depth;
    double on, off;
} one_hot_attributes;

weft_value weft_one_hot(weft_value indices, const weft_one_hot_options *options)
{
    if (options->depth < 1)
        return weft_graph_fail(indices.graph, WEFT_ERROR_ARGUMENT,
                               "one_hot: a depth of %lld is not positive",
                               (long long)options->depth);
    bool plain = options->on == 0 && options->off == 0;
    one_hot_attributes attributes = {options->depth, plain ? 1 : options->on, options->off};
    return weft_apply(indices.graph, &weft_one_hot_op, &attributes, sizeof(attributes),
                      options->name, &indices, 1, NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const one_hot_attributes *attributes = infer->attributes;
    weft_shape *y = &infer->out_shape[0];
    *y = infer->shape[0];
    if (infer->dtype[0] != WEFT_INT32)
        return weft_infer_fail(infer, "indices must be int32, not %s",
                               weft_dtype_name(infer->dtype[0]));
    if (y->rank == WEFT_MAX_RANK)
        return weft_infer_fail(infer, "%d dimensions leave none for the depth", y->rank);
    y->extent[y->rank++] = attributes->depth;
    return true;
}

static void run_f64(const weft_operands *operands)
{
    const one_hot_attributes *attributes = operands->attributes;
    const weft_tensor *indices = &operands->input[0], *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t from = weft_tensor_offset(indices, i / attributes->depth);
        bool on = ((const int32_t *)indices->data)[from] == i % attributes->depth;
        ((double *)y->data)[weft_tensor_offset(y, i)] = on ? attributes->on : attributes->off;
    }
}

static bool bind(weft_bind *bind)
{
    const one_hot_attributes *attributes = bind->attributes;
    weft_one_hot_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    *args = (weft_one_hot_args){.rows = weft_tensor_elements(&bind->input[0]),
                                .depth = attributes->depth,
                                .on = (float)attributes->on,
                                .off = (float)attributes->off};
    weft_bind_phase(bind, weft_one_hot_run, weft_one_hot_cut(args));
    return true;
}

static void label(const void *given, char *text, size_t size)
{
    const one_hot_attributes *attributes = given;
    snprintf(text, size, "%lld", (long long)attributes->depth);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const struct {
        weft_shape shape;
        weft_one_hot_options options;
    } cases[] = {
        {{1, {7}}, {.depth = 5}},
        {{2, {3, 4}}, {.depth = 37, .on = 0.9, .off = 0.1 / 36}},
        {{0}, {.depth = 3, .off = -1}},
        {{1, {301}}, {.depth = 99, .on = 2}},
    };
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    /* some indices name nothing, but not the only one */
    int32_t below = (int32_t)cases[index].options.depth + (cases[index].shape.rank > 0);
    weft_value indices = weft_sampler_labels(sampler, cases[index].shape, below);
    weft_sampler_output(sampler, weft_one_hot(indices, &cases[index].options));
    return true;
}

const weft_op weft_one_hot_op = {
    .name = "one_hot",
    .summary = "on at each index along a new last dimension, else off",
    .shapes = "indices [..] int32 -> [..,depth]",
    .parameters = "depth, on, off",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_NO_GRADIENT,
    .infer = infer,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .label = label,
    .sample = sample,
};

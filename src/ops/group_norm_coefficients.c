/* Group normalization as the compiler sees it when it fuses: what is computed for each sample's channels, and an
 * elementwise map (normalize.c) with those numbers:
 *
 *     mean, variance, center, slope, shift = group_norm_coefficients(x, gamma, beta)
 *     y = (x - center) * slope + shift
 *
 * Rows, which a kernel takes one by one and twice while they are in the cache, stay as they are. */
#include "base/error.h"
#include "graph/fusion.h"
#include "ops/group_norm.h"
#include "ops/map.h"
#include "ops/ops.h"

enum { X, GAMMA, BETA, INPUTS };
enum { MEAN, VARIANCE, CENTER, SLOPE, SHIFT, OUTPUTS };

static bool infer(weft_infer *infer)
{
    const weft_group_norm_attributes *attributes = infer->attributes;
    weft_shape x = infer->shape[X], statistic = weft_group_norm_statistic(attributes, x);
    for (int d = attributes->first; d < x.rank - 1; d++)
        x.extent[d] = 1;
    for (int i = 0; i < OUTPUTS; i++)
        infer->out_shape[i] = i < CENTER ? statistic : x;
    return true;
}

static bool bind(weft_bind *bind)
{
    const weft_tensor *image = &bind->input[X];
    weft_group_norm_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    weft_group_norm_args_of(bind->attributes, &image, 1, args); /* as `applies` has found */
    args->mean = INPUTS + MEAN;
    args->variance = INPUTS + VARIANCE;
    args->workspace = INPUTS + OUTPUTS;
    args->coefficient[WEFT_GROUP_NORM_CENTER].slot = INPUTS + CENTER;
    args->coefficient[WEFT_GROUP_NORM_SLOPE].slot = INPUTS + SLOPE;
    args->coefficient[WEFT_GROUP_NORM_SHIFT].slot = INPUTS + SHIFT;
    args->coefficient_step = args->channels;
    weft_bind_workspace(bind, (size_t)args->parameters_at * sizeof(float));
    const weft_group_norm_kernels *kernels = weft_group_norm_table();
    weft_bind_phase(bind, kernels->forward_sums, args->samples * args->blocks);
    weft_bind_phase(bind, kernels->forward_finish, args->samples);
    return true;
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = 5 * (double)weft_tensor_elements(&bind->input[X]);
    cost->bytes = weft_bind_bytes(bind);
}

const weft_op weft_group_norm_coefficients_op = {
    .name = "group_norm_coefficients",
    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .infer = infer,
    .bind = bind,
    .cost = cost,
    .label = weft_group_norm_label,
};

/* Outputs of the node that is replaced. */
enum { Y, OF_MEAN, OF_VARIANCE };

/* True where the kernel takes the operands. */
static bool applies(const weft_bind *bind)
{
    const weft_group_norm_attributes *attributes = bind->attributes;
    const weft_tensor *image = &bind->input[X];
    weft_group_norm_args args;
    return attributes->groups && weft_tensor_dense(&bind->input[GAMMA]) &&
           weft_tensor_dense(&bind->input[BETA]) && weft_tensor_dense(&bind->output[OF_MEAN]) &&
           weft_tensor_dense(&bind->output[OF_VARIANCE]) &&
           weft_group_norm_args_of(attributes, &image, 1, &args);
}

weft_status weft_group_norm_expand(weft_expansion *expansion, const weft_bind *bind)
{
    const weft_group_norm_attributes *attributes = bind->attributes;
    if (!applies(bind))
        return WEFT_OK;
    weft_tensor rows = bind->input[X];
    for (int d = attributes->first; d < rows.rank - 1; d++)
        rows.extent[d] = 1;
    weft_expand_call call = {.op = &weft_group_norm_coefficients_op,
                             .attributes = attributes,
                             .attribute_bytes = sizeof(*attributes),
                             .inputs = INPUTS,
                             .input = {X, GAMMA, BETA},
                             .outputs = OUTPUTS,
                             .like = {&rows, &rows, &rows, &rows, &rows},
                             .as = {OF_MEAN, OF_VARIANCE, -1, -1, -1}};
    int first;
    WEFT_TRY(weft_expand_node(expansion, &call, &first));
    return weft_map_expand(expansion, &weft_normalize_op, WEFT_MAP_NORMALIZE,
                           (int[]){X, first + CENTER, first + SLOPE, first + SHIFT}, Y, NULL,
                           &first);
}

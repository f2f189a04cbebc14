/* Batch normalization and its gradient as the compiler sees them when it fuses: what is computed for each
 * channel, from sums over all pixels, and elementwise maps (normalize.c) with those numbers.
 *
 *     mean, variance, slope, shift = batch_norm_coefficients(x, gamma, beta, running mean and variance)
 *     y = (x - mean) * slope + shift
 *
 *     dgamma, dbeta, scale, slope, shift = batch_norm_gradient_coefficients(dy, x, gamma, mean, variance)
 *     dx = scale * dy + (x - mean) * slope + shift          (in infer mode: scale * dy)
 *
 * The formulas are those of batch_norm.c and batch_norm_gradient.c. */
#include "base/error.h"
#include "graph/fusion.h"
#include "ops/batch_norm.h"
#include "ops/bind_plan.h"
#include "ops/map.h"
#include "ops/ops.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, INPUTS };
enum { MEAN, VARIANCE, SLOPE, SHIFT, OUTPUTS };

static void set(weft_bind *bind, weft_batch_norm_args *args, weft_batch_norm_number number,
                int operand)
{
    args->at[number] = (weft_batch_norm_place){weft_bind_slot(bind, operand), 0};
}

static weft_batch_norm_args *begin(weft_bind *bind, const weft_tensor *image, int gamma)
{
    weft_batch_norm_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return NULL;
    args->channels = image->extent[image->rank - 1];
    args->pixels.count = weft_tensor_elements(image) / args->channels;
    args->epsilon = ((const weft_batch_norm_attributes *)bind->attributes)->epsilon;
    set(bind, args, WEFT_BATCH_NORM_GAMMA, gamma);
    return args;
}

static void end(weft_bind *bind, weft_batch_norm_args *args, const weft_partial *partial,
                weft_piece_fn *run)
{
    if (partial) {
        args->blocks = partial->parts;
        args->at[WEFT_BATCH_NORM_SUMS] = (weft_batch_norm_place){partial->slot, partial->offset};
    }
    weft_bind_phase(bind, run, weft_batch_norm_finish_pieces(args));
}

/* ---- Forward ---- */

static bool infer(weft_infer *infer)
{
    weft_shape channels = infer->shape[GAMMA];
    for (int i = BETA; i < INPUTS; i++)
        if (!weft_batch_norm_infer_vector(infer, i, "operand", infer->shape[X]))
            return false;
    for (int i = 0; i < OUTPUTS; i++)
        infer->out_shape[i] = channels;
    return true;
}

static bool reduce(const weft_bind *bind, weft_reduction *reduction)
{
    *reduction = (weft_reduction){.kind = WEFT_CHANNEL_STATISTICS, .input = {X, X, X}};
    return weft_batch_norm_trains(bind->attributes, bind->mode);
}

static bool bind_coefficients(weft_bind *bind, const weft_partial *partial)
{
    weft_batch_norm_args *args = begin(bind, &bind->input[X], GAMMA);
    if (!args)
        return false;
    set(bind, args, WEFT_BATCH_NORM_BETA, BETA);
    set(bind, args, WEFT_BATCH_NORM_RUNNING_MEAN, RUNNING_MEAN);
    set(bind, args, WEFT_BATCH_NORM_RUNNING_VARIANCE, RUNNING_VARIANCE);
    set(bind, args, WEFT_BATCH_NORM_MEAN, INPUTS + MEAN);
    set(bind, args, WEFT_BATCH_NORM_VARIANCE, INPUTS + VARIANCE);
    set(bind, args, WEFT_BATCH_NORM_SLOPE, INPUTS + SLOPE);
    set(bind, args, WEFT_BATCH_NORM_SHIFT, INPUTS + SHIFT);
    const weft_batch_norm_kernels *kernels = weft_batch_norm_table();
    end(bind, args, partial, partial ? kernels->forward_finish : kernels->forward_running);
    return true;
}

static bool bind_running(weft_bind *bind)
{
    return !weft_batch_norm_trains(bind->attributes, bind->mode) && bind_coefficients(bind, NULL);
}

static const weft_fusion fusion = {.reduce = reduce, .finish = bind_coefficients};

const weft_op weft_batch_norm_coefficients_op = {
    .name = "batch_norm_coefficients",
    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .infer = infer,
    .bind = bind_running,
    .fusion = &fusion,
    .label = weft_batch_norm_label,
};

weft_status weft_batch_norm_expand(weft_expansion *expansion, const weft_bind *bind)
{
    enum { FIRST_OUTPUT = INPUTS }; /* y, mean, variance by number */
    const weft_tensor *channels = &bind->input[GAMMA];
    weft_expand_call call = {.op = &weft_batch_norm_coefficients_op,
                             .attributes = bind->attributes,
                             .attribute_bytes = sizeof(weft_batch_norm_attributes),
                             .inputs = INPUTS,
                             .input = {X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE},
                             .outputs = OUTPUTS,
                             .like = {channels, channels, channels, channels},
                             .as = {1, 2, -1, -1}};
    if (!weft_batch_norm_trains(bind->attributes, bind->mode))
        call.input[X] = GAMMA; /* x is not read: the coefficients must not wait for it */
    int first;
    WEFT_TRY(weft_expand_node(expansion, &call, &first));
    return weft_map_expand(expansion, &weft_normalize_op, WEFT_MAP_NORMALIZE,
                           (int[]){X, first + MEAN, first + SLOPE, first + SHIFT}, 0, NULL, &first);
}

/* ---- Backward ---- */

enum { DY, OF_X, OF_GAMMA, OF_MEAN, OF_VARIANCE, GRADIENT_INPUTS };
enum { DGAMMA, DBETA, SCALE, DX_SLOPE, DX_SHIFT, GRADIENT_OUTPUTS };

static bool infer_gradient(weft_infer *infer)
{
    for (int i = OF_GAMMA; i < GRADIENT_INPUTS; i++)
        if (!weft_batch_norm_infer_vector(infer, i, "operand", infer->shape[OF_X]))
            return false;
    for (int i = 0; i < GRADIENT_OUTPUTS; i++)
        infer->out_shape[i] = infer->shape[OF_GAMMA];
    return true;
}

static bool reduce_gradient(const weft_bind *bind, weft_reduction *reduction)
{
    (void)bind;
    *reduction = (weft_reduction){.kind = WEFT_CHANNEL_PRODUCTS, .input = {DY, OF_X, OF_MEAN}};
    return true;
}

static bool finish_gradient(weft_bind *bind, const weft_partial *partial)
{
    weft_batch_norm_args *args = begin(bind, &bind->input[OF_X], OF_GAMMA);
    if (!args)
        return false;
    set(bind, args, WEFT_BATCH_NORM_VARIANCE, OF_VARIANCE);
    set(bind, args, WEFT_BATCH_NORM_DGAMMA, GRADIENT_INPUTS + DGAMMA);
    set(bind, args, WEFT_BATCH_NORM_DBETA, GRADIENT_INPUTS + DBETA);
    set(bind, args, WEFT_BATCH_NORM_SCALE, GRADIENT_INPUTS + SCALE);
    set(bind, args, WEFT_BATCH_NORM_SLOPE, GRADIENT_INPUTS + DX_SLOPE);
    set(bind, args, WEFT_BATCH_NORM_SHIFT, GRADIENT_INPUTS + DX_SHIFT);
    const weft_batch_norm_kernels *kernels = weft_batch_norm_table();
    end(bind, args, partial,
        weft_batch_norm_trains(bind->attributes, bind->mode) ? kernels->backward_finish_train
                                                             : kernels->backward_finish_infer);
    return true;
}

static const weft_fusion gradient_fusion = {.reduce = reduce_gradient, .finish = finish_gradient};

const weft_op weft_batch_norm_gradient_coefficients_op = {
    .name = "batch_norm_gradient_coefficients",
    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = GRADIENT_INPUTS,
    .max_inputs = GRADIENT_INPUTS,
    .outputs = GRADIENT_OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .infer = infer_gradient,
    .fusion = &gradient_fusion,
    .label = weft_batch_norm_label,
};

weft_status weft_batch_norm_gradient_expand(weft_expansion *expansion, const weft_bind *bind)
{
    const weft_tensor *channels = &bind->input[OF_GAMMA];
    weft_expand_call call = {.op = &weft_batch_norm_gradient_coefficients_op,
                             .attributes = bind->attributes,
                             .attribute_bytes = sizeof(weft_batch_norm_attributes),
                             .inputs = GRADIENT_INPUTS,
                             .input = {DY, OF_X, OF_GAMMA, OF_MEAN, OF_VARIANCE},
                             .outputs = GRADIENT_OUTPUTS,
                             .like = {channels, channels, channels, channels, channels},
                             .as = {1, 2, -1, -1, -1}};
    int first, varying;
    /* A single channel would fuse as values of one element do, not as channels. */
    if (channels->extent[0] == 1)
        return WEFT_OK;
    WEFT_TRY(weft_expand_node(expansion, &call, &first));
    if (!weft_batch_norm_trains(bind->attributes, bind->mode))
        return weft_map_expand(expansion, &weft_multiply_op, WEFT_MAP_MULTIPLY,
                               (int[]){DY, first + SCALE}, 0, NULL, &varying);
    WEFT_TRY(weft_map_expand(expansion, &weft_normalize_op, WEFT_MAP_NORMALIZE,
                             (int[]){OF_X, OF_MEAN, first + DX_SLOPE, first + DX_SHIFT}, -1,
                             &bind->input[OF_X], &varying));
    return weft_map_expand(expansion, &weft_add_product_op, WEFT_MAP_ADD_PRODUCT,
                           (int[]){varying, DY, first + SCALE}, 0, NULL, &varying);
}

/* Batch normalization: statistics of each channel over all pixels, and what is done with them. */
#ifndef WEFT_KERNELS_BATCH_NORM_H
#define WEFT_KERNELS_BATCH_NORM_H

#include "kernels/channel_sums.h"
#include "kernels/isa.h"
#include "kernels/pixels.h"

/* Channels of a piece of `sums` at most, and of a piece of `finish`. */
enum { WEFT_BATCH_NORM_SUM_CHANNELS = 256, WEFT_BATCH_NORM_FINISH_CHANNELS = 32 };

/* Where the numbers of each channel are: an operand's slot, and floats from its beginning. */
typedef struct weft_batch_norm_place {
    int slot;
    int64_t offset;
} weft_batch_norm_place;

typedef enum weft_batch_norm_number {
    WEFT_BATCH_NORM_GAMMA,
    WEFT_BATCH_NORM_BETA,
    WEFT_BATCH_NORM_RUNNING_MEAN,
    WEFT_BATCH_NORM_RUNNING_VARIANCE,
    WEFT_BATCH_NORM_MEAN,
    WEFT_BATCH_NORM_VARIANCE,
    WEFT_BATCH_NORM_DGAMMA,
    WEFT_BATCH_NORM_DBETA,
    WEFT_BATCH_NORM_SCALE,
    WEFT_BATCH_NORM_SLOPE,
    WEFT_BATCH_NORM_SHIFT,
    WEFT_BATCH_NORM_SUMS, /* the parts, see channel_sums.h */
    WEFT_BATCH_NORM_NUMBERS
} weft_batch_norm_number;

/* Pixels are summed in blocks: a piece of `sums` is one block of pixels of one block of channels, and a
 * part of channel_sums.h. `finish` adds the parts up in order, in double, and makes coefficients for each
 * channel of them, with which `apply` writes every pixel. Without sums there are no blocks. */
typedef struct weft_batch_norm_args {
    weft_pixels pixels; /* operands: x, y forward; dy, x, dx backward */
    int64_t channels;
    double epsilon;
    int64_t block_pixels, blocks;
    int64_t block_channels, channel_blocks;
    int64_t apply_pixels; /* a piece of apply */
    weft_batch_norm_place at[WEFT_BATCH_NORM_NUMBERS];
} weft_batch_norm_args;

static inline int64_t weft_batch_norm_finish_pieces(const weft_batch_norm_args *args)
{
    return (args->channels + WEFT_BATCH_NORM_FINISH_CHANNELS - 1) / WEFT_BATCH_NORM_FINISH_CHANNELS;
}

/* Forward; operands x, gamma, beta, running mean, running variance | y, mean, variance.
 *   train: forward_sums, forward_finish, forward_apply
 *   infer: forward_running, forward_apply
 * Statistics are merged as Chan, Golub and LeVeque have it (1979, "Updating formulae and a pairwise
 * algorithm for computing sample variances").
 *
 * Backward; operands dy, x, gamma, mean, variance | dx, dgamma, dbeta.
 *   train: backward_sums, backward_finish_train, backward_apply_train
 *   infer: backward_sums, backward_finish_infer, backward_apply_infer
 *
 * finish and running only use channels, pixels.count, epsilon, blocks and at. */
typedef struct weft_batch_norm_kernels {
    weft_piece_fn *forward_sums, *forward_finish, *forward_running, *forward_apply;
    weft_piece_fn *backward_sums, *backward_finish_train, *backward_finish_infer;
    weft_piece_fn *backward_apply_train, *backward_apply_infer;
} weft_batch_norm_kernels;

WEFT_ISA_DECLARE(weft_batch_norm_kernels, weft_batch_norm_table);

#endif

/* Batch normalization: statistics of each channel over all pixels, and what is done with them. */
#ifndef WEFT_KERNELS_BATCH_NORM_H
#define WEFT_KERNELS_BATCH_NORM_H

#include "kernels/isa.h"
#include "kernels/pixels.h"

/* Channels of a piece of `sums` at most, and of a piece of `finish`. */
enum { WEFT_BATCH_NORM_SUM_CHANNELS = 256, WEFT_BATCH_NORM_FINISH_CHANNELS = 32 };

/* Pixels are summed in blocks: a piece of `sums` is one block of pixels of one block of channels. Each
 * leaves up to three numbers a channel in the workspace; `finish` adds them up in the order of the
 * blocks, in double, and makes coefficients for each channel of them, with which `apply` writes every
 * pixel. Without sums there are no blocks.
 *
 * Workspace, in floats: [blocks][3][channels], then the coefficients, [3][channels]. */
typedef struct weft_batch_norm_args {
    weft_pixels pixels; /* operands: x, y forward; dy, x, dx backward */
    int64_t channels;
    double epsilon;
    int64_t block_pixels, blocks;
    int64_t block_channels, channel_blocks;
    int64_t apply_pixels; /* a piece of apply */
} weft_batch_norm_args;

/* Floats of workspace. */
static inline int64_t weft_batch_norm_workspace(const weft_batch_norm_args *args)
{
    return 3 * (args->blocks + 1) * args->channels;
}

/* Forward; operands x, gamma, beta, running mean, running variance | y, mean, variance.
 *   train: forward_sums, forward_finish, forward_apply
 *   infer: forward_running, forward_apply
 * A block's numbers are its mean, nearly, and the sums of differences from that number and of their
 * squares. They are merged as Chan, Golub and LeVeque have it (1979, "Updating formulae and a pairwise
 * algorithm for computing sample variances").
 *
 * Backward; operands dy, x, gamma, mean, variance | dx, dgamma, dbeta.
 *   train: backward_sums, backward_finish_train, backward_apply_train
 *   infer: backward_sums, backward_finish_infer, backward_apply_infer
 * The numbers are sums of dy and of dy * (x - mean). */
typedef struct weft_batch_norm_kernels {
    weft_piece_fn *forward_sums, *forward_finish, *forward_running, *forward_apply;
    weft_piece_fn *backward_sums, *backward_finish_train, *backward_finish_infer;
    weft_piece_fn *backward_apply_train, *backward_apply_infer;
} weft_batch_norm_kernels;

WEFT_ISA_DECLARE(weft_batch_norm_kernels, weft_batch_norm_table);

#endif

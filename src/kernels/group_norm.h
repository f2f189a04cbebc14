/* Normalization within each sample: by the statistics of groups of channels over all pixels of a sample, or
 * by those of rows of elements. */
#ifndef WEFT_KERNELS_GROUP_NORM_H
#define WEFT_KERNELS_GROUP_NORM_H

#include "kernels/isa.h"
#include "kernels/pixels.h"

/* y = scale * a + (b - center) * slope + shift. */
enum {
    WEFT_GROUP_NORM_CENTER,
    WEFT_GROUP_NORM_SLOPE,
    WEFT_GROUP_NORM_SHIFT,
    WEFT_GROUP_NORM_SCALE, /* backward only */
    WEFT_GROUP_NORM_COEFFICIENTS
};

/* Groups of channels. Each sample's pixels are summed in blocks (a piece of `sums`, and a part of
 * channel_sums.h); `finish` merges a sample's parts in order, in double, and makes coefficients for each of
 * its channels, with which `apply` writes the pixels. */
typedef struct weft_group_norm_args {
    weft_pixels
        pixels; /* operands: x, y forward; dy, x, dx backward; the samples follow each other */
    int64_t samples, sample_pixels;
    int64_t groups, group_channels, channels; /* channels: groups * group_channels */
    double epsilon;
    int64_t block_pixels, blocks;       /* of a sample, for sums */
    int64_t apply_pixels, apply_blocks; /* of a sample */
    /* Slots in weft_call.operand. */
    int mean, variance, workspace;
    /* Of each sample's channels: where sample 0's are, and floats to those of the next. */
    struct {
        int slot;
        int64_t offset;
    } coefficient[WEFT_GROUP_NORM_COEFFICIENTS];
    int64_t coefficient_step;
    int64_t sums_at, parameters_at; /* in the workspace, floats from its beginning */
} weft_group_norm_args;

/* Channels of a piece of `backward_merge`. */
enum { WEFT_GROUP_NORM_MERGE_CHANNELS = 64 };

/* Forward; operands x, gamma, beta | y, mean, variance | workspace. Phases, and their pieces:
 *   forward_sums (samples * blocks), forward_finish (samples), forward_apply (samples * apply_blocks)
 * The first two take other outputs, as long as the arguments say where they are: the coefficients.
 * Backward; operands dy, x, gamma, mean, variance | dx, dgamma, dbeta | workspace:
 *   backward_center (samples), backward_sums (samples * blocks), backward_finish (samples), backward_merge
 *   (channels / 64, rounded up), backward_apply (samples * apply_blocks) */
typedef struct weft_group_norm_kernels {
    weft_piece_fn *forward_sums, *forward_finish, *forward_apply;
    weft_piece_fn *backward_center, *backward_sums, *backward_finish, *backward_merge;
    weft_piece_fn *backward_apply;
} weft_group_norm_kernels;

WEFT_ISA_DECLARE(weft_group_norm_kernels, weft_group_norm_table);

/* Rows. */
typedef struct weft_row_norm_args {
    weft_pixels rows; /* operands as above; a row's elements are next to each other */
    int64_t elements; /* of a row */
    double epsilon;
    int64_t piece_rows, pieces;
} weft_row_norm_args;

/* Elements of a row in a piece of `merge`. */
enum { WEFT_ROW_NORM_MERGE_ELEMENTS = 256 };

/* Forward; operands x, gamma, beta | y, mean, variance: forward (pieces).
 * Backward; operands dy, x, gamma, mean, variance | dx, dgamma, dbeta | workspace of two rows for each piece:
 *   backward (pieces), merge (elements / 256, rounded up) */
typedef struct weft_row_norm_kernels {
    weft_piece_fn *forward, *backward, *merge;
} weft_row_norm_kernels;

WEFT_ISA_DECLARE(weft_row_norm_kernels, weft_row_norm_table);

#endif

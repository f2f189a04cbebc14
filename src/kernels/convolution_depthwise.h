/* Depthwise convolution, one filter a channel: vectors run over channels, and all is bound by loads. And convolution in
 * groups of so few channels, as many of x as of y, that a vector holds whole groups: for each channel of a group, its
 * pixels are spread over the lanes of the group, and the filter [taps] [channel of the group] [channels] is read as
 * that of a depthwise convolution is, one row for each. The input gradient reads a filter of which the channels of
 * each group have changed places, which a phase of its own prepares.
 *
 * "a" is the array that is read (x; dy for the input gradient), "c" the one that is written; for the
 * filter gradient a is x, b is dy, and c is dw. */
#ifndef WEFT_KERNELS_CONVOLUTION_DEPTHWISE_H
#define WEFT_KERNELS_CONVOLUTION_DEPTHWISE_H

#include "kernels/convolution_taps.h"
#include "kernels/isa.h"
#include "kernels/merge.h"
#include "kernels/plan.h"

typedef struct weft_depthwise {
    weft_merge merge; /* filter gradient: of the ranges' copies of dw */
    weft_slots slots;
    const struct weft_epilogue *epilogue;     /* of c; NULL: none; a range is a part */
    const struct weft_finish_slots *prologue; /* of x; NULL: none */
    bool gradient, flip, bias;
    int64_t batch, channels;
    int64_t group; /* channels of a group: 1, or 2, 4 or 8, as far as a vector has so many lanes */
    weft_dimension dimension[3];      /* filter gradient: in is of x, out of dy */
    int64_t a_stride[4], c_stride[4]; /* filter gradient: c_stride is of dy */
    int64_t phases[3], blocks[3];     /* of dimension; a block has a position of each phase */
    int64_t channel_block, channel_blocks;
    int64_t ranges; /* of rows; filter gradient: each sums into its own copy of dw */
    bool
        far; /* c exceeds half of the second-level cache: its rows are fetched before they are written */
} weft_depthwise;

enum {
    WEFT_DEPTHWISE_SUMS = 3
}; /* rows of taps, and taps of a row, of which sums fit the registers */

/* Whether the filter gradient keeps its sums in registers. */
static inline bool weft_depthwise_has_sums(const weft_depthwise *d)
{
    const weft_dimension *height = &d->dimension[1], *width = &d->dimension[2];
    return d->dimension[0].kernel == 1 && height->kernel == WEFT_DEPTHWISE_SUMS &&
           width->kernel == WEFT_DEPTHWISE_SUMS && height->dilation == 1 && width->dilation == 1 &&
           width->stride <= 2;
}

typedef struct weft_depthwise_kernels {
    weft_piece_fn *run;    /* forward and input gradient */
    weft_piece_fn *filter; /* filter gradient, into the workspace */
    weft_piece_fn *swap;   /* the filter for the input gradient in groups: a piece is a tap */
} weft_depthwise_kernels;

WEFT_ISA_DECLARE(weft_depthwise_kernels, weft_convolution_depthwise);

#endif

/* Winograd convolution, forward and input gradient: what the planner tells the pieces.
 *
 * "a" is the array that is read, "b" the filter, "c" the array that is written, as in
 * convolution_direct.h: the input gradient is the same with flipped filters and transposed channels. A piece
 * computes a group of tiles for a block of filters. For each block of channels it has the transformed pixels
 * and the transformed filters of all positions, multiplies them position by position, and adds to sums that
 * stay on the stack, in the second-level cache; at last it transforms the sums to pixels of c.
 *
 * Each of the two factors is transformed either by the piece itself, onto its stack, or ahead: by a phase
 * of its own, block by block: filters into what is prepared (see kernels/plan.h), pixels into the workspace.
 * With few channels and many pixels filters are worth transforming ahead, with many channels and few pixels
 * the pixels. With as few as WEFT_WINOGRAD_FEW, tiles are multiplied by one vector of filters after the other, and the
 * sums transformed at once (convolution_winograd_few.h). */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_H

#include "kernels/convolution_winograd_blocks.h"
#include "kernels/isa.h"
#include "kernels/plan.h"

typedef struct weft_winograd {
    weft_slots slots;
    const struct weft_epilogue *epilogue; /* of c; NULL: none; a group is a part */
    bool steady;                          /* filters made ahead are the same in many runs */
    bool flip, bias;
    int64_t channels, filters;
    weft_winograd_grid grid; /* of c */
    weft_winograd_image a, c;
    weft_winograd_blocks blocks;        /* where the stride is larger than 1: what a is made of */
    int64_t b_tap, b_channel, b_filter; /* b_channel or b_filter is 1 */

    /* Blocking, chosen by the planner. */
    int64_t group, groups; /* tiles of a piece */
    int64_t channel_block, channel_blocks;
    int64_t filter_vectors; /* vectors of filters of a piece */
    int64_t filter_blocks;
    int64_t vectors; /* most vectors of a register tile */
    bool pixels_ahead, filters_ahead;
    bool groups_first; /* neighbouring pieces are blocks of filters of one group */
    bool few;          /* filters are made ahead, pixels not; there are no sums */
    /* Floats between positions of a block of pixels, of filters and of the sums, and of whole blocks. */
    int64_t pixels_position, filters_position, sums_position;
    int64_t pixels_block, filters_block, sums_block;
    int64_t pixels_step;    /* floats between tiles of a block of pixels */
    int64_t filters_vector; /* floats between vectors of filters, if few */
    int64_t filters_floats; /* of all blocks of filters that are made ahead */
} weft_winograd;

enum {
    WEFT_WINOGRAD_STACK = 116 * 1024, /* floats */
    WEFT_WINOGRAD_STAY = 128 * 1024,  /* floats of filters that the second-level cache keeps */
    WEFT_WINOGRAD_FEW = 16            /* channels that are few, at most */
};

/* Floats between tiles of few channels: a constant in kernels, for addresses without registers of their own. */
static inline int64_t weft_winograd_few_step(int64_t positions)
{
    return weft_winograd_spread(positions * WEFT_WINOGRAD_FEW);
}

/* The workspace has pixels that are made ahead, then blocks. */
typedef struct weft_winograd_kernels {
    weft_piece_fn
        *filters; /* one block of filters: filter block by filter block, channel blocks within */
    weft_piece_fn *pixels; /* one block of pixels: group by group, channel blocks within */
    weft_piece_fn *blocks;
    weft_piece_fn *run;
} weft_winograd_kernels;

/* For tiles of 2 x 2 and 4 x 4 with filters of 3 x 3, of 3 x 3 with filters of 4 x 4, and of 2 x 2 with filters of
 * 5 x 5; in one dimension for tiles of 4 with 3 taps and of 3 with 7. */
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_2x2);
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_4x4);
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_3x3_of_4x4);
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_2x2_of_5x5);
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_4_of_3);
WEFT_ISA_DECLARE(weft_winograd_kernels, weft_winograd_3_of_7);

#endif

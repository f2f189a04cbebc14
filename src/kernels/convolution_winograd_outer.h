/* Winograd's filter gradient: what the planner tells the pieces.
 *
 * A piece holds the sums of all positions for a block of channels (of x) and a block of filters (of dy) on
 * its stack, in the second-level cache. It walks through groups of tiles: transforms the pixels of both
 * arrays, or reads them where phases of their own have transformed them ahead into the workspace, and adds
 * the products, a matrix for each position. At last it transforms the sums to the taps. Where blocks alone
 * are too few pieces, the groups are cut into splits, each with its own copy of dw, which a last phase
 * adds, in order. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_OUTER_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_OUTER_H

#include "kernels/convolution_winograd_blocks.h"
#include "kernels/isa.h"
#include "kernels/merge.h"
#include "kernels/plan.h"

typedef struct weft_winograd_outer {
    weft_merge merge; /* first: the last phase reads nothing else */
    weft_slots slots;
    bool flip;
    weft_winograd_grid grid; /* of y */
    weft_winograd_image x, y;
    weft_winograd_blocks blocks; /* where the stride is larger than 1: what x is made of */

    /* Blocking, chosen by the planner. */
    int64_t group, groups; /* tiles of a step of the walk */
    int64_t channel_vectors, channel_blocks;
    int64_t filter_vectors, filter_blocks;
    int64_t vectors; /* most vectors of a register tile */
    int64_t splits;
    bool x_ahead, y_ahead;
    /* Floats between positions of a block of x, of y and of the sums, and of whole blocks. */
    int64_t x_position, y_position, sums_position;
    int64_t x_block, y_block, sums_block;
    int64_t x_floats, y_floats; /* of the workspace: copies of dw come first, then x, y, blocks */
} weft_winograd_outer;

enum { WEFT_WINOGRAD_OUTER_STACK = 124 * 1024 /* floats */ };

typedef struct weft_winograd_outer_kernels {
    weft_piece_fn *x, *y; /* one block: group by group, blocks of channels or filters within */
    weft_piece_fn *blocks;
    weft_piece_fn *run;
} weft_winograd_outer_kernels;

/* For tiles of 2 x 2 and 4 x 4 with filters of 3 x 3, of 3 x 3 with filters of 4 x 4, and of 2 x 2 with filters of
 * 5 x 5; in one dimension for tiles of 4 with 3 taps and of 3 with 7. */
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_2x2);
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_4x4);
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_3x3_of_4x4);
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_2x2_of_5x5);
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_4_of_3);
WEFT_ISA_DECLARE(weft_winograd_outer_kernels, weft_winograd_outer_3_of_7);

#endif

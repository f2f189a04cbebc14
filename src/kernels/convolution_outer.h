/* Filter gradient by register tiles of input channels x output channels: what the planner tells the
 * pieces. It also serves matrix products with a transposed first factor.
 *
 * "a" is x, "b" is dy, "c" is dw; the reduction runs over pixels. A piece holds a block of c: some rows
 * of taps, a block of channels (of a) and a block of filters (of b). It walks over its pixels in chunks,
 * copies each chunk of b into a panel on the stack, unless few tiles read it, and reads a in place, where a border
 * only shortens the runs of pixels, or copies it, too. Meanwhile the tiles fetch the next chunk into the second-level
 * cache. Where blocks alone are too few pieces, the pixels are cut into splits: each sums into its own copy of c in the
 * workspace, and a second phase adds the copies, in order. */
#ifndef WEFT_KERNELS_CONVOLUTION_OUTER_H
#define WEFT_KERNELS_CONVOLUTION_OUTER_H

#include "kernels/convolution_taps.h"
#include "kernels/matmul_tile.h"
#include "kernels/merge.h"
#include "kernels/plan.h"

/* Strides of c or of one copy of it, in elements: between taps, channels and groups. Filters are
 * contiguous. */
typedef struct weft_outer_strides {
    int64_t tap, channel, group;
} weft_outer_strides;

typedef struct weft_outer {
    weft_merge
        merge; /* first: the last phase reads nothing else; c as rows of contiguous elements */
    weft_slots slots;
    const struct weft_finish_slots *prologue; /* of a; NULL: none */
    bool flip, bias;
    int64_t batch, groups, channels, filters; /* channels and filters of one group */
    weft_dimension dimension[3];              /* in: extents of a, out: extents of b */
    int64_t a_stride[4], a_group;
    int64_t b_stride[4], b_filter, b_group; /* b_filter, or b_stride[3] with a batch of 1, is 1 */
    weft_outer_strides c, copy;

    /* Blocking, chosen by weft_outer_plan. */
    int64_t splits;
    int64_t tap_row_block, tap_row_blocks; /* rows of taps (of one d and h) of a piece */
    int64_t channel_block, channel_blocks;
    int64_t filter_block, filter_blocks;
    int64_t vectors;       /* most vectors of a tile */
    int64_t rows;          /* most rows of a tile */
    int64_t segments;      /* of a row of pixels */
    int64_t segment_chunk; /* segments of a chunk */
    bool in_place;         /* tiles read a itself, unless there is a prologue; if not, a copy */
    bool dy_in_place;      /* tiles read b itself, whose pixels in a chunk follow each other */
    bool merged; /* few channels: the taps of a row and channels are one range of c's rows */
} weft_outer;

enum {
    WEFT_OUTER_PIXELS = 256, /* of a chunk, at most */
    WEFT_OUTER_FILTER_PANEL = 32 * 1024,
    WEFT_OUTER_INPUT_PANEL = 40 * 1024
};

typedef struct weft_outer_kernels {
    weft_piece_fn *run;
} weft_outer_kernels;

WEFT_ISA_DECLARE(weft_outer_kernels, weft_convolution_outer);

/* Chooses the blocking of what is otherwise filled in; writes phases, args, workspace and cycles. */
void weft_outer_plan(weft_outer *outer, weft_kernel_plan *plan);

#endif

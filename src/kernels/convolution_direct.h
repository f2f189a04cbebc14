/* Direct convolution by register tiles of pixels x output channels: what the planner tells the pieces.
 * It also serves matrix product, a convolution with one tap over one row of pixels.
 *
 * "a" is the array that is read (x, or dy for the input gradient), "b" the filter, "c" the array that is
 * written; "channels" are those summed over, "filters" those of c, both of one group. A piece computes
 * a range of tiles for one block of filters. It reads a in place, or through a small panel where a border
 * forbids that; where a row of taps has few channels, as an image has, a band of several rows is copied with
 * its borders, and all tiles of it follow one list of steps. The filter comes from panels, chunk by chunk of
 * the reduction: either packed by the piece itself, on the stack, where a panel stays in the second-level
 * cache, or prepared, all of them, by a phase of its own. That pays where the filter stays the same, or
 * several ranges read a panel. */
#ifndef WEFT_KERNELS_CONVOLUTION_DIRECT_H
#define WEFT_KERNELS_CONVOLUTION_DIRECT_H

#include "kernels/convolution_taps.h"
#include "kernels/matmul_tile.h"
#include "kernels/plan.h"

typedef struct weft_direct {
    weft_slots slots;
    const struct weft_epilogue *epilogue; /* of c; NULL: none */
    const struct weft_finish_slots
        *prologue;   /* of a, which is then read through a copy; NULL: none */
    bool rows_go_on; /* in c and in all that the epilogue reads and writes, along H */
    bool gradient;   /* taps of the input gradient, one phase a remainder of the stride */
    bool flip, bias;
    int64_t batch, groups, channels, filters;
    weft_dimension dimension[3];
    int64_t a_stride[4], a_group; /* a_group, b_group, c_group: from one group to the next */
    int64_t c_stride[4], c_group, bias_group;
    int64_t b_tap, b_channel, b_filter, b_group; /* b_channel or b_filter is 1 */
    bool steady;                                 /* see weft_convolution_problem */

    /* Blocking, chosen by weft_direct_block. */
    int64_t phases[3];    /* of each dimension */
    int64_t images;       /* 1, or 2: a tile takes the same row of two images */
    int64_t tile;         /* most pixels of one image in a tile */
    int64_t vectors;      /* most vectors of a tile */
    int64_t filter_block; /* filters of a piece */
    int64_t filter_blocks;
    int64_t channel_block; /* channels of a chunk of the reduction */
    int64_t tap_row_block; /* rows of taps of a chunk */
    int64_t tap_block;     /* taps of a row in a chunk */
    int64_t band; /* tiles of a row that read one copy, with its borders; 0: each tile by itself */
    int64_t band_rows; /* rows that do; 1 if they are longer than a band */
    int64_t ranges;    /* of tiles */
    bool filters_far;  /* in inference: panels come from memory; tiles fetch the one that is next */
    bool by_ranges;    /* pieces are numbered by range, then block; else the other way round */
    bool packed;       /* panels are prepared */
    int64_t panel_groups; /* groups with panels of their own: all, or 1 where they share b */
    int64_t chunks;       /* most of a block; the pieces that pack it */
} weft_direct;

enum {
    WEFT_DIRECT_FILTER_PANEL = 80 * 1024, /* floats on the stack */
    WEFT_DIRECT_INPUT_PANEL = 16 * 1024,  /* of pixels; and what may lie between them: */
    WEFT_DIRECT_INPUT_SPREAD = WEFT_DIRECT_INPUT_PANEL / 16 + 512,
    WEFT_DIRECT_RUNS = 256,
    WEFT_DIRECT_BAND = 4096, /* floats of a band: a part of the first-level cache */
    WEFT_DIRECT_STEPS = 256  /* of the reduction, if it reads bands */
};

typedef struct weft_direct_kernels {
    weft_piece_fn *run, *pack;
} weft_direct_kernels;

WEFT_ISA_DECLARE(weft_direct_kernels, weft_convolution_direct);

/* Chooses the blocking of what is otherwise filled in; writes phases, args and cycles of the plan. */
void weft_direct_plan(weft_direct *direct, weft_kernel_plan *plan);

#endif

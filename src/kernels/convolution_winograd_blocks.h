/* Blocks of pixels as pixels of more channels, which Winograd's strided forms read: what the planner tells the pieces.
 *
 * With t the stride, block (i, j) has the pixels (t i + a - pad[0], t j + b - pad[1]) of x, a and b from 0 to t - 1,
 * one after the other, row by row; 0 outside of x. See convolution_winograd_grid.h. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCKS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCKS_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/plan.h"

typedef struct weft_winograd_blocks {
    int from, to; /* operands */
    int64_t batch, stride;
    weft_winograd_image x, blocks;
} weft_winograd_blocks;

/* The blocks that the tiles of y see; they are made in the workspace, from where blocks.at says on. */
static inline weft_winograd_blocks weft_winograd_blocks_of(const weft_convolution_problem *problem,
                                                           const weft_winograd_grid *grid,
                                                           const weft_slots *slots)
{
    weft_winograd_blocks b = {
        .from = slots->input[0],
        .to = slots->workspace,
        .batch = problem->batch,
        .stride = grid->stride,
        .x = weft_winograd_image_of(problem->in, problem->x_stride, problem->in_channels),
        .blocks = {.channels = weft_winograd_channels_of(grid)}};
    for (int i = 0; i < 2; i++) {
        b.x.pad[i] = problem->pad[1 + i];
        b.blocks.extent[i] = problem->out[1 + i] + grid->taps[i] - 1;
    }
    const int64_t line = 16; /* floats: a block of few channels lies in one cache line */
    b.blocks.stride[2] = weft_ceiling(b.blocks.channels, line) * line;
    b.blocks.stride[1] = b.blocks.extent[1] * b.blocks.stride[2];
    b.blocks.stride[0] = b.blocks.extent[0] * b.blocks.stride[1];
    return b;
}

static inline int64_t weft_winograd_blocks_floats(const weft_winograd_blocks *b)
{
    return b->batch * b->blocks.stride[0];
}

/* The phase that makes them: a row of blocks is a piece. */
static inline weft_phase weft_winograd_blocks_phase(const weft_winograd_blocks *b,
                                                    weft_piece_fn *run)
{
    return (weft_phase){run, b->batch * b->blocks.extent[0]};
}

/* Measured. */
static inline double weft_winograd_blocks_cycles(const weft_winograd_blocks *b)
{
    const double part = 5, move = 0.5; /* of a row of a block; of a float */
    int64_t blocks = b->batch * b->blocks.extent[0] * b->blocks.extent[1];
    return weft_phase_cycles((double)blocks *
                                 (part * (double)b->stride + move * (double)b->blocks.stride[2]),
                             b->batch * b->blocks.extent[0]);
}

#endif

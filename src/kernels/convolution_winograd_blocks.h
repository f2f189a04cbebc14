/* Blocks of pixels as pixels of more channels, which Winograd's strided forms read: what the planner tells the pieces.
 *
 * With t the stride, block (i, j) has the pixels (t i + a - pad[0], t j + b - pad[1]) of x, a and b from 0 to t - 1,
 * one after the other, row by row; 0 outside of x. See convolution_winograd_grid.h. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCKS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_BLOCKS_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/plan.h"

#include <string.h>

/* Where they come from. */
typedef struct weft_winograd_blocks {
    int from; /* operand */
    int64_t stride;
    weft_winograd_image x;
} weft_winograd_blocks;

static inline weft_winograd_blocks weft_winograd_blocks_of(const weft_convolution_problem *problem,
                                                           int from)
{
    weft_winograd_image x =
        weft_winograd_image_of(problem->in, problem->x_stride, problem->in_channels);
    memcpy(x.pad, &problem->pad[1], sizeof x.pad);
    return (weft_winograd_blocks){from, problem->stride[2], x};
}

/* The blocks that the tiles of y see, as an image. */
static inline weft_winograd_image
weft_winograd_blocks_image(const weft_convolution_problem *problem, const weft_winograd_grid *grid)
{
    const int64_t line = 16; /* floats: a block of few channels lies in one cache line */
    weft_winograd_image b = {.channels = grid->stride * grid->stride * grid->phase_channels};
    for (int i = 0; i < 2; i++)
        b.extent[i] = problem->out[1 + i] + grid->taps[i] - 1;
    b.stride[2] = weft_ceiling(b.channels, line) * line;
    b.stride[1] = b.extent[1] * b.stride[2];
    b.stride[0] = b.extent[0] * b.stride[1];
    return b;
}

static inline int64_t weft_winograd_blocks_floats(const weft_convolution_problem *problem,
                                                  const weft_winograd_image *blocks)
{
    return problem->batch * blocks->stride[0];
}

/* The phase that makes them: a row of blocks is a piece. */
static inline weft_phase weft_winograd_blocks_phase(const weft_convolution_problem *problem,
                                                    const weft_winograd_image *blocks,
                                                    weft_piece_fn *run)
{
    return (weft_phase){run, problem->batch * blocks->extent[0]};
}

/* Measured. */
static inline double weft_winograd_blocks_cycles(const weft_convolution_problem *problem,
                                                 const weft_winograd_image *blocks)
{
    const double part = 5, move = 0.5; /* of a row of a block; of a float */
    int64_t rows = problem->batch * blocks->extent[0];
    return weft_phase_cycles(
        (double)(rows * blocks->extent[1]) *
            (part * (double)problem->stride[2] + move * (double)blocks->stride[2]),
        rows);
}

#endif

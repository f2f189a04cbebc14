/* Winograd's minimal filtering (Winograd 1980; Lavin, Gray 2016) for filters of r x r taps, or of r x 1 and
 * 1 x r: what its forms share.
 *
 * y is cut into tiles of m x m pixels, m being 4 or 2 for r = 3, 3 for r = 4 and 2 for r = 5. A tile of one output
 * channel is
 *
 *     y = At [sum over channels of (G g Gt) * (Bt x B)] A
 *
 * with the s x s pixels x that the tile sees, s = m + r - 1, the filter g, and "*" element by element: s^2
 * multiplications where the definition takes r^2 m^2. For each of the s^2 positions the sum over channels is a
 * matrix product, tiles by filters. The filter gradient of the tile is its adjoint,
 * dg = Gt [sum over tiles of (Bt x B) * (A dy At)] G.
 *
 * In a direction of one tap the matrices are the number 1, and a tile is one pixel: with r taps in the other
 * one, s positions, y = At [sum of (G g) * (Bt x)], for m = 4, r = 3 and m = 3, r = 7.
 * convolution_winograd_lines.h has the matrices and says what they cost in accuracy.
 *
 * A convolution of stride t, k x k taps, is one of stride 1 over the t x t blocks of the padded pixels: a block is one
 * pixel of t^2 times as many channels (phase by phase: phase (a, b) has the pixels and taps at a, b of each block), and
 * r = k / t, rounded up; taps past the k-th are 0. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_GRID_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_GRID_H

#include "kernels/convolution.h"
#include "kernels/integer.h"

enum {
    WEFT_WINOGRAD_CHANNELS = 256
}; /* of a block of them that is transformed at a time, at most */

/* m and r: pixels of a tile and taps of a filter that it sees, in both dimensions or in one of the two. Constants
 * wherever a function of the kernels takes them. */
typedef struct weft_winograd_size {
    int tile, taps, dimensions;
} weft_winograd_size;

/* The tiles of an array, numbered along rows of tiles, then down, then through the batch. */
typedef struct weft_winograd_grid {
    int64_t tile[2], taps[2]; /* pixels of a tile and taps of a filter: H, W */
    int64_t down, across, count;
    int64_t kernel[2], stride; /* of the convolution: taps as they are stored */
    int64_t phase_channels;    /* of the filter: as they are stored */
} weft_winograd_grid;

/* An array of pixels that tiles are read from or written to. Tile (i, j) begins at pixel
 * (i * tile[0] - pad[0], j * tile[1] - pad[1]); pixels outside are 0. */
typedef struct weft_winograd_image {
    int64_t at;                /* floats before it in its operand */
    int64_t extent[2], pad[2]; /* H, W */
    int64_t stride[3];         /* N, H, W */
    int64_t channels;
    const struct weft_finish_slots *prologue; /* of what is read; NULL: none */
} weft_winograd_image;

/* Tiles of what a pass writes, of y in the filter gradient. */
static inline weft_winograd_grid weft_winograd_grid_of(weft_winograd_size size,
                                                       const weft_convolution_problem *problem,
                                                       weft_convolution_pass pass)
{
    bool gradient = pass == WEFT_CONVOLUTION_INPUT_GRADIENT;
    const int64_t *extent = gradient ? &problem->in[1] : &problem->out[1];
    weft_winograd_grid grid = {.kernel = {problem->kernel[1], problem->kernel[2]},
                               .stride = problem->stride[2],
                               .phase_channels =
                                   gradient ? problem->out_channels : problem->in_channels};
    for (int i = 0; i < 2; i++) {
        grid.taps[i] = weft_ceiling(grid.kernel[i], grid.stride);
        grid.tile[i] = size.dimensions == 2 || grid.taps[i] > 1 ? size.tile : 1;
    }
    grid.down = weft_ceiling(extent[0], grid.tile[0]);
    grid.across = weft_ceiling(extent[1], grid.tile[1]);
    grid.count = problem->batch * grid.down * grid.across;
    return grid;
}

/* A tile by its image, and the row and the column of tiles that it lies in. */
typedef struct weft_winograd_tile {
    int64_t image, row, column;
} weft_winograd_tile;

static inline weft_winograd_tile weft_winograd_tile_at(const weft_winograd_grid *grid,
                                                       int64_t index)
{
    int64_t line = index / grid->across;
    return (weft_winograd_tile){line / grid->down, line % grid->down, index % grid->across};
}

static inline void weft_winograd_next_tile(const weft_winograd_grid *grid, weft_winograd_tile *tile)
{
    if (++tile->column < grid->across)
        return;
    tile->column = 0;
    if (++tile->row < grid->down)
        return;
    tile->row = 0;
    tile->image++;
}

/* Positions of a tile. */
static inline int64_t weft_winograd_positions_of(const weft_winograd_grid *grid)
{
    return (grid->tile[0] + grid->taps[0] - 1) * (grid->tile[1] + grid->taps[1] - 1);
}

/* Of each tap that the tiles see in a phase, row by row: its place among the stored ones, counted from the
 * last where flip is set; -1 where there is none. */
static inline void weft_winograd_stored_taps(const weft_winograd_grid *grid, int64_t phase,
                                             bool flip, int64_t *place)
{
    int64_t row = phase / grid->stride, column = phase % grid->stride;
    for (int64_t i = row; i < grid->taps[0] * grid->stride; i += grid->stride)
        for (int64_t j = column; j < grid->taps[1] * grid->stride; j += grid->stride) {
            int64_t at = i * grid->kernel[1] + j;
            bool stored = i < grid->kernel[0] && j < grid->kernel[1];
            *place++ = !stored ? -1 : flip ? grid->kernel[0] * grid->kernel[1] - 1 - at : at;
        }
}

/* x or y of a problem. */
static inline weft_winograd_image weft_winograd_image_of(const int64_t extent[3],
                                                         const int64_t stride[4], int64_t channels)
{
    return (weft_winograd_image){.extent = {extent[1], extent[2]},
                                 .stride = {stride[0], stride[2], stride[3]},
                                 .channels = channels};
}

/* Floats of at least n that fill an odd number of cache lines: blocks that far apart, one for each position
 * of a tile, fall into different sets of the caches. */
static inline int64_t weft_winograd_spread(int64_t n)
{
    const int64_t line = 16;
    return (weft_ceiling(n, line) | 1) * line;
}

/* Cycles of transforming one vector of one tile: of its pixels, of its sums (or of dy), and of one channel of
 * the filter. Measured. */
typedef struct weft_winograd_cycles {
    double pixel, sum, filter;
} weft_winograd_cycles;

static inline weft_winograd_cycles weft_winograd_transform_cycles(const weft_winograd_grid *grid)
{
    switch (weft_winograd_positions_of(grid)) {
    case 6:
        return (weft_winograd_cycles){20, 20, 20};
    case 9:
        return (weft_winograd_cycles){45, 45, 45};
    case 16:
        return (weft_winograd_cycles){70, 80, 60};
    default:
        return (weft_winograd_cycles){170, 220, 120};
    }
}

/* Cycles of writing, or reading, one of so many transformed floats that pass through memory: the last-level cache
 * holds some of them. */
static inline double weft_winograd_move_cycles(double floats)
{
    return floats < 4e6 ? 0.2 : 0.4;
}

/* What a row of few transformed pixels costs in addition, as it comes out of another thread's cache; of many, it
 * comes from farther away, and is fetched ahead. */
static inline double weft_winograd_row_cycles(int64_t floats)
{
    return floats < 1000000 ? 30 : 0;
}

/* Whether a pass of a problem is one for tiles and filters of this size: of stride 1, or of a larger one. */
bool weft_winograd_applicable(const weft_convolution_problem *problem, weft_convolution_pass pass,
                              weft_winograd_size size);
bool weft_winograd_strided_applicable(const weft_convolution_problem *problem,
                                      weft_convolution_pass pass, weft_winograd_size size);

#endif

/* Winograd's minimal filtering (Winograd 1980; Lavin, Gray 2016) for filters of r x r taps, stride 1: what
 * its forms share.
 *
 * y is cut into tiles of m x m pixels, m being 4 or 2 for r = 3, and 2 for r = 5. A tile of one output channel is
 *
 *     y = At [sum over channels of (G g Gt) * (Bt x B)] A
 *
 * with the s x s pixels x that the tile sees, s = m + r - 1, the filter g, and "*" element by element: s^2
 * multiplications where the definition takes r^2 m^2. For each of the s^2 positions the sum over channels is a matrix product, tiles by filters. The filter gradient of the tile is its adjoint,
 * dg = Gt [sum over tiles of (Bt x B) * (A dy At)] G. convolution_winograd_lines.h has the matrices and
 * says what they cost in accuracy. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_GRID_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_GRID_H

#include "kernels/convolution.h"
#include "kernels/integer.h"

/* The tiles of an array, numbered along rows of tiles, then down, then through the batch. */
typedef struct weft_winograd_grid {
    int64_t tile, taps; /* m and r: pixels of a tile and taps of a filter, each way */
    int64_t down, across, count;
} weft_winograd_grid;

/* An array of pixels that tiles are read from or written to. Tile (i, j) begins at pixel
 * (i * m - pad[0], j * m - pad[1]); pixels outside are 0. */
typedef struct weft_winograd_image {
    int64_t extent[2], pad[2]; /* H, W */
    int64_t stride[3];         /* N, H, W */
    int64_t channels;
    const struct weft_finish_slots *prologue; /* of what is read; NULL: none */
} weft_winograd_image;

static inline weft_winograd_grid weft_winograd_grid_of(int64_t tile, int64_t taps, int64_t batch,
                                                       int64_t height, int64_t width)
{
    weft_winograd_grid grid = {.tile = tile,
                               .taps = taps,
                               .down = weft_ceiling(height, tile),
                               .across = weft_ceiling(width, tile)};
    grid.count = batch * grid.down * grid.across;
    return grid;
}

/* Positions of a tile. */
static inline int64_t weft_winograd_positions_of(const weft_winograd_grid *grid)
{
    int64_t span = grid->tile + grid->taps - 1;
    return span * span;
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

/* Whether a problem is one for Winograd with filters of so many taps, each way. */
bool weft_winograd_applicable(const weft_convolution_problem *problem, int64_t taps);

#endif

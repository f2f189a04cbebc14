/* Register tiles: the innermost loops of matrix product and convolution.
 *
 * A tile is `rows` x `vectors` accumulators that stay in registers. For every step k of the reduction it
 * takes one vector row of b and one scalar of a for each row of the tile:
 *
 *     c[i][v] = init[i][v] + sum over runs r, k < run[r].length of a(r, k, i) * b[(run[r].b + k) * b_step + v]
 *
 * There are two kinds of tile, by where the scalars of a lie:
 *     rows:   a(r, k, i) = a[run[r].a + i * a_step + k], k is contiguous (pixels by channels)
 *     outer:  a(r, k, i) = a[run[r].a + k * a_step + i], i is contiguous (filter gradients)
 * For the rows kind b is a packed panel, b_step = vectors * LANES, which need not be set. Where runs would be short,
 * it takes a list of single steps instead: a(k, i) = a[offset[k] + i * a_step] for k < steps, beside row k of b.
 *
 * In the rows kind, the second half of the tile's rows, from row (rows + 1) / 2 on, starts at a + a_half
 * and c + c_half: two short rows of two images, side by side, make one tile. */
#ifndef WEFT_KERNELS_MATMUL_TILE_H
#define WEFT_KERNELS_MATMUL_TILE_H

#include "kernels/isa.h"

#include <stdint.h>

typedef struct weft_tile_run {
    int64_t a; /* offset in elements */
    int64_t b; /* row of the panel */
    int64_t length;
} weft_tile_run;

typedef struct weft_tile {
    const weft_tile_run *run;
    int64_t runs;
    const int64_t *offset; /* NULL: runs */
    int64_t steps;
    const float *a;
    int64_t a_step, a_half;
    /* rows kind: rows ahead_first..ahead_end-1 fetch what lies so far after them into the cache */
    int64_t ahead, ahead_first, ahead_end;
    /* rows kind: every 16 steps of a run fetch so many cache lines, from there on one after the other, that are needed
     * after this tile */
    const float *later;
    int64_t later_lines;
    /* outer kind: every step k fetches one address into the cache, fetch_step after the last */
    const float *fetch;
    int64_t fetch_step;
    const float *b;
    int64_t b_step;
    float *c;
    int64_t c_step, c_half;
    const float *bias; /* initial value of every row of c, or NULL */
    /* The rows kind: of an epilogue. */
    const float *addend;              /* at c's place, or NULL */
    const struct weft_finish *finish; /* its other parts; NULL: none, or not yet */
    int64_t channel;                  /* of the finish, first one of the tile */
    int64_t last;                     /* columns in the last vector, 1..LANES */
    int accumulate;                   /* nonzero: the sum is added to c; bias is not read */
} weft_tile;

typedef void weft_tile_fn(const weft_tile *tile);

enum { WEFT_TILE_ROWS = 14, WEFT_TILE_VECTORS = 4 };

/* What an instruction set has. */
typedef struct weft_tiles {
    int lanes;
    int max_rows[WEFT_TILE_VECTORS + 1]; /* for each number of vectors; 0: no such tile */
    weft_tile_fn *rows[WEFT_TILE_VECTORS + 1][WEFT_TILE_ROWS + 1];
    weft_tile_fn *outer[WEFT_TILE_VECTORS + 1][WEFT_TILE_ROWS + 1];
} weft_tiles;

WEFT_ISA_DECLARE(weft_tiles, weft_matmul_tiles);

/* Cycles that one step k takes on a tile: two multiply-adds and two loads a cycle, no accumulator more
 * often than every four cycles, and half a cycle for the loop. */
static inline double weft_tile_cycles(int64_t rows, int64_t vectors)
{
    double products = 0.5 * (double)(rows * vectors), loads = 0.5 * (double)(rows + vectors);
    double cycles = products > loads ? products : loads;
    return (cycles > 4 ? cycles : 4) + 0.5;
}

#endif

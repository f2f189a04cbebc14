/* Winograd convolution of few channels: the sums of a tile are transformed where they are made, in registers, instead of
 * passing through the second-level cache. For vector kernel files only.
 *
 * Pixels of a tile lie together, position by position, WEFT_WINOGRAD_FEW floats each; so do the transformed taps of a vector of
 * filters, a vector for each channel, which the first-level cache keeps while the tiles pass. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_FEW_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_FEW_H

#include "kernels/convolution_winograd.h"
#include "kernels/convolution_winograd_scatter.h"

enum { FEW_TILES = LANES == 16 ? 4 : 2 };

/* The first `tiles` (a constant) tiles after each other, and one vector of filters. */
typedef struct few_products {
    const float *pixels, *filters;
    int64_t channels, position; /* floats between positions of the filters */
} few_products;

/* Sums of a column of positions, the first of them position j, and At m of it. */
SIMD_INLINE void multiply_column(weft_winograd_size size, int tiles, const few_products *p, int j,
                                 winograd_half *half)
{
    const int span = span_of(size);
    const float *pixels = p->pixels + j * WEFT_WINOGRAD_FEW;
    const float *filters = p->filters + j * p->position;
    const int64_t step = span * p->position, tile_step = weft_winograd_few_step(positions_of(size));
    vfloat sum[FEW_TILES][WINOGRAD_PLANE_SPAN] = {{{0}}};
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++)
#pragma GCC unroll 6
        for (int i = 0; i < span; i++)
            __builtin_prefetch(pixels + (t + tiles) * tile_step + i * span * WEFT_WINOGRAD_FEW);
#pragma GCC unroll 1
    for (int64_t k = 0; k < p->channels; k++, pixels++, filters += LANES) {
#pragma GCC unroll 6
        for (int i = 0; i < span; i++) {
            vfloat f = vheld(vload(filters + i * step));
#pragma GCC unroll 4
            for (int t = 0; t < tiles; t++)
                sum[t][i] += f * pixels[t * tile_step + i * span * WEFT_WINOGRAD_FEW];
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++) {
        vfloat y[WINOGRAD_TILE];
        output_line(size, sum[t], y);
#pragma GCC unroll 4
        for (int i = 0; i < size.tile; i++)
            half[t].row[i][j] = y[i];
    }
}

SIMD_INLINE void multiply_columns(weft_winograd_size size, int tiles, const few_products *p,
                                  winograd_half *half)
{
#pragma GCC unroll 1
    for (int j = 0; j < span_of(size); j++)
        multiply_column(size, tiles, p, j, half);
}

/* Tiles o->first..end-1 of a piece, all its filters: vector by vector. */
SIMD_INLINE void write_few(weft_winograd_size size, const weft_call *call, const weft_winograd *w,
                           const winograd_output *o, const float *pixels, const float *filters,
                           int64_t end)
{
    const weft_finish finish = weft_epilogue_finish(o->epilogue, call, o->filter);
    const weft_finish *by = finishes(&finish) ? &finish : NULL;
    int64_t vectors = weft_ceiling(o->filters, LANES);
    bool follows = weft_epilogue_follows(o->epilogue);
    if (follows)
        WEFT_FOR_ISA(weft_epilogue_table).begin(o->epilogue, call, o->part, o->filter, o->filters);
    for (int64_t v = 0; v < vectors; v++) {
        few_products p = {.filters = filters + v * w->filters_vector,
                          .channels = w->channels,
                          .position = w->filters_position};
        weft_winograd_tile tile = weft_winograd_tile_at(o->grid, o->first);
        for (int64_t at = o->first, next; at < end; at = next) {
            winograd_half half[FEW_TILES];
            p.pixels = pixels + (at - o->first) * w->pixels_step;
            next = at + FEW_TILES <= end ? at + FEW_TILES : at + 1;
            if (next == at + 1)
                multiply_columns(size, 1, &p, half);
            else
                multiply_columns(size, FEW_TILES, &p, half);
            for (int64_t i = 0; i < next - at; i++, weft_winograd_next_tile(o->grid, &tile)) {
                const winograd_place place = place_of(o, &tile);
                write_tile(size, o, NULL, &half[i], by, &place, v);
            }
        }
    }
    for (int64_t at = o->first, next; follows && at < end; at = next) {
        next = row_end(o, at, end);
        finish_row(o, call, at, next);
    }
}

#endif

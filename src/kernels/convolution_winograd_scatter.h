/* Transforms the sums of tiles to pixels and writes those, with what follows. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_SCATTER_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_SCATTER_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/convolution_winograd_lines.h"
#include "kernels/finish.h"

/* Some filters of an array, and the sums of its tiles: a matrix for each position, rows of `step` floats, the
 * first of them tile `first`. */
typedef struct winograd_output {
    const weft_winograd_grid *grid;
    const weft_winograd_image *image;
    const float *bias; /* or NULL */
    float *c;
    const float *sums;
    int64_t position, step, first;
    int64_t filter, filters;
    const weft_epilogue *epilogue; /* or NULL */
    int64_t part;
} winograd_output;

/* Writes the first `kept` pixels of a line of `pixels`, `step` floats apart, finished where finish is not NULL, and if
 * there is an addend, with those of it. */
SIMD_INLINE void write_line(int pixels, const vfloat *y, vfloat bias, const weft_finish *finish,
                            const finish_channels *channels, const float *addend, float *c,
                            int64_t step, int64_t kept, int64_t lanes)
{
#pragma GCC unroll 4
    for (int i = 0; i < pixels; i++)
        if (i < kept) {
            vfloat result = y[i] + bias;
            if (finish)
                result = finish_vector(finish, channels, result, addend ? addend + i * step : NULL,
                                       lanes);
            vstore_lanes(c + i * step, result, lanes);
        }
}

/* y = At m of one vector of filters, along one dimension: `kept` pixels of it, `step` floats apart. */
SIMD_INLINE void transform_sums_line(weft_winograd_size size, const float *sums, int64_t position,
                                     vfloat bias, const weft_finish *finish, int64_t channel,
                                     const float *addend, float *c, int64_t step, int64_t kept,
                                     int64_t lanes)
{
    vfloat m[WINOGRAD_SPAN], y[WINOGRAD_TILE];
#pragma GCC unroll 9
    for (int i = 0; i < span_of(size); i++)
        m[i] = vload(sums + i * position);
    output_line(size, m, y);
    finish_channels channels = {{0}};
    if (finish)
        channels = finish_load(finish, channel, lanes);
    write_line(size.tile, y, bias, finish, &channels, addend, c, step, kept, lanes);
}

/* At m of one vector of filters of a tile. */
typedef struct winograd_half {
    vfloat row[WINOGRAD_TILE][WINOGRAD_PLANE_SPAN];
} winograd_half;

SIMD_INLINE void transform_columns(weft_winograd_size size, const float *sums, int64_t position,
                                   winograd_half *half)
{
    const int positions = span_of(size);
#pragma GCC unroll 6
    for (int j = 0; j < positions; j++, sums += position) {
        vfloat m[WINOGRAD_SPAN], y[WINOGRAD_TILE];
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            m[i] = vload(sums + i * positions * position);
        output_line(size, m, y);
#pragma GCC unroll 4
        for (int i = 0; i < size.tile; i++)
            half->row[i][j] = y[i];
    }
}

/* y = At m A of it; `rows` x `columns` pixels are kept, and finished where finish is not NULL, from `channel` and, if
 * there is an addend, from it on. size is a constant, so are finish, where it is NULL, and the extents where the tile
 * is whole. */
SIMD_INLINE void transform_rows(weft_winograd_size size, const winograd_half *half, vfloat bias,
                                const weft_finish *finish, int64_t channel, const float *addend,
                                float *c, const weft_winograd_image *to, int64_t rows,
                                int64_t columns, int64_t lanes)
{
    finish_channels channels = {{0}};
    if (finish)
        channels = finish_load(finish, channel, lanes);
#pragma GCC unroll 4
    for (int i = 0; i < size.tile; i++, c += to->stride[1]) {
        vfloat y[WINOGRAD_TILE];
        if (i >= rows)
            break;
        output_line(size, half->row[i], y);
        write_line(size.tile, y, bias, finish, &channels, addend, c, to->stride[2], columns, lanes);
        addend += addend ? to->stride[1] : 0;
    }
}

/* A tile in the array: its first pixel, in floats from the first of the array, and how many (H, W) are inside. */
typedef struct winograd_place {
    int64_t at, kept[2];
} winograd_place;

/* One vector of filters of a tile; half: its columns, or NULL: they come from its sums. whole: all pixels are inside;
 * a constant, as lanes is then. */
SIMD_INLINE void write_vector(weft_winograd_size size, const winograd_output *o, const float *sums,
                              const winograd_half *half, vfloat bias, const weft_finish *finish,
                              int64_t channel, const winograd_place *place, bool whole,
                              int64_t lanes)
{
    const weft_winograd_image *to = o->image;
    int64_t at = place->at + channel, rows = whole ? size.tile : place->kept[0];
    int64_t columns = whole ? size.tile : place->kept[1];
    const float *addend = finish && finish->addend ? finish->addend + at : NULL;
    winograd_half own;
    if (size.dimensions == 1) {
        transform_sums_line(size, sums, o->position, bias, finish, channel, addend, o->c + at,
                            o->grid->taps[0] > 1 ? to->stride[1] : to->stride[2],
                            whole ? size.tile : rows * columns, lanes);
        return;
    }
    if (!half) {
        transform_columns(size, sums, o->position, &own);
        half = &own;
    }
    transform_rows(size, half, bias, finish, channel, addend, o->c + at, to, rows, columns, lanes);
}

/* The same for vector v of the filters, whatever is inside. */
SIMD_INLINE void write_tile(weft_winograd_size size, const winograd_output *o, const float *sums,
                            const winograd_half *half, const weft_finish *finish,
                            const winograd_place *place, int64_t v)
{
    int64_t lanes = weft_least(LANES, o->filters - v * LANES), channel = v * LANES;
    const int64_t *tile = o->grid->tile, *kept = place->kept;
    vfloat start = o->bias ? vload_lanes(o->bias + channel, lanes) : (vfloat){0};
    bool whole = kept[0] == tile[0] && kept[1] == tile[1] && lanes == LANES;
    if (whole && !finish)
        write_vector(size, o, sums, half, start, NULL, channel, place, true, LANES);
    else if (whole)
        write_vector(size, o, sums, half, start, finish, channel, place, true, LANES);
    else
        write_vector(size, o, sums, half, start, finish, channel, place, false, lanes);
}

SIMD_INLINE winograd_place place_of(const winograd_output *o, const weft_winograd_tile *tile)
{
    const weft_winograd_image *to = o->image;
    int64_t h = tile->row * o->grid->tile[0], w = tile->column * o->grid->tile[1];
    return (winograd_place){.at =
                                tile->image * to->stride[0] + h * to->stride[1] + w * to->stride[2],
                            .kept = {weft_least(o->grid->tile[0], to->extent[0] - h),
                                     weft_least(o->grid->tile[1], to->extent[1] - w)}};
}

/* Writes the pixels of tiles first..end-1, which lie in one row of tiles. */
SIMD_INLINE void write_row(weft_winograd_size size, const winograd_output *o,
                           const weft_finish *finish, int64_t first, int64_t end)
{
    weft_winograd_tile tile = weft_winograd_tile_at(o->grid, first);
    int64_t vectors = weft_ceiling(o->filters, LANES);
    for (int64_t index = first; index < end; index++, tile.column++) {
        const winograd_place place = place_of(o, &tile);
        const float *sums = o->sums + (index - o->first) * o->step;
        for (int64_t v = 0; v < vectors; v++, sums += LANES)
            write_tile(size, o, sums, NULL, finish, &place, v);
    }
}

/* The same tiles' pixels are finished: row by row. */
static void finish_row(const winograd_output *o, const weft_call *call, int64_t first, int64_t end)
{
    const weft_winograd_image *to = o->image;
    const int64_t *tile = o->grid->tile;
    const weft_winograd_tile place = weft_winograd_tile_at(o->grid, first);
    int64_t height = place.row * tile[0], column = place.column * tile[1];
    int64_t rows = weft_least(tile[0], to->extent[0] - height);
    weft_epilogue_block block = {
        .step = to->stride[2],
        .pixels = weft_least((end - first) * tile[1], to->extent[1] - column),
        .at = {place.image, 0, height, column},
        .column_step = 1,
        .channel = o->filter,
        .channels = o->filters,
        .part = o->part,
    };
    for (int64_t row = 0; row < rows; row++, block.at[2]++) {
        block.c = o->c + block.at[0] * to->stride[0] + block.at[2] * to->stride[1] +
                  column * to->stride[2];
        WEFT_FOR_ISA(weft_epilogue_table).apply(o->epilogue, call, &block);
    }
}

/* Where the row of tiles ends that tile `at` is in, or the last one. */
static int64_t row_end(const winograd_output *o, int64_t at, int64_t end)
{
    return weft_least(end, (at / o->grid->across + 1) * o->grid->across);
}

static bool finishes(const weft_finish *finish)
{
    return finish->slope || finish->addend || finish->ceiling > 0;
}

/* Tiles first..end-1, all those of a part of the epilogue. */
SIMD_INLINE void write_tiles(weft_winograd_size size, const weft_call *call,
                             const winograd_output *o, int64_t first, int64_t end)
{
    enum { TILES = 4 }; /* that an epilogue finds in the first-level cache */
    const weft_finish finish = weft_epilogue_finish(o->epilogue, call, o->filter);
    bool follows = weft_epilogue_follows(o->epilogue);
    if (follows)
        WEFT_FOR_ISA(weft_epilogue_table).begin(o->epilogue, call, o->part, o->filter, o->filters);
    for (int64_t at = first, next; at < end; at = next) {
        next = row_end(o, at, end);
        next = follows ? weft_least(next, at + TILES) : next;
        write_row(size, o, finishes(&finish) ? &finish : NULL, at, next);
        if (follows)
            finish_row(o, call, at, next);
    }
}

#endif

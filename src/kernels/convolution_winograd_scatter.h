/* Transforms the sums of tiles to pixels and writes those, with what follows. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_SCATTER_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_SCATTER_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/convolution_winograd_lines.h"
#include "kernels/finish.h"

extern const weft_epilogue_kernels WEFT_FOR_ISA(weft_epilogue_table);

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

/* y = At m A of one vector of filters; `rows` x `columns` pixels of it are kept, and finished where finish is
 * not NULL, from `channel` and, if there is an addend, from it on. size is a constant, so are finish, where
 * it is NULL, and the extents where the tile is whole. */
SIMD_INLINE void transform_sums(weft_winograd_size size, const float *sums, int64_t position,
                                vfloat bias, const weft_finish *finish, int64_t channel,
                                const float *addend, float *c, const weft_winograd_image *to,
                                int64_t rows, int64_t columns, int64_t lanes)
{
    const int positions = span_of(size);
    vfloat half[WINOGRAD_TILE][WINOGRAD_PLANE_SPAN];
#pragma GCC unroll 6
    for (int j = 0; j < positions; j++, sums += position) {
        vfloat m[WINOGRAD_SPAN], y[WINOGRAD_TILE];
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            m[i] = vload(sums + i * positions * position);
        output_line(size, m, y);
#pragma GCC unroll 4
        for (int i = 0; i < size.tile; i++)
            half[i][j] = y[i];
    }
    finish_channels channels = {{0}};
    if (finish)
        channels = finish_load(finish, channel, lanes);
#pragma GCC unroll 4
    for (int i = 0; i < size.tile; i++, c += to->stride[1]) {
        vfloat y[WINOGRAD_TILE];
        if (i >= rows)
            break;
        output_line(size, half[i], y);
        write_line(size.tile, y, bias, finish, &channels, addend, c, to->stride[2], columns, lanes);
        addend += addend ? to->stride[1] : 0;
    }
}

/* One vector of filters of a tile, of which `kept` (H, W) pixels are inside of the array. whole: all of them;
 * a constant, as lanes is then. */
SIMD_INLINE void write_vector(weft_winograd_size size, const winograd_output *o, const float *sums,
                              vfloat bias, const weft_finish *finish, int64_t channel, int64_t at,
                              const int64_t kept[2], bool whole, int64_t lanes)
{
    const weft_winograd_image *to = o->image;
    const float *addend = finish && finish->addend ? finish->addend + at : NULL;
    if (size.dimensions == 1)
        transform_sums_line(size, sums, o->position, bias, finish, channel, addend, o->c + at,
                            o->grid->taps[0] > 1 ? to->stride[1] : to->stride[2],
                            whole ? size.tile : kept[0] * kept[1], lanes);
    else
        transform_sums(size, sums, o->position, bias, finish, channel, addend, o->c + at, to,
                       whole ? size.tile : kept[0], whole ? size.tile : kept[1], lanes);
}

/* Writes the pixels of tiles first..end-1, which lie in one row of tiles. */
SIMD_INLINE void write_row(weft_winograd_size size, const winograd_output *o,
                           const weft_finish *finish, int64_t first, int64_t end)
{
    const weft_winograd_image *to = o->image;
    const int64_t *tile = o->grid->tile;
    int64_t line = first / o->grid->across, image = line / o->grid->down;
    int64_t height = line % o->grid->down * tile[0], vectors = weft_ceiling(o->filters, LANES);
    int64_t kept[2] = {weft_least(tile[0], to->extent[0] - height)};
    for (int64_t index = first; index < end; index++) {
        int64_t column = index % o->grid->across * tile[1];
        kept[1] = weft_least(tile[1], to->extent[1] - column);
        const float *sums = o->sums + (index - o->first) * o->step;
        int64_t at = image * to->stride[0] + height * to->stride[1] + column * to->stride[2];
        for (int64_t v = 0; v < vectors; v++, sums += LANES, at += LANES) {
            int64_t lanes = weft_least(LANES, o->filters - v * LANES), channel = v * LANES;
            vfloat start = o->bias ? vload_lanes(o->bias + channel, lanes) : (vfloat){0};
            bool whole = kept[0] == tile[0] && kept[1] == tile[1] && lanes == LANES;
            if (whole && !finish)
                write_vector(size, o, sums, start, NULL, channel, at, kept, true, LANES);
            else if (whole)
                write_vector(size, o, sums, start, finish, channel, at, kept, true, LANES);
            else
                write_vector(size, o, sums, start, finish, channel, at, kept, false, lanes);
        }
    }
}

/* The same tiles' pixels are finished: row by row. */
static void finish_row(const winograd_output *o, const weft_call *call, int64_t first, int64_t end)
{
    const weft_winograd_image *to = o->image;
    const int64_t *tile = o->grid->tile;
    int64_t line = first / o->grid->across, height = line % o->grid->down * tile[0];
    int64_t column = first % o->grid->across * tile[1];
    int64_t rows = weft_least(tile[0], to->extent[0] - height);
    weft_epilogue_block block = {
        .step = to->stride[2],
        .pixels = weft_least((end - first) * tile[1], to->extent[1] - column),
        .at = {line / o->grid->down, 0, height, column},
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

/* Tiles first..end-1, all those of a part of the epilogue. */
SIMD_INLINE void write_tiles(weft_winograd_size size, const weft_call *call,
                             const winograd_output *o, int64_t first, int64_t end)
{
    enum { TILES = 4 }; /* that an epilogue finds in the first-level cache */
    weft_finish finish = weft_epilogue_finish(o->epilogue, call, o->filter);
    bool finishes = finish.slope || finish.addend || finish.ceiling > 0;
    bool follows = weft_epilogue_follows(o->epilogue);
    if (follows)
        WEFT_FOR_ISA(weft_epilogue_table).begin(o->epilogue, call, o->part, o->filter, o->filters);
    for (int64_t at = first, next; at < end; at = next) {
        next = weft_least(end, (at / o->grid->across + 1) * o->grid->across);
        next = follows ? weft_least(next, at + TILES) : next;
        write_row(size, o, finishes ? &finish : NULL, at, next);
        if (follows)
            finish_row(o, call, at, next);
    }
}

#endif

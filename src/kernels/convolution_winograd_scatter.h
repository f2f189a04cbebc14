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

/* y = At m A of one vector of filters; `rows` x `columns` pixels of it are kept, and finished where finish is
 * not NULL, from `channel` and, if there is an addend, from it on. size is a constant, so are finish, where
 * it is NULL, and the extents where the tile is whole. */
SIMD_INLINE void transform_sums(winograd_size size, const float *sums, int64_t position,
                                vfloat bias, const weft_finish *finish, int64_t channel,
                                const float *addend, float *c, const weft_winograd_image *to,
                                int64_t rows, int64_t columns, int64_t lanes)
{
    const int positions = span_of(size);
    vfloat half[WINOGRAD_TILE][WINOGRAD_SPAN];
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
#pragma GCC unroll 4
        for (int j = 0; j < size.tile; j++)
            if (j < columns) {
                vfloat result = y[j] + bias;
                if (finish)
                    result = finish_vector(finish, &channels, result,
                                           addend ? addend + j * to->stride[2] : NULL, lanes);
                vstore_lanes(c + j * to->stride[2], result, lanes);
            }
        addend += addend ? to->stride[1] : 0;
    }
}

/* Writes the pixels of tiles first..end-1, which lie in one row of tiles. */
SIMD_INLINE void write_row(winograd_size size, const winograd_output *o, const weft_finish *finish,
                           int64_t first, int64_t end)
{
    const weft_winograd_image *to = o->image;
    int64_t line = first / o->grid->across, image = line / o->grid->down;
    int64_t height = line % o->grid->down * size.tile, vectors = weft_ceiling(o->filters, LANES);
    int64_t rows = weft_least(size.tile, to->extent[0] - height);
    for (int64_t index = first; index < end; index++) {
        int64_t column = index % o->grid->across * size.tile;
        int64_t columns = weft_least(size.tile, to->extent[1] - column);
        const float *sums = o->sums + (index - o->first) * o->step;
        int64_t at = image * to->stride[0] + height * to->stride[1] + column * to->stride[2];
        for (int64_t v = 0; v < vectors; v++, sums += LANES, at += LANES) {
            int64_t lanes = weft_least(LANES, o->filters - v * LANES);
            vfloat start = o->bias ? vload_lanes(o->bias + v * LANES, lanes) : (vfloat){0};
            const float *addend = finish && finish->addend ? finish->addend + at : NULL;
            bool whole = rows == size.tile && columns == size.tile && lanes == LANES;
            if (whole && !finish)
                transform_sums(size, sums, o->position, start, NULL, 0, NULL, o->c + at, to,
                               size.tile, size.tile, LANES);
            else if (whole)
                transform_sums(size, sums, o->position, start, finish, v * LANES, addend, o->c + at,
                               to, size.tile, size.tile, LANES);
            else
                transform_sums(size, sums, o->position, start, finish, v * LANES, addend, o->c + at,
                               to, rows, columns, lanes);
        }
    }
}

/* The same tiles' pixels are finished: row by row. */
static void finish_row(int64_t tile, const winograd_output *o, const weft_call *call, int64_t first,
                       int64_t end)
{
    const weft_winograd_image *to = o->image;
    int64_t line = first / o->grid->across, height = line % o->grid->down * tile;
    int64_t column = first % o->grid->across * tile;
    int64_t rows = weft_least(tile, to->extent[0] - height);
    weft_epilogue_block block = {
        .step = to->stride[2],
        .pixels = weft_least((end - first) * tile, to->extent[1] - column),
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
SIMD_INLINE void write_tiles(winograd_size size, const weft_call *call, const winograd_output *o,
                             int64_t first, int64_t end)
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
            finish_row(size.tile, o, call, at, next);
    }
}

#endif

/* Reads tiles of an array, transforms them, and leaves one matrix for each position. For vector kernel files
 * only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_GATHER_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_GATHER_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/convolution_winograd_lines.h"
#include "kernels/finish.h"

enum { WINOGRAD_VECTORS = WEFT_WINOGRAD_CHANNELS / LANES }; /* of a block */

/* Where a block keeps the vectors of a matrix: row i of vector v is at start[v] + i * step[v], and the
 * matrices are `position` floats apart. */
typedef struct winograd_block {
    int64_t position;
    int64_t vectors, start[WINOGRAD_VECTORS], step[WINOGRAD_VECTORS];
} winograd_block;

/* Rows of `step` floats. */
SIMD_INLINE winograd_block rows_block(int64_t position, int64_t vectors, int64_t step)
{
    winograd_block b = {.position = position, .vectors = vectors};
    for (int64_t v = 0; v < vectors; v++) {
        b.start[v] = v * LANES;
        b.step[v] = step;
    }
    return b;
}

/* Vectors are dealt evenly to panels of at most `widest`. */
SIMD_INLINE int64_t panels_of(int64_t vectors, int64_t widest)
{
    return (vectors + widest - 1) / widest;
}

/* Panels of `rows` rows each, as register tiles read them. */
SIMD_INLINE winograd_block panels_block(int64_t position, int64_t vectors, int64_t widest,
                                        int64_t rows)
{
    winograd_block b = {.position = position, .vectors = vectors};
    int64_t panels = panels_of(vectors, widest);
    for (int64_t i = 0; i < panels; i++) {
        int64_t v0 = vectors * i / panels, v1 = vectors * (i + 1) / panels;
        for (int64_t v = v0; v < v1; v++) {
            b.start[v] = v0 * LANES * rows + (v - v0) * LANES;
            b.step[v] = (v1 - v0) * LANES;
        }
    }
    return b;
}

/* Channels of the last of `vectors` vectors. */
SIMD_INLINE int64_t last_lanes(int64_t channels, int64_t vectors)
{
    return channels - (vectors - 1) * LANES;
}

/* The pixels that a tile reads: from `corner` on, or, where some are outside, each where `pixel` says. */
typedef struct winograd_window {
    bool inside;
    const float *corner;
    int64_t row, column;
    int64_t line; /* the one of the two along which there is more than a pixel */
    const float
        *pixel[WINOGRAD_PLANE_SPAN * WINOGRAD_PLANE_SPAN]; /* row by row; `nothing` outside */
    const float *nothing;
    const weft_finish *before; /* prologue of the first channel, or NULL */
} winograd_window;

/* Where the pixels of a window of height x width are that begins at (top, left) of an image. */
SIMD_INLINE void find_pixels(winograd_window *w, const weft_winograd_image *image,
                             const float *data, int64_t top, int64_t left, int height, int width)
{
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) {
            int64_t row = top + i, column = left + j;
            bool inside =
                row >= 0 && row < image->extent[0] && column >= 0 && column < image->extent[1];
            int64_t at = row * w->row + column * w->column;
            w->pixel[i * width + j] = inside ? data + at : w->nothing;
        }
}

/* The window of a tile; adjoint: of its own pixels. size and adjoint are constants. */
SIMD_INLINE void open_window(weft_winograd_size size, winograd_window *w,
                             const weft_winograd_grid *grid, const weft_winograd_image *image,
                             const float *data, const weft_winograd_tile *tile, bool adjoint)
{
    static const float nothing[WEFT_WINOGRAD_CHANNELS];
    const int span = adjoint ? size.tile : span_of(size);
    int height = size.dimensions == 2 || grid->taps[0] > 1 ? span : 1;
    int width = size.dimensions == 2 || grid->taps[1] > 1 ? span : 1;
    int64_t top = tile->row * grid->tile[0] - image->pad[0];
    int64_t left = tile->column * grid->tile[1] - image->pad[1];
    w->row = image->stride[1];
    w->column = image->stride[2];
    w->line = grid->taps[0] > 1 ? w->row : w->column;
    w->inside = top >= 0 && top + height <= image->extent[0] && left >= 0 &&
                left + width <= image->extent[1];
    data += tile->image * image->stride[0];
    w->corner = w->inside ? data + top * w->row + left * w->column : nothing;
    w->nothing = nothing;
    if (!w->inside)
        find_pixels(w, image, data, top, left, height, width);
}

/* A line of `span` vectors of the window, from pixel number `first` on, each `next` pixels after the one before;
 * from: where the first is if they are inside, the others follow by `step`. span and inside are constants. */
SIMD_INLINE void read_line(int span, bool inside, const winograd_window *w, int first, int next,
                           const float *from, int64_t step, int64_t channel, int64_t lanes,
                           const weft_finish *before, const finish_channels *by, vfloat *d)
{
    const float *const *pixel = w->pixel + first;
#pragma GCC unroll 9
    for (int i = 0; i < span; i++)
        d[i] = vload_lanes(inside ? from + i * step : pixel[i * next] + channel, lanes);
    if (before && inside)
        finish_read(before, by, d, span);
    else if (before)
#pragma GCC unroll 9
        for (int i = 0; i < span; i++)
            if (pixel[i * next] != w->nothing)
                finish_read(before, by, d + i, 1);
}

/* One vector of channels of a tile along one dimension: Bt x, or for dy (adjoint) A dy. */
SIMD_INLINE void transform_window_line(weft_winograd_size size, bool adjoint, bool inside,
                                       const winograd_window *w, int64_t channel, int64_t lanes,
                                       float *to, int64_t position)
{
    vfloat d[WINOGRAD_SPAN], v[WINOGRAD_SPAN];
    const weft_finish *before = adjoint ? NULL : w->before;
    finish_channels by = finish_load(before, channel, lanes);
    read_line(adjoint ? size.tile : span_of(size), inside, w, 0, 1, w->corner + channel, w->line,
              channel, lanes, before, &by, d);
    (adjoint ? output_adjoint_line : input_line)(size, d, v);
#pragma GCC unroll 9
    for (int i = 0; i < span_of(size); i++)
        vstore(to + i * position, v[i]);
}

/* One vector of channels of a tile: Bt x B, or for dy (adjoint) A dy At. size, adjoint and inside are
 * constants. The loops over lines stay loops: unrolled, they spill more than they save. */
SIMD_INLINE void transform_window(weft_winograd_size size, bool adjoint, bool inside,
                                  const winograd_window *w, int64_t channel, int64_t lanes,
                                  float *to, int64_t position)
{
    const int positions = span_of(size), span = adjoint ? size.tile : span_of(size);
    if (size.dimensions == 1) {
        transform_window_line(size, adjoint, inside, w, channel, lanes, to, position);
        return;
    }
    vfloat half[WINOGRAD_PLANE_SPAN][WINOGRAD_PLANE_SPAN];
    const float *corner = w->corner + channel;
    const weft_finish *before = adjoint ? NULL : w->before;
    finish_channels by = finish_load(before, channel, lanes);
#pragma GCC unroll 1
    for (int j = 0; j < span; j++, corner += w->column) {
        vfloat d[WINOGRAD_SPAN], v[WINOGRAD_SPAN];
        read_line(span, inside, w, j, span, corner, w->row, channel, lanes, before, &by, d);
        (adjoint ? output_adjoint_line : input_line)(size, d, v);
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            half[i][j] = v[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < positions; i++) {
        vfloat v[WINOGRAD_SPAN];
        (adjoint ? output_adjoint_line : input_line)(size, half[i], v);
#pragma GCC unroll 6
        for (int j = 0; j < positions; j++, to += position)
            vstore(to, v[j]);
    }
}

/* Channels channel..channel + channels - 1 of tiles first..end-1 to rows 0.. of a block. Lanes past the
 * channels become 0. */
SIMD_INLINE void gather_tiles(weft_winograd_size size, bool adjoint, const weft_winograd_grid *grid,
                              const weft_winograd_image *image, const weft_call *call,
                              const float *data, int64_t first, int64_t end, int64_t channel,
                              int64_t channels, const winograd_block *block, float *to)
{
    const weft_finish before = weft_finish_at(image->prologue, call, channel);
    int64_t last = block->vectors - 1, lanes = last_lanes(channels, block->vectors);
    int64_t whole = lanes == LANES ? last + 1 : last, position = block->position;
    weft_winograd_tile tile = weft_winograd_tile_at(grid, first);
    winograd_window w;
    w.before = image->prologue ? &before : NULL;
    for (int64_t row = 0; row < end - first; row++, weft_winograd_next_tile(grid, &tile)) {
        open_window(size, &w, grid, image, data + channel, &tile, adjoint);
        if (w.inside)
            for (int64_t v = 0; v < whole; v++)
                transform_window(size, adjoint, true, &w, v * LANES, LANES,
                                 to + block->start[v] + row * block->step[v], position);
        else
            for (int64_t v = 0; v < whole; v++)
                transform_window(size, adjoint, false, &w, v * LANES, LANES,
                                 to + block->start[v] + row * block->step[v], position);
        if (whole > last)
            continue;
        float *tail = to + block->start[last] + row * block->step[last];
        if (w.inside)
            transform_window(size, adjoint, true, &w, last * LANES, lanes, tail, position);
        else
            transform_window(size, adjoint, false, &w, last * LANES, lanes, tail, position);
    }
}

#endif

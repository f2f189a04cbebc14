/* What tiles of direct convolution read: a itself, a copy of the span or of the patches that a tile sees, or a band of rows
 * that is copied for many tiles. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_DIRECT_INPUT_H
#define WEFT_KERNELS_CONVOLUTION_DIRECT_INPUT_H

#include "kernels/convolution_direct_piece.h"
#include "kernels/read_pixels.h"

/* Appends a run, or lengthens the last one where both sides go on. */
SIMD_INLINE int64_t add_run(weft_tile_run *run, int64_t runs, weft_tile_run next)
{
    weft_tile_run *last = run + runs - 1;
    if (runs && last->a + last->length == next.a && last->b + last->length == next.b) {
        last->length += next.length;
        return runs;
    }
    run[runs] = next;
    return runs + 1;
}

/* Offset in a of a row; false where it is outside. */
SIMD_INLINE bool row_offset(const weft_direct *d, int64_t depth, int64_t height, int64_t *offset)
{
    *offset = depth * d->a_stride[1] + height * d->a_stride[2];
    return depth >= 0 && depth < d->dimension[D].in && height >= 0 && height < d->dimension[H].in;
}

/* The same of the row that a row of taps reads. */
SIMD_INLINE bool input_row(const piece_state *s, const place *p, int64_t row, int64_t *offset)
{
    const weft_taps *t = s->taps;
    int64_t depth = p->depth * t[D].in_step + t[D].offset + row / t[H].count * t[D].offset_step;
    int64_t height = p->height * t[H].in_step + t[H].offset + row % t[H].count * t[H].offset_step;
    return row_offset(s->d, depth, height, offset);
}

/* A stride that is a multiple of 4 KiB puts the pixels of a tile into one set of the cache. */
SIMD_INLINE bool crowded(int64_t stride)
{
    return stride % 1024 == 0;
}

SIMD_INLINE int64_t spread(int64_t pixel_step, int64_t in_step)
{
    return pixel_step * in_step % 512 == 0 ? pixel_step + LANES : pixel_step;
}

/* The tile reads a itself. */
SIMD_INLINE int64_t runs_in_place(const piece_state *s, const chunk *k, const place *p,
                                  weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixel = s->d->a_stride[3], runs = 0;
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t tap = 0; tap < k->taps; tap++)
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = offset + (column + tap * t->offset_step) * pixel,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
    }
    tile->a = s->a + p->image * s->d->a_stride[0] + k->channel;
    tile->a_step = t->in_step * pixel;
    tile->a_half = p->images == 2 ? s->d->a_stride[0] : (p->pixels + 1) / 2 * tile->a_step;
    /* More taps have seen most of it already; the processor itself follows long rows. */
    if (k->rows * k->taps == 1 && k->channels <= 512)
        tile->ahead = p->pixels * tile->a_step;
    return runs;
}

/* Reads pixels of a row that begins at `row`, `channels` channels from the chunk's first on, into the copy. */
SIMD_INLINE void read_row(const piece_state *s, const chunk *k, const float *row, int64_t column,
                          int64_t step, int64_t count, float *to, int64_t to_step)
{
    const pixel_row from = {.data = row + k->channel,
                            .extent = s->d->dimension[W].in,
                            .stride = s->d->a_stride[3],
                            .column = column,
                            .step = step,
                            .count = count};
    const weft_finish before = weft_finish_from(&s->before, k->channel);
    read_pixels(&from, s->d->prologue ? &before : NULL, k->channels, to, to_step);
}

/* The tile reads a copy: for each row of taps the span of pixels that the tile sees. */
static int64_t runs_of_span(const piece_state *s, const chunk *k, const place *p, int64_t span,
                            weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixels = p->images * k->rows * span, pixel = spread(k->channels, t->in_step), runs = 0;
    if (pixels * (pixel - k->channels) > WEFT_DIRECT_INPUT_SPREAD)
        pixel = k->channels; /* large strides see many pixels of few channels */
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    float *to = s->input;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t image = 0; image < p->images; image++)
            read_row(s, k, s->a + (p->image + image) * s->d->a_stride[0] + offset, column, 1, span,
                     to + image * k->rows * span * pixel, pixel);
        for (int64_t tap = 0; tap < k->taps; tap++)
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = to - s->input + tap * t->offset_step * pixel,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
        to += span * pixel;
    }
    tile->a = s->input;
    tile->a_step = t->in_step * pixel;
    tile->a_half = p->images == 2 ? k->rows * span * pixel : (p->pixels + 1) / 2 * tile->a_step;
    return runs;
}

/* The tile reads a copy: for each pixel what each tap sees, one after the other. */
static int64_t runs_of_patches(const piece_state *s, const chunk *k, const place *p,
                               weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixel = spread(k->rows * k->taps * k->channels, 1), runs = 0, filled = 0;
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t tap = 0; tap < k->taps; tap++, filled += k->channels) {
            for (int64_t image = 0; image < p->images; image++) {
                const float *from = s->a + (p->image + image) * s->d->a_stride[0] + offset;
                read_row(s, k, from, column + tap * t->offset_step, t->in_step, p->pixels,
                         s->input + image * p->pixels * pixel + filled, pixel);
            }
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = filled,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
        }
    }
    tile->a = s->input;
    tile->a_step = pixel;
    tile->a_half = (p->images == 2 ? p->pixels : (p->pixels + 1) / 2) * pixel;
    return runs;
}

/* ---- Bands: where a row of taps has few channels, as an image has ---- */

/* Lists where a band has what each step of the reduction reads. */
static void list_steps(piece_state *s)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t channels = d->channels, *to = s->band.offset;
    s->band.pitch = weft_taps_extent(&t[W], d->band * d->tile) * channels;
    s->band.plane = weft_taps_extent(&t[H], d->band_rows) * s->band.pitch;
    for (int64_t depth = 0; depth < t[D].count; depth++)
        for (int64_t row = 0; row < t[H].count; row++)
            for (int64_t tap = 0; tap < t[W].count; tap++)
                for (int64_t channel = 0; channel < channels; channel++)
                    *to++ = depth * s->band.plane + row * t[H].offset_step * s->band.pitch +
                            tap * t[W].offset_step * channels + channel;
}

/* Whether this place, the next one of the piece, is no longer in the band. */
SIMD_INLINE bool band_ends(const piece_state *s, const place *p, int64_t tile)
{
    return tile == s->band.end ||
           (tile == 0 && (p->height == 0 || p->height >= s->band.height + s->d->band_rows));
}

/* Copies the band of this place, from its row on. */
static void copy_band(piece_state *s, const chunk *k, const place *p, int64_t tile)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t band_first = tile - tile % d->band;
    s->band.end = weft_least(band_first + d->band, s->pixels.tiles);
    s->band.column = dealt_before(&s->pixels, band_first);
    s->band.height = p->height;
    int64_t span = weft_taps_extent(&t[W], dealt_before(&s->pixels, s->band.end) - s->band.column);
    int64_t rows = weft_least(d->band_rows, t[H].positions - p->height);
    int64_t column = s->band.column * t[W].in_step + t[W].offset;
    int64_t first = p->height * t[H].in_step + t[H].offset;
    int64_t end = first + weft_taps_extent(&t[H], rows);
    int64_t planes = p->images * t[D].count;
    for (int64_t i = 0; i < planes; i++) {
        int64_t image = p->image + i / t[D].count;
        int64_t depth = p->depth * t[D].in_step + t[D].offset + i % t[D].count * t[D].offset_step;
        float *to = s->input + i * s->band.plane;
        for (int64_t row = first; row < end; row++, to += s->band.pitch) {
            int64_t offset;
            if (row_offset(d, depth, row, &offset))
                read_row(s, k, s->a + image * d->a_stride[0] + offset, column, 1, span, to,
                         d->channels);
            else
                zero_floats(to, span * d->channels);
        }
    }
}

/* The tile reads the band. */
SIMD_INLINE void steps_of_band(const piece_state *s, const chunk *k, const place *p,
                               weft_tile *tile)
{
    const weft_taps *t = s->taps;
    int64_t pixel = t[W].in_step * s->d->channels;
    tile->a = s->input + (p->height - s->band.height) * t[H].in_step * s->band.pitch +
              (p->column - s->band.column) * pixel;
    tile->a_step = pixel;
    tile->a_half = p->images == 2 ? t[D].count * s->band.plane : (p->pixels + 1) / 2 * pixel;
    tile->offset = s->band.offset;
    tile->steps = k->rows * k->taps * k->channels;
}

/* Where the tile reads: a itself, or a copy that is made. */
SIMD_INLINE void set_input(const piece_state *s, const chunk *k, const place *p, weft_tile *tile)
{
    const weft_direct *d = s->d;
    const weft_taps *t = &s->taps[W];
    int64_t low = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    int64_t span = (p->pixels - 1) * t->in_step + (k->taps - 1) * t->offset_step + 1;
    tile->ahead = tile->ahead_first = tile->ahead_end = 0;
    bool inside = low >= 0 && low + span <= d->dimension[W].in;
    bool copied = d->prologue || (crowded(t->in_step * d->a_stride[3]) && p->pixels > 4);
    if (d->band)
        steps_of_band(s, k, p, tile);
    else if (inside && !copied)
        tile->runs = runs_in_place(s, k, p, tile);
    else if (span <= p->pixels * k->taps)
        tile->runs = runs_of_span(s, k, p, span, tile);
    else
        tile->runs = runs_of_patches(s, k, p, tile);
}

#endif

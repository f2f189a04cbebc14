/* The sums of depthwise filter gradients, and of those in groups: 3 x 3 taps of one vector of channels stay in registers
 * while they walk over rows of pixels, once for each channel of a group. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_DEPTHWISE_SUMS_H
#define WEFT_KERNELS_CONVOLUTION_DEPTHWISE_SUMS_H

#include "kernels/convolution_depthwise.h"
#include "kernels/finish.h"

enum {
    SUMS_TAPS = WEFT_DEPTHWISE_SUMS,
    SUMS_PIXELS = LANES == 16 ? 8 : 4,
    SUMS_ROWS = 16,
    SUMS_ENOUGH = 56 /* pixels that are worth reading and writing dw for */
};

/* A row of dy and the first of the rows of x that its taps see; of those, low..high-1 are inside. Meanwhile
 * the row of the next strip is fetched in the order of memory, which the processor goes on with by itself,
 * while the sums walk along columns. */
typedef struct sums_row {
    const float *a, *b;
    const float *next_a, *next_b; /* or NULL */
    int64_t low, high;
} sums_row;

typedef struct depthwise_sums {
    sums_row row[SUMS_ROWS];
    int64_t strip;        /* rows that are summed at a time; the next strip is fetched meanwhile */
    int64_t rows, pixels; /* pixels of a row of dy */
    int64_t a_row, a_step, b_step; /* between rows of x, pixels of x, pixels of dy */
    int64_t column, extent;    /* pixel of x that the first tap sees first, pixels of a row of x */
    const weft_finish *before; /* prologue of the first channel, or NULL */
    float *to;                 /* the sums are added to these */
    int64_t to_step[2];        /* between rows of taps, and taps */
    int64_t to_channel;        /* between the sums for the channels of a group */
} depthwise_sums;

enum { SUMS_LINE = 16 }; /* floats of a cache line */

/* What falls to `pixels` pixels of dy from `done` on, which counts them over all vectors of channels. */
SIMD_INLINE void sums_fetch(const sums_row *row, int64_t done, int pixels, int step)
{
    const float *a = row->next_a + done * step * step * SUMS_LINE;
    const float *b = row->next_b + done * SUMS_LINE;
#pragma GCC unroll 32
    for (int j = 0; j < pixels * step * step; j++)
        __builtin_prefetch(a + j * SUMS_LINE);
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        __builtin_prefetch(b + i * SUMS_LINE);
}

/* `pixels` neighbours of dy from b on; a is where the first tap sees the first. Of the pixels from a on,
 * low..high-1 are inside; whole: all. by: the prologue, or NULL. By channel c of each group. What is not of the row, or
 * c, is constant. */
SIMD_INLINE void sums_add(const depthwise_sums *s, const sums_row *row, const float *a,
                          const float *b, const finish_reader *by, int64_t low, int64_t high,
                          int64_t lanes, int pixels, int step, int group, int c, bool whole,
                          vfloat sum[SUMS_TAPS][SUMS_TAPS])
{
    vfloat dy[SUMS_PIXELS];
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        dy[i] = vload_lanes(b + i * s->b_step, lanes);
#pragma GCC unroll 3
    for (int h = 0; h < SUMS_TAPS; h++) {
        if (h < row->low || h >= row->high)
            continue;
#pragma GCC unroll 17
        for (int j = 0; j < (pixels - 1) * step + SUMS_TAPS; j++) {
            if (!whole && (j < low || j >= high))
                continue;
            vfloat x = vheld_of_many(vload_lanes(a + h * s->a_row + j * s->a_step, lanes));
            if (by)
                x = finish_through(by, x);
            if (group > 1)
                x = vspread(x, group, c);
#pragma GCC unroll 3
            for (int k = 0; k < SUMS_TAPS; k++)
                if (j >= k && (j - k) % step == 0 && (j - k) / step < pixels)
                    sum[h][k] += dy[(j - k) / step] * x;
        }
    }
}

/* All rows, for the channels from `channel` on, by channel c of each group; reads: through the prologue. */
SIMD_INLINE void sums_channels(const depthwise_sums *s, int64_t channel, int64_t lanes, int step,
                               int group, int c, bool reads)
{
    vfloat sum[SUMS_TAPS][SUMS_TAPS] = {{{0}}};
    finish_reader reader = {{{0}}};
    if (reads)
        reader = finish_reader_of(s->before, channel, lanes);
    const finish_reader *by = reads ? &reader : NULL;
    const int64_t reach = (SUMS_PIXELS - 1) * step + SUMS_TAPS;
    for (const sums_row *row = s->row; row < s->row + s->rows; row++) {
        for (int64_t i = 0; i < s->pixels;) {
            int64_t column = s->column + i * step, left = s->extent - column;
            const float *a = row->a + channel + i * step * s->a_step;
            const float *b = row->b + channel + i * s->b_step;
            if (i + SUMS_PIXELS <= s->pixels && column >= 0 && left >= reach) {
                if (row->next_a && channel % SUMS_LINE == 0 && c == 0)
                    sums_fetch(row, channel / SUMS_LINE * s->pixels + i, SUMS_PIXELS, step);
                sums_add(s, row, a, b, by, 0, 0, lanes, SUMS_PIXELS, step, group, c, true, sum);
                i += SUMS_PIXELS;
            } else if (i + 2 <= s->pixels) {
                sums_add(s, row, a, b, by, -column, left, lanes, 2, step, group, c, false, sum);
                i += 2;
            } else {
                sums_add(s, row, a, b, by, -column, left, lanes, 1, step, group, c, false, sum);
                i += 1;
            }
        }
    }
#pragma GCC unroll 3
    for (int h = 0; h < SUMS_TAPS; h++)
#pragma GCC unroll 3
        for (int k = 0; k < SUMS_TAPS; k++) {
            float *to = s->to + channel + h * s->to_step[0] + k * s->to_step[1] + c * s->to_channel;
            vstore_lanes(to, vload_lanes(to, lanes) + sum[h][k], lanes);
        }
}

SIMD_INLINE void sums_rows(const depthwise_sums *s, int64_t channels, int step, int group)
{
    int64_t channel = 0;
    for (; channel + LANES <= channels; channel += LANES)
#pragma GCC unroll SPREAD_UNROLLED
        for (int c = 0; c < group; c++)
            if (s->before)
                sums_channels(s, channel, LANES, step, group, c, true);
            else
                sums_channels(s, channel, LANES, step, group, c, false);
#pragma GCC unroll SPREAD_UNROLLED
    for (int c = 0; c < group && channel < channels; c++)
        sums_channels(s, channel, channels - channel, step, group, c, true);
}

/* For steps of 1 or 2. */
typedef void sums_fn(const depthwise_sums *sums, int64_t channels, int64_t step);

#define SUMS_ROWS_OF(group)                                                                        \
    static void sums_rows_##group(const depthwise_sums *sums, int64_t channels, int64_t step)      \
    {                                                                                              \
        if (step == 1)                                                                             \
            sums_rows(sums, channels, 1, group);                                                   \
        else                                                                                       \
            sums_rows(sums, channels, 2, group);                                                   \
    }

#endif

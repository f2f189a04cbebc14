/* Register tiles of depthwise convolution and of that in groups: up to 8 neighbours of the row that is written. Each
 * pixel that is read is loaded once for all the taps of a row that see it, and for each channel of a group. For vector
 * kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_DEPTHWISE_TILE_H
#define WEFT_KERNELS_CONVOLUTION_DEPTHWISE_TILE_H

#include "kernels/finish.h"

#include <stdbool.h>

enum {
    DEPTHWISE_PIXELS = 8,
    DEPTHWISE_TAPS = 3, /* of a row */
    DEPTHWISE_STEPS = 2,
    DEPTHWISE_LINES = 16,
    CACHE_LINE = 16 /* floats */
};

/* A row of taps: where what it reads begins for the tile's first pixel and first tap (that may be outside),
 * and the filter of that tap. */
typedef struct depthwise_line {
    int64_t a, b;
} depthwise_line;

typedef struct depthwise_tile {
    const depthwise_line *line;
    int64_t lines;
    const float *a, *b;
    int64_t a_step, b_step; /* between pixels that are read, and between taps */
    int64_t b_channel;      /* between rows of the filter for the channels of a group */
    /* Of the pixels from a on, low..high-1 are inside of the row: among them the one that the last tap of the first
     * pixel sees, and the one that the first tap of the last pixel sees. */
    int64_t low, high;
    const float *bias;         /* or NULL */
    const weft_finish *finish; /* or NULL */
    const float *addend;       /* of it, at c's place, or NULL */
    const weft_finish *before; /* prologue of the first channel, or NULL */
    float *c;
    int64_t c_step, channels;
    /* Meanwhile this is fetched into the cache: rows that are read soon, from here on, and the row
     * that is written next. */
    const float *fetch;
    int64_t fetch_rows, fetch_step;
    const float *next; /* or NULL */
} depthwise_tile;

SIMD_INLINE void depthwise_fetch(const depthwise_tile *t, int64_t channel, int pixels, int step)
{
    if (channel % CACHE_LINE)
        return;
    const float *a = t->fetch + channel;
    for (int64_t row = 0; row < t->fetch_rows; row++, a += t->fetch_step)
#pragma GCC unroll 16
        for (int j = 0; j < pixels * step; j++)
            __builtin_prefetch(a + j * t->a_step);
    if (t->next)
#pragma GCC unroll 8
        for (int i = 0; i < pixels; i++)
            __builtin_prefetch(t->next + channel + i * t->c_step, 1);
}

/* Adds what one row of taps gives, by channel c of each group. */
SIMD_INLINE void depthwise_add(const depthwise_tile *t, const float *a, const float *b,
                               const finish_reader *by, int64_t lanes, int pixels, int taps,
                               int step, int group, int c, bool whole, vfloat sum[DEPTHWISE_PIXELS])
{
    const int reach = (pixels - 1) * step + taps;
    vfloat w[DEPTHWISE_TAPS];
#pragma GCC unroll 3
    for (int k = 0; k < taps; k++)
        w[k] = vload_lanes(b + k * t->b_step, lanes);
#pragma GCC unroll 17
    for (int j = 0; j < reach; j++) {
        if (!whole && ((j < taps - 1 && j < t->low) || (j > reach - taps && j >= t->high)))
            continue;
        vfloat x = vheld_of_many(vload_lanes(a + j * t->a_step, lanes));
        if (by)
            x = finish_through(by, x);
        if (group > 1)
            x = vspread(x, group, c);
#pragma GCC unroll 3
        for (int k = 0; k < taps; k++)
            if (j >= k && (j - k) % step == 0 && (j - k) / step < pixels)
                sum[(j - k) / step] += w[k] * x;
    }
}

/* Up to LANES channels; whole: every pixel is inside; reads: through the prologue. Those two, the numbers before them,
 * and `lanes` of whole vectors are constants. */
SIMD_INLINE void depthwise_channels(const depthwise_tile *t, int64_t channel, int64_t lanes,
                                    int pixels, int taps, int step, int group, bool whole,
                                    bool reads)
{
    vfloat sum[DEPTHWISE_PIXELS];
    vfloat start = t->bias ? vload_lanes(t->bias + channel, lanes) : (vfloat){0};
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        sum[i] = start;
    finish_reader by = {{{0}}};
    if (reads)
        by = finish_reader_of(t->before, channel, lanes);
    depthwise_fetch(t, channel, pixels, step);
    for (int64_t l = 0; l < t->lines; l++)
#pragma GCC unroll SPREAD_UNROLLED
        for (int c = 0; c < group; c++)
            depthwise_add(t, t->a + t->line[l].a + channel,
                          t->b + t->line[l].b + channel + c * t->b_channel, reads ? &by : NULL,
                          lanes, pixels, taps, step, group, c, whole, sum);
    if (t->finish) {
        finish_channels channels = finish_load(t->finish, channel, lanes);
        finish_vectors(t->finish, &channels, sum, pixels, t->addend ? t->addend + channel : NULL,
                       t->c_step, lanes);
    }
    float *c = t->c + channel;
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        vstore_lanes(c + i * t->c_step, sum[i], lanes);
}

/* Returns the channels that are done: all whole vectors. */
SIMD_INLINE int64_t depthwise_vectors(const depthwise_tile *t, int pixels, int taps, int step,
                                      int group, bool whole, bool reads)
{
    int64_t channel = 0;
    for (; channel + LANES <= t->channels; channel += LANES)
        depthwise_channels(t, channel, LANES, pixels, taps, step, group, whole, reads);
    return channel;
}

SIMD_INLINE void depthwise_pixels(const depthwise_tile *t, int pixels, int taps, int step,
                                  int group)
{
    int64_t channel;
    bool whole = t->low <= 0 && t->high >= (pixels - 1) * step + taps;
    if (whole && !t->before)
        channel = depthwise_vectors(t, pixels, taps, step, group, true, false);
    else if (group > 1) /* of many groups, fewer forms */
        channel = depthwise_vectors(t, pixels, taps, step, group, false, true);
    else if (whole)
        channel = depthwise_vectors(t, pixels, taps, step, group, true, true);
    else
        channel = t->before ? depthwise_vectors(t, pixels, taps, step, group, false, true)
                            : depthwise_vectors(t, pixels, taps, step, group, false, false);
    if (channel < t->channels)
        depthwise_channels(t, channel, t->channels - channel, pixels, taps, step, group, false,
                           true);
}

typedef void depthwise_fn(const depthwise_tile *tile);
/* By step, taps and pixels; NULL: there is no such tile. */
typedef depthwise_fn
    *depthwise_table[DEPTHWISE_STEPS + 1][DEPTHWISE_TAPS + 1][DEPTHWISE_PIXELS + 1];

#define DEPTHWISE_TILE(group, pixels, taps, step)                                                  \
    static void depthwise_##group##_##pixels##_##taps##_##step(const depthwise_tile *t)            \
    {                                                                                              \
        depthwise_pixels(t, pixels, taps, step, group);                                            \
    }
#define DEPTHWISE_ENTRY(group, pixels, taps, step)                                                 \
    [step][taps][pixels] = depthwise_##group##_##pixels##_##taps##_##step,

#define DEPTHWISE_EACH_PIXELS(X, group, taps, step)                                                \
    X(group, 1, taps, step)                                                                        \
    X(group, 2, taps, step)                                                                        \
    X(group, 3, taps, step)                                                                        \
    X(group, 4, taps, step)                                                                        \
    X(group, 5, taps, step)                                                                        \
    X(group, 6, taps, step) X(group, 7, taps, step) X(group, 8, taps, step)
/* All tiles for groups of so many channels. */
#define DEPTHWISE_EACH(X, group)                                                                   \
    DEPTHWISE_EACH_PIXELS(X, group, 1, 1)                                                          \
    DEPTHWISE_EACH_PIXELS(X, group, 2, 1)                                                          \
    DEPTHWISE_EACH_PIXELS(X, group, 3, 1) DEPTHWISE_EACH_PIXELS(X, group, 3, 2)

#endif

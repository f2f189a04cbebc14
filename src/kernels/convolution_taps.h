/* One spatial dimension of a convolution or of its input gradient, as positions and taps.
 *
 * Position q of the array that is written is element first + q * step. It gathers, for each tap t, element
 * q * in_step + offset + t * offset_step of the array that is read, times filter element
 * filter + t * filter_step. Forward, there is one phase: all positions of y. The input gradient at stride
 * s has s phases, the positions of dx by their remainder: each is a correlation of stride 1 of its own,
 * with those taps whose offset is an integer. Offsets rise with t. */
#ifndef WEFT_KERNELS_CONVOLUTION_TAPS_H
#define WEFT_KERNELS_CONVOLUTION_TAPS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct weft_dimension {
    int64_t in;  /* extent of the array that is read */
    int64_t out; /* extent of the array that is written */
    int64_t kernel, stride, dilation, pad;
} weft_dimension;

typedef struct weft_taps {
    int64_t positions, first, step;
    int64_t count, in_step, offset, offset_step, filter, filter_step;
} weft_taps;

/* Elements of the array that is read, from the first to the last that so many neighbouring positions gather. */
static inline int64_t weft_taps_extent(const weft_taps *t, int64_t positions)
{
    return (positions - 1) * t->in_step + (t->count - 1) * t->offset_step + 1;
}

static inline weft_taps weft_taps_forward(const weft_dimension *d, bool flip)
{
    return (weft_taps){.positions = d->out,
                       .step = 1,
                       .count = d->kernel,
                       .in_step = d->stride,
                       .offset = -d->pad,
                       .offset_step = d->dilation,
                       .filter = flip ? d->kernel - 1 : 0,
                       .filter_step = flip ? -1 : 1};
}

static inline weft_taps weft_taps_gradient(const weft_dimension *d, bool flip, int64_t phase)
{
    weft_taps taps = {.positions = (d->out - phase + d->stride - 1) / d->stride,
                      .first = phase,
                      .step = d->stride,
                      .in_step = 1};
    if (taps.positions < 0)
        taps.positions = 0;
    /* Tap k of the filter reads element (element + pad - k * dilation) / stride, where that is whole:
     * at every period-th k. */
    int64_t k = 0, period = 1;
    while (period * d->dilation % d->stride != 0)
        period++;
    while (k < period && (phase + d->pad - k * d->dilation) % d->stride != 0)
        k++;
    if (k == period || k >= d->kernel)
        return taps;
    taps.count = (d->kernel - 1 - k) / period + 1;
    int64_t last = k + (taps.count - 1) * period;
    taps.offset = (phase + d->pad - last * d->dilation) / d->stride;
    taps.offset_step = period * d->dilation / d->stride;
    taps.filter = flip ? d->kernel - 1 - last : last;
    taps.filter_step = flip ? period : -period;
    return taps;
}

#endif

/* One spatial dimension of a convolution or of its input gradient, as positions and taps.
 *
 * Position q of the array that is written is element first + q * step. It gathers, for each tap t, element
 * q * in_step + offset + t * offset_step of the array that is read, times filter element
 * filter + t * filter_step. Forward, there is one phase: all positions of y. The input gradient at stride
 * s has s phases, the positions of dx by their remainder: each is a correlation of stride 1 of its own,
 * with those taps whose offset is an integer. Offsets rise with t. */
#ifndef WEFT_KERNELS_CONVOLUTION_TAPS_H
#define WEFT_KERNELS_CONVOLUTION_TAPS_H

#include "kernels/convolution.h"
#include "kernels/integer.h"

typedef struct weft_dimension {
    int64_t in;  /* extent of the array that is read */
    int64_t out; /* extent of the array that is written */
    int64_t kernel, stride, dilation, pad;
} weft_dimension;

/* Dimension i of a problem, or of its input gradient. */
static inline weft_dimension weft_dimension_of(const weft_convolution_problem *problem,
                                               bool gradient, int i)
{
    return (weft_dimension){.in = gradient ? problem->out[i] : problem->in[i],
                            .out = gradient ? problem->in[i] : problem->out[i],
                            .kernel = problem->kernel[i],
                            .stride = problem->stride[i],
                            .dilation = problem->dilation[i],
                            .pad = problem->pad[i]};
}

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
    int64_t k = 0, period = d->stride / weft_common_divisor(d->stride, d->dilation);
    int64_t rest = weft_remainder(phase + d->pad, d->stride), less = d->dilation % d->stride;
    for (; k < period && rest != 0; k++)
        rest -= rest < less ? less - d->stride : less;
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

static inline weft_taps weft_taps_of(const weft_dimension *d, bool gradient, bool flip,
                                     int64_t phase)
{
    return gradient ? weft_taps_gradient(d, flip, phase) : weft_taps_forward(d, flip);
}

/* Taps of the filter that belong to phases before this one: those of all phases together are the filter's. */
static inline int64_t weft_taps_before(const weft_dimension *d, int64_t phase)
{
    int64_t before = 0;
    for (int64_t k = 0; k < d->kernel; k++)
        before += weft_remainder(k * d->dilation - d->pad, d->stride) < phase;
    return before;
}

#endif

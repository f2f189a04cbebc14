/* Sums of each channel over pixels, made part by part and merged in the order of the parts: pieces of a
 * kernel run at the same time, and the bits must not depend on it.
 *
 * A part leaves four numbers a channel, [parts][4][channels]:
 *     statistics of x:           a number close to the mean, the sums of differences from it and of their
 *                                squares, the count of pixels
 *     products of dy and x:      the sums of dy and of dy * (x - mean), nothing, nothing */
#ifndef WEFT_KERNELS_CHANNEL_SUMS_H
#define WEFT_KERNELS_CHANNEL_SUMS_H

#include "kernels/isa.h"

#include <stdint.h>

typedef enum weft_channel_sums {
    WEFT_CHANNEL_STATISTICS, /* of one operand, x */
    WEFT_CHANNEL_PRODUCTS    /* of dy, x and mean, which is one row of channels */
} weft_channel_sums;

enum { WEFT_CHANNEL_NUMBERS = 4, WEFT_CHANNEL_OPERANDS = 3 };

/* Rows of some channels: `step` elements apart, 0 for a row that is repeated. */
typedef struct weft_channel_rows {
    const float *in[WEFT_CHANNEL_OPERANDS];
    int64_t step[WEFT_CHANNEL_OPERANDS];
    int64_t rows, channels;
    float *number;       /* of the part, at the first of these channels */
    int64_t number_step; /* from one number of a channel to the next */
} weft_channel_rows;

/* Adds rows to what a part has. A part starts with all numbers 0. */
typedef void weft_channel_sums_fn(const weft_channel_rows *rows);

typedef struct weft_channel_kernels {
    weft_channel_sums_fn *add[WEFT_CHANNEL_PRODUCTS + 1];
} weft_channel_kernels;

WEFT_ISA_DECLARE(weft_channel_kernels, weft_channel_kernel_table);

#endif

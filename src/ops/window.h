/* How a sliding window walks along one dimension: what convolution and pooling share. */
#ifndef WEFT_OPS_WINDOW_H
#define WEFT_OPS_WINDOW_H

#include <stdint.h>

#include "weft/padding.h"

typedef struct weft_window {
    int64_t extent, stride, dilation; /* all at least 1 */
    weft_padding padding;
    int64_t pad_low, pad_high; /* read where padding is WEFT_EXPLICIT */
} weft_window;

/* What the window covers: (extent - 1) * dilation + 1. */
int64_t weft_window_span(const weft_window *window);

/* The padding before and after an input of that extent, as the kind of padding says. */
void weft_window_pads(const weft_window *window, int64_t input, int64_t *low, int64_t *high);

/* Number of positions along an input of that extent, floor((input + low + high - span) / stride) +
 * 1; 0 where the window spans more than the padded input. */
int64_t weft_window_positions(const weft_window *window, int64_t input);

#endif

/* How windows (of convolutions and poolings) meet the border. */
#ifndef WEFT_PADDING_H
#define WEFT_PADDING_H

/* i: input extent, s: stride, e = (window - 1) * dilation + 1: what the window spans. All round the
 * output extent down: floor((i + low + high - e) / s) + 1. */
typedef enum weft_padding {
    WEFT_VALID = 0, /* none */
    WEFT_SAME, /* output extent ceil(i / s); low = total / 2 rounded down, the rest is high (Keras) */
    WEFT_FULL,    /* e - 1 on either side: every window that touches the input */
    WEFT_EXPLICIT /* pad_low and pad_high of the options, one for each spatial dimension */
} weft_padding;

#endif

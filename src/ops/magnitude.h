/* |x| and its slope, of maps that there are. */
#ifndef WEFT_OPS_MAGNITUDE_H
#define WEFT_OPS_MAGNITUDE_H

#include "weft/activation.h"
#include "weft/arithmetic.h"

/* Its gradient at 0 is 0. */
static inline weft_value weft_magnitude(weft_value x)
{
    return (weft_add)((weft_relu)(x), (weft_relu)((weft_negate)(x)));
}

/* -1, 0 or 1: where x is |x| less where -x is. */
static inline weft_value weft_magnitude_slope(weft_value x)
{
    weft_value size = weft_magnitude(x);
    return (weft_subtract)((weft_equal)(size, x), (weft_equal)(size, (weft_negate)(x)));
}

#endif

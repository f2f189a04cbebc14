/* |x|, of maps that there are. */
#ifndef WEFT_OPS_MAGNITUDE_H
#define WEFT_OPS_MAGNITUDE_H

#include "weft/activation.h"
#include "weft/arithmetic.h"

/* Its gradient at 0 is 0. */
static inline weft_value weft_magnitude(weft_value x)
{
    return (weft_add)((weft_relu)(x), (weft_relu)((weft_negate)(x)));
}

#endif

/* Gradients of normalizations that also give the moments that normalized. */
#ifndef WEFT_OPS_MOMENTS_H
#define WEFT_OPS_MOMENTS_H

#include "weft/op.h"

/* a + b, where a null value is nothing; null where both are. */
weft_value weft_sum_of_known(weft_value a, weft_value b);

/* What flows to x from its mean and its (biased) variance, which are broadcast to x: from their gradients, of which
 * either or both may be null. */
weft_value weft_moments_gradient(weft_value x, weft_value mean, weft_value dmean,
                                 weft_value dvariance);

#endif

#include "ops/moments.h"

#include "weft/arithmetic.h"
#include "weft/reduction.h"

weft_value weft_sum_of_known(weft_value a, weft_value b)
{
    if (weft_is_null(a) || weft_is_null(b))
        return weft_is_null(a) ? b : a;
    return weft_add(a, b);
}

weft_value weft_moments_gradient(weft_value x, weft_value mean, weft_value dmean,
                                 weft_value dvariance)
{
    weft_value gradient = weft_null(x.graph);
    if (!weft_is_null(dmean))
        gradient = weft_broadcast_like(weft_divide_by_count(dmean, x), x);
    if (!weft_is_null(dvariance)) {
        weft_value each = weft_scale(weft_divide_by_count(dvariance, x), 2);
        weft_value centered = weft_subtract(x, mean);
        gradient = weft_sum_of_known(gradient, weft_multiply(centered, each));
    }
    return gradient;
}

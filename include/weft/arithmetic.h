/* Elementwise arithmetic.
 *
 * The four operations broadcast as in NumPy: shapes are aligned at their last dimension, and an extent
 * of 1, or a missing one, is repeated. Open batch extents match the same open extent and 1. Gradients
 * sum over what was repeated. All operands are real. */
#ifndef WEFT_ARITHMETIC_H
#define WEFT_ARITHMETIC_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

WEFT_API weft_value weft_add(weft_value x, weft_value y);
WEFT_API weft_value weft_subtract(weft_value x, weft_value y);
WEFT_API weft_value weft_multiply(weft_value x, weft_value y);
WEFT_API weft_value weft_divide(weft_value x, weft_value y);

/* factor * x, x + addend. */
WEFT_API weft_value weft_scale(weft_value x, double factor);
WEFT_API weft_value weft_offset(weft_value x, double addend);

WEFT_API weft_value weft_negate(weft_value x);
WEFT_API weft_value weft_square(weft_value x);
WEFT_API weft_value weft_sqrt(weft_value x);
/* 1 / sqrt(x). */
WEFT_API weft_value weft_rsqrt(weft_value x);
WEFT_API weft_value weft_exp(weft_value x);
/* The natural logarithm. */
WEFT_API weft_value weft_log(weft_value x);

/* |x|, and its sign: 1, -1, or 0 where x is 0. The gradient of |x| at 0 is 0, that of the sign everywhere. */
WEFT_API weft_value weft_abs(weft_value x);
WEFT_API weft_value weft_sign(weft_value x);
/* x^y as of C's pow: NaN where x < 0 and y is no whole number. The gradient by x is 0 where y is 0, that by y
 * is 0 where x is 0, and NaN where x < 0. Broadcasts. */
WEFT_API weft_value weft_power(weft_value x, weft_value y);

/* ---- Comparing and choosing; all broadcast as the four operations ---- */

/* The larger or the smaller of the two; NaN where one of them is. Where they are equal, each gets half of the
 * gradient (as of PyTorch). */
WEFT_API weft_value weft_maximum(weft_value x, weft_value y);
WEFT_API weft_value weft_minimum(weft_value x, weft_value y);
/* min(max(x, low), high); NaN stays NaN. The gradient is 1 from low to high, both included (as of PyTorch's
 * clamp). Either may be infinite; low above high is an error. */
WEFT_API weft_value weft_clip(weft_value x, double low, double high);

/* 1 where it is true of x and y, else 0; NaN differs from all, itself included. No gradient. */
WEFT_API weft_value weft_equal(weft_value x, weft_value y);
WEFT_API weft_value weft_not_equal(weft_value x, weft_value y);
WEFT_API weft_value weft_less(weft_value x, weft_value y);
WEFT_API weft_value weft_less_equal(weft_value x, weft_value y);
WEFT_API weft_value weft_greater(weft_value x, weft_value y);
WEFT_API weft_value weft_greater_equal(weft_value x, weft_value y);
/* x where choice is not 0, else y. The gradient goes to the one that was taken, 0 to the other; choice
 * has none. */
WEFT_API weft_value weft_select(weft_value choice, weft_value x, weft_value y);

/* ---- Repeating, summing, casting ---- */

/* x repeated to the shape of `like`, whose elements are not read. */
WEFT_API weft_value weft_broadcast_like(weft_value x, weft_value like);
/* The sum of x over the dimensions along which the shape of `like` would be repeated to that of x: what
 * the gradient of broadcasting is. The elements of `like` are not read. */
WEFT_API weft_value weft_sum_like(weft_value x, weft_value like);

typedef struct weft_cast_options {
    const char *name; /* NULL: "cast" */
    double scale;     /* 0: 1 */
    double offset;
} weft_cast_options;

/* Makes int32 or uint8 elements real: scale * x + offset, such as bytes / 255. No gradient. */
WEFT_API weft_value weft_cast_real(weft_value x, const weft_cast_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_add(x, y) (weft_add)(WEFT_HERE(x), y)
#define weft_subtract(x, y) (weft_subtract)(WEFT_HERE(x), y)
#define weft_multiply(x, y) (weft_multiply)(WEFT_HERE(x), y)
#define weft_divide(x, y) (weft_divide)(WEFT_HERE(x), y)
#define weft_scale(x, factor) (weft_scale)(WEFT_HERE(x), factor)
#define weft_offset(x, addend) (weft_offset)(WEFT_HERE(x), addend)
#define weft_negate(x) (weft_negate)(WEFT_HERE(x))
#define weft_square(x) (weft_square)(WEFT_HERE(x))
#define weft_sqrt(x) (weft_sqrt)(WEFT_HERE(x))
#define weft_rsqrt(x) (weft_rsqrt)(WEFT_HERE(x))
#define weft_exp(x) (weft_exp)(WEFT_HERE(x))
#define weft_log(x) (weft_log)(WEFT_HERE(x))
#define weft_abs(x) (weft_abs)(WEFT_HERE(x))
#define weft_sign(x) (weft_sign)(WEFT_HERE(x))
#define weft_power(x, y) (weft_power)(WEFT_HERE(x), y)
#define weft_maximum(x, y) (weft_maximum)(WEFT_HERE(x), y)
#define weft_minimum(x, y) (weft_minimum)(WEFT_HERE(x), y)
#define weft_clip(x, low, high) (weft_clip)(WEFT_HERE(x), low, high)
#define weft_equal(x, y) (weft_equal)(WEFT_HERE(x), y)
#define weft_not_equal(x, y) (weft_not_equal)(WEFT_HERE(x), y)
#define weft_less(x, y) (weft_less)(WEFT_HERE(x), y)
#define weft_less_equal(x, y) (weft_less_equal)(WEFT_HERE(x), y)
#define weft_greater(x, y) (weft_greater)(WEFT_HERE(x), y)
#define weft_greater_equal(x, y) (weft_greater_equal)(WEFT_HERE(x), y)
#define weft_select(choice, x, y) (weft_select)(WEFT_HERE(choice), x, y)
#define weft_broadcast_like(x, like) (weft_broadcast_like)(WEFT_HERE(x), like)
#define weft_sum_like(x, like) (weft_sum_like)(WEFT_HERE(x), like)
#define weft_cast_real(x, ...) (weft_cast_real)(WEFT_HERE(x), &(weft_cast_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

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

/* 1 where x equals y, else 0; broadcasts as the four operations. No gradient. */
WEFT_API weft_value weft_equal(weft_value x, weft_value y);

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
#define weft_equal(x, y) (weft_equal)(WEFT_HERE(x), y)
#define weft_broadcast_like(x, like) (weft_broadcast_like)(WEFT_HERE(x), like)
#define weft_sum_like(x, like) (weft_sum_like)(WEFT_HERE(x), like)
#define weft_cast_real(x, ...) (weft_cast_real)(WEFT_HERE(x), &(weft_cast_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

/* Pooling over windows of one, two or three spatial dimensions, and over all of them. */
#ifndef WEFT_POOLING_H
#define WEFT_POOLING_H

#include "weft/graph.h"
#include "weft/padding.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One entry for each spatial dimension of the input, in the order of its shape: {H, W} for images, {D,
 * H, W} for volumes, {W} for sequences. */
typedef struct weft_pool_options {
    const char *name; /* NULL: the op's */
    int window[3];    /* extents, 1 or more */
    int stride[3];    /* 0: the window's extent */
    weft_padding padding;
    /* Before and after the input, less than the window; giving them means WEFT_EXPLICIT. */
    int pad_low[3], pad_high[3];
    /* Rounds the output's extent up instead of down, so that windows may hang over the end; those that
     * would start in the high padding or beyond are dropped (PyTorch, ONNX). WEFT_SAME has the same
     * extents in both modes. */
    bool ceil_mode;
    /* Average only: the divisor counts padding too, but not what ceil_mode hangs over beyond it.
     * Default: elements of the input alone. */
    bool count_include_pad;
} weft_pool_options;

/* The largest element of each window and channel: [N, spatial..., C] to [N, positions..., C]. Padding is
 * never the largest. The first of equal elements, in row-major order, gets the gradient; NaN counts as
 * the largest. An input of another rank than 3 to 5, other than one window extent for each spatial
 * dimension, or a window larger than the padded input, is an error. */
WEFT_API weft_value weft_max_pool(weft_value x, const weft_pool_options *options);

/* The mean of each window and channel; padding counts as 0. */
WEFT_API weft_value weft_average_pool(weft_value x, const weft_pool_options *options);

typedef struct weft_global_pool_options {
    const char *name; /* NULL: the op's */
    bool keep_dims;   /* [N, 1..., C] instead of [N, C] */
} weft_global_pool_options;

/* Mean and maximum over all spatial dimensions: [N, spatial..., C] to [N, C]. */
WEFT_API weft_value weft_global_average_pool(weft_value x, const weft_global_pool_options *options);
WEFT_API weft_value weft_global_max_pool(weft_value x, const weft_global_pool_options *options);

typedef struct weft_adaptive_pool_options {
    const char *name; /* NULL: the op's */
    int size[3];      /* parts of each spatial dimension */
} weft_adaptive_pool_options;

/* The mean of each of size[d] parts along spatial dimension d: [N, spatial..., C] to [N, size..., C]. Part
 * i of n covers elements floor(i E / n) to ceil((i + 1) E / n) - 1 of E, so that parts overlap where n
 * does not divide E (PyTorch). E is the extent that x has when the node is built, and must be fixed. */
WEFT_API weft_value weft_adaptive_average_pool(weft_value x,
                                               const weft_adaptive_pool_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_max_pool(x, ...) (weft_max_pool)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_average_pool(x, ...)                                                                  \
    (weft_average_pool)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_global_average_pool(x, ...)                                                           \
    (weft_global_average_pool)(WEFT_HERE(x), &(weft_global_pool_options){__VA_ARGS__})
#define weft_adaptive_average_pool(x, ...)                                                         \
    (weft_adaptive_average_pool)(WEFT_HERE(x), &(weft_adaptive_pool_options){__VA_ARGS__})
#define weft_global_max_pool(x, ...)                                                               \
    (weft_global_max_pool)(WEFT_HERE(x), &(weft_global_pool_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

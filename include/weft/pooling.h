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
     * Default: elements of the input alone (Keras, ONNX); PyTorch's is this option. */
    bool count_include_pad;
    int p; /* Lp only; 0: 2 */
} weft_pool_options;

/* The largest element of each window and channel: [N, spatial..., C] to [N, positions..., C]. Padding is
 * never the largest. The first of equal elements, in row-major order, gets the gradient; NaN counts as
 * the largest, and of several the last. An input of another rank than 3 to 5, other than one window extent for each spatial
 * dimension, or a window larger than the padded input, is an error. */
WEFT_API weft_value weft_max_pool(weft_value x, const weft_pool_options *options);

/* Where in its image that element is, row by row ((d H + h) W + w, without the channels), as int32: PyTorch's
 * return_indices. No gradient. */
WEFT_API weft_value weft_max_pool_indices(weft_value x, const weft_pool_options *options);
/* The undoing of max pooling: zeros in the shape of `like`, whose elements are not read, and x [N, positions..,
 * C] added at the places that indices, of x's shape, say (Zeiler, Fergus 2014, "Visualizing and understanding
 * convolutional networks", section 2.1). Values for one place, as where windows overlap, are added up;
 * PyTorch's max_unpool keeps one of them. What has an index outside of the image is left out. */
WEFT_API weft_value weft_max_unpool(weft_value x, weft_value indices, weft_value like);

/* The mean of each window and channel; padding counts as 0. */
WEFT_API weft_value weft_average_pool(weft_value x, const weft_pool_options *options);

/* (sum of |x|^p)^(1 / p) over each window and channel; padding counts as 0. As in PyTorch, what ceil_mode hangs
 * over counts as the mean of the rest of its window. PyTorch takes x^p instead of |x|^p, which for odd p makes
 * NaN of negative sums; ONNX has this form. The gradient of a window of zeros is 0. */
WEFT_API weft_value weft_lp_pool(weft_value x, const weft_pool_options *options);

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

/* The mean and the maximum of each of size[d] parts along spatial dimension d: [N, spatial..., C] to [N, size..., C]. Part
 * i of n covers elements floor(i E / n) to ceil((i + 1) E / n) - 1 of E, so that parts overlap where n
 * does not divide E (PyTorch). E is the extent that x has when the node is built, and must be fixed. Where
 * one of the sizes does not divide its extent, more than 64 parts along a dimension are an error. */
WEFT_API weft_value weft_adaptive_average_pool(weft_value x,
                                               const weft_adaptive_pool_options *options);
WEFT_API weft_value weft_adaptive_max_pool(weft_value x, const weft_adaptive_pool_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_max_pool(x, ...) (weft_max_pool)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_max_pool_indices(x, ...)                                                              \
    (weft_max_pool_indices)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_max_unpool(x, indices, like) (weft_max_unpool)(WEFT_HERE(x), indices, like)
#define weft_average_pool(x, ...)                                                                  \
    (weft_average_pool)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_lp_pool(x, ...) (weft_lp_pool)(WEFT_HERE(x), &(weft_pool_options){__VA_ARGS__})
#define weft_global_average_pool(x, ...)                                                           \
    (weft_global_average_pool)(WEFT_HERE(x), &(weft_global_pool_options){__VA_ARGS__})
#define weft_adaptive_average_pool(x, ...)                                                         \
    (weft_adaptive_average_pool)(WEFT_HERE(x), &(weft_adaptive_pool_options){__VA_ARGS__})
#define weft_adaptive_max_pool(x, ...)                                                             \
    (weft_adaptive_max_pool)(WEFT_HERE(x), &(weft_adaptive_pool_options){__VA_ARGS__})
#define weft_global_max_pool(x, ...)                                                               \
    (weft_global_max_pool)(WEFT_HERE(x), &(weft_global_pool_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

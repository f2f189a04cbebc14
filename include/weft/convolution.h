/* Convolution in 1, 2 and 3 spatial dimensions.
 *
 * Activations are N [D] [H] W C, filters [D] [H] W Cin/groups Cout; spatial extents and channels are
 * fixed, the batch may be open. With o an output position, k a filter position and
 * i = o * stride - pad_low + k * dilation in each dimension (terms with i outside the input are zero),
 * convolution is
 *
 *     y[n, o, co] = bias[co] + sum over k, ci of x[n, i, ci] * w[k, ci, co]
 *
 * with ci over the channels of co's group. The extent of y is floor((n + low + high - span) / stride) + 1
 * in each dimension, where a filter of m spans (m - 1) * dilation + 1. The ops below are this one
 * bilinear form, solved for each of y, x and w; the gradients of each are the other two. */
#ifndef WEFT_CONVOLUTION_H
#define WEFT_CONVOLUTION_H

#include "weft/graph.h"
#include "weft/padding.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_MAX_SPATIAL = 3 };

/* Entries of the arrays belong to the spatial dimensions in order, outermost first: [0] is H and [1] is W
 * of an image. Those beyond must be left zero. */
typedef struct weft_convolution_options {
    const char *name;
    int stride[WEFT_MAX_SPATIAL];   /* 0: 1 */
    int dilation[WEFT_MAX_SPATIAL]; /* 0: 1 */
    weft_padding padding;
    int pad_low
        [WEFT_MAX_SPATIAL]; /* zeros before and after the input; giving them means WEFT_EXPLICIT */
    int pad_high[WEFT_MAX_SPATIAL];
    int groups;       /* 0: 1. As many as input channels: depthwise */
    bool flip_filter; /* the filter rotated by 180 degrees: convolution as in mathematics. Default:
                       * cross-correlation, as everywhere in machine learning */
    weft_value bias;  /* [Cout], optional; of weft_convolution and weft_transposed_convolution */

    /* Extent to add to the result of a transposed convolution, at the end; less than stride or dilation,
     * and not with WEFT_SAME. In the other ops of the family it is taken off the padding at the end. */
    int output_padding[WEFT_MAX_SPATIAL];
} weft_convolution_options;

/* Convolution of x with filter w. */
WEFT_API weft_value weft_convolution(weft_value x, weft_value w,
                                     const weft_convolution_options *options);

/* Transposed convolution: the input gradient of a convolution with filter w, whose layout is that
 * convolution's, so [D] [H] W Cout/groups Cin with x's channels last. The extent of the result, for i
 * of x, stride s, padding p = low + high and span e:
 *   WEFT_VALID     (i - 1) s + max(e + output_padding, s)      (Keras; PyTorch's where e >= s)
 *   WEFT_SAME      i s                                         (Keras)
 *   WEFT_FULL      (i - 1) s + e + output_padding - 2 (e - 1)
 *   WEFT_EXPLICIT  (i - 1) s + e + output_padding - p          (PyTorch) */
WEFT_API weft_value weft_transposed_convolution(weft_value x, weft_value w,
                                                const weft_convolution_options *options);

/* Gradient of sum(dy * weft_convolution(x, w)) with respect to x, given x's shape by x_like, whose
 * elements are not read. options are the convolution's. */
WEFT_API weft_value weft_convolution_input_gradient(weft_value dy, weft_value w, weft_value x_like,
                                                    const weft_convolution_options *options);

/* The same with respect to w, whose shape is w_like's. */
WEFT_API weft_value weft_convolution_filter_gradient(weft_value x, weft_value dy, weft_value w_like,
                                                     const weft_convolution_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_convolution(x, w, ...)                                                                \
    (weft_convolution)(WEFT_HERE(x), w, &(weft_convolution_options){__VA_ARGS__})
#define weft_transposed_convolution(x, w, ...)                                                     \
    (weft_transposed_convolution)(WEFT_HERE(x), w, &(weft_convolution_options){__VA_ARGS__})
#define weft_convolution_input_gradient(dy, w, x_like, ...)                                        \
    (weft_convolution_input_gradient)(WEFT_HERE(dy), w, x_like,                                    \
                                      &(weft_convolution_options){__VA_ARGS__})
#define weft_convolution_filter_gradient(x, dy, w_like, ...)                                       \
    (weft_convolution_filter_gradient)(WEFT_HERE(x), dy, w_like,                                   \
                                       &(weft_convolution_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

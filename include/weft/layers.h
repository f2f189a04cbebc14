/* Layers: an op together with the variables it needs, which the layer creates in a scope of its own.
 *
 * A layer named "conv1" has the variables "conv1.weight" and "conv1.bias"; the names are PyTorch's, the
 * layouts weft's (see include/weft/convolution.h and dense.h). Without a name it is called after its kind,
 * "conv2d", "conv2d_1", ... Every layer returns the value of its op. */
#ifndef WEFT_LAYERS_H
#define WEFT_LAYERS_H

#include "weft/convolution.h"
#include "weft/graph.h"
#include "weft/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Convolutions ---- */

/* Arrays have one entry for each spatial dimension, outermost first. */
typedef struct weft_conv_options {
    const char *name;
    int filters; /* output channels */
    int kernel[WEFT_MAX_SPATIAL];
    int stride[WEFT_MAX_SPATIAL];   /* 0: 1 */
    int dilation[WEFT_MAX_SPATIAL]; /* 0: 1 */
    weft_padding padding;
    int pad_low[WEFT_MAX_SPATIAL]; /* giving them means WEFT_EXPLICIT */
    int pad_high[WEFT_MAX_SPATIAL];
    int output_padding[WEFT_MAX_SPATIAL]; /* of transposed ones */
    int groups;                           /* 0: 1 */
    bool flip_filter;
    bool no_bias;
    weft_initializer initializer;      /* default: Glorot normal, truncated */
    weft_initializer bias_initializer; /* default: zeros */
    bool frozen;
} weft_conv_options;

/* Convolution of x, [N, W, C], [N, H, W, C] or [N, D, H, W, C], with variables
 *   weight [kernel.., C / groups, filters] and bias [filters]. */
WEFT_API weft_value weft_conv1d(weft_value x, const weft_conv_options *options);
WEFT_API weft_value weft_conv2d(weft_value x, const weft_conv_options *options);
WEFT_API weft_value weft_conv3d(weft_value x, const weft_conv_options *options);

/* Transposed convolution (see weft_transposed_convolution for the extents) with variables
 *   weight [kernel.., filters / groups, C] and bias [filters]. */
WEFT_API weft_value weft_conv_transpose1d(weft_value x, const weft_conv_options *options);
WEFT_API weft_value weft_conv_transpose2d(weft_value x, const weft_conv_options *options);
WEFT_API weft_value weft_conv_transpose3d(weft_value x, const weft_conv_options *options);

/* Depthwise and then pointwise convolution (Chollet 2017, "Xception"; Howard et al. 2017, "MobileNets"). */
typedef struct weft_separable_conv_options {
    const char *name;
    int filters;                  /* output channels */
    int multiplier;               /* channels that the first makes of each; 0: 1 */
    int kernel[WEFT_MAX_SPATIAL]; /* of the first, as what follows */
    int stride[WEFT_MAX_SPATIAL]; /* 0: 1 */
    int dilation[WEFT_MAX_SPATIAL];
    weft_padding padding;
    int pad_low[WEFT_MAX_SPATIAL]; /* giving them means WEFT_EXPLICIT */
    int pad_high[WEFT_MAX_SPATIAL];
    bool no_bias;
    weft_initializer initializer;           /* of the first; default: Glorot normal, truncated */
    weft_initializer pointwise_initializer; /* the same */
    weft_initializer bias_initializer;      /* default: zeros */
    bool frozen;
} weft_separable_conv_options;

/* With variables
 *   depthwise.weight [kernel.., 1, C * multiplier], pointwise.weight [1.., C * multiplier, filters] and
 *   pointwise.bias [filters]. */
WEFT_API weft_value weft_separable_conv1d(weft_value x, const weft_separable_conv_options *options);
WEFT_API weft_value weft_separable_conv2d(weft_value x, const weft_separable_conv_options *options);
WEFT_API weft_value weft_separable_conv3d(weft_value x, const weft_separable_conv_options *options);

/* ---- Dense ---- */

typedef struct weft_dense_options {
    const char *name;
    int units; /* output channels */
    bool no_bias;
    weft_initializer initializer;      /* default: Glorot normal, truncated */
    weft_initializer bias_initializer; /* default: zeros */
    bool frozen;
} weft_dense_options;

/* x [.., C] times weight [C, units], plus bias [units]: for every row of x. */
WEFT_API weft_value weft_dense(weft_value x, const weft_dense_options *options);

/* ---- Batch normalization ---- */

typedef struct weft_batch_norm_options {
    const char *name;
    double decay;   /* weight of the old running value in an update; 0: 0.9 */
    double epsilon; /* added to the variance; 0: 1e-5 */
    bool no_scale, no_shift;
    bool no_updates; /* leaves the running statistics as they are */
    /* the running variance is that over n, as Keras has it; default: over n - 1, as PyTorch has
     * it */
    bool biased_variance;
    weft_mode_choice mode;             /* by the program's mode, or pinned */
    weft_initializer initializer;      /* of weight; default: ones */
    weft_initializer bias_initializer; /* default: zeros */
    bool frozen;                       /* weight and bias; statistics are governed by mode */
} weft_batch_norm_options;

/* Batch normalization over all but the last dimension of x [N, .., C] with variables weight, bias,
 * running_mean and running_var, all [C], the last two not trainable. */
WEFT_API weft_value weft_batch_norm(weft_value x, const weft_batch_norm_options *options);

/* ---- Normalization within each sample ---- */

typedef struct weft_norm_options {
    const char *name;
    int groups;     /* of weft_group_norm; 0: 32 */
    int dimensions; /* of weft_layer_norm: the last so many; 0: 1, the channels */
    double epsilon; /* added to the variance; 0: 1e-5 (Keras: 1e-3) */
    /* PyTorch's instance norm has neither scale nor shift by default: set both */
    bool no_scale, no_shift;
    weft_initializer initializer;      /* of weight; default: ones */
    weft_initializer bias_initializer; /* default: zeros */
    bool frozen;
} weft_norm_options;

/* Layer, group and instance normalization (weft/normalization.h) of x [N, .., C] with variables weight and
 * bias, which have the extents of the normalized dimensions in layer normalization, else [C]. */
WEFT_API weft_value weft_layer_norm(weft_value x, const weft_norm_options *options);
WEFT_API weft_value weft_group_norm(weft_value x, const weft_norm_options *options);
WEFT_API weft_value weft_instance_norm(weft_value x, const weft_norm_options *options);

/* ---- Activations that learn ---- */

typedef struct weft_parametric_relu_options {
    const char *name;
    bool shared; /* one slope for all channels */
    weft_initializer
        initializer; /* default: 0.25, as PyTorch and the paper have it; Keras: zeros */
    bool frozen;
} weft_parametric_relu_options;

/* weft_prelu with a variable weight, [C] or [1]. */
WEFT_API weft_value weft_parametric_relu(weft_value x, const weft_parametric_relu_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_conv1d(x, ...) (weft_conv1d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_conv2d(x, ...) (weft_conv2d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_conv3d(x, ...) (weft_conv3d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_conv_transpose1d(x, ...)                                                              \
    (weft_conv_transpose1d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_conv_transpose2d(x, ...)                                                              \
    (weft_conv_transpose2d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_conv_transpose3d(x, ...)                                                              \
    (weft_conv_transpose3d)(WEFT_HERE(x), &(weft_conv_options){__VA_ARGS__})
#define weft_separable_conv1d(x, ...)                                                              \
    (weft_separable_conv1d)(WEFT_HERE(x), &(weft_separable_conv_options){__VA_ARGS__})
#define weft_separable_conv2d(x, ...)                                                              \
    (weft_separable_conv2d)(WEFT_HERE(x), &(weft_separable_conv_options){__VA_ARGS__})
#define weft_separable_conv3d(x, ...)                                                              \
    (weft_separable_conv3d)(WEFT_HERE(x), &(weft_separable_conv_options){__VA_ARGS__})
#define weft_batch_norm(x, ...)                                                                    \
    (weft_batch_norm)(WEFT_HERE(x), &(weft_batch_norm_options){__VA_ARGS__})
#define weft_parametric_relu(x, ...)                                                               \
    (weft_parametric_relu)(WEFT_HERE(x), &(weft_parametric_relu_options){__VA_ARGS__})
#define weft_layer_norm(x, ...) (weft_layer_norm)(WEFT_HERE(x), &(weft_norm_options){__VA_ARGS__})
#define weft_group_norm(x, ...) (weft_group_norm)(WEFT_HERE(x), &(weft_norm_options){__VA_ARGS__})
#define weft_instance_norm(x, ...)                                                                 \
    (weft_instance_norm)(WEFT_HERE(x), &(weft_norm_options){__VA_ARGS__})
#define weft_dense(x, ...) (weft_dense)(WEFT_HERE(x), &(weft_dense_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

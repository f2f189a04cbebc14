/* Random ops. What they draw is a function of the state's seed, the node's scoped name, the step, the
 * index of the sample in the whole batch, and the element within the sample: the same for any number of
 * threads, for float32 and float64, and for micro-batches as for the whole batch. */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include "weft/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_dropout_options {
    const char *name;      /* NULL: "dropout" */
    double rate;           /* in [0, 1]: the share of elements that become 0 */
    weft_mode_choice mode; /* dropped when training, passed on in inference; or pinned */
} weft_dropout_options;

/* Inverted dropout (Srivastava et al. 2014, section 10): elements are 0 with probability rate, the
 * others are scaled by 1 / (1 - rate). Samples lie along dimension 0; in a value whose dimension 0 is
 * not the open batch, every micro-batch draws alike. */
WEFT_API weft_value weft_dropout(weft_value x, const weft_dropout_options *options);

/* Dropout of whole channels: all pixels of a channel of a sample of x [N, .., C] are 0, or all are scaled
 * (Tompson et al. 2015, "Efficient object localization using convolutional networks", section 3.2; PyTorch's
 * Dropout1d to 3d, Keras's SpatialDropout). */
WEFT_API weft_value weft_spatial_dropout(weft_value x, const weft_dropout_options *options);

typedef struct weft_stochastic_depth_options {
    const char *name;      /* NULL: "stochastic_depth" */
    double rate;           /* in [0, 1]: the share of samples that become 0 */
    weft_mode_choice mode; /* as above */
    bool
        whole_batch; /* all samples of a batch share one fate: the paper's; torchvision's "batch" */
} weft_stochastic_depth_options;

/* Dropout of whole samples, for a residual branch before it is added: a sample of x is 0, or scaled by 1 / (1 -
 * rate) so that nothing is left to do in inference (Huang et al. 2016, "Deep networks with stochastic depth",
 * where branches are scaled in inference instead; torchvision's stochastic_depth, "row" by default). */
WEFT_API weft_value weft_stochastic_depth(weft_value x,
                                          const weft_stochastic_depth_options *options);

typedef struct weft_gaussian_noise_options {
    const char *name;      /* NULL: the op's */
    double deviation;      /* of the noise; 0 or more */
    weft_mode_choice mode; /* noise when training, none in inference; or pinned */
} weft_gaussian_noise_options;

/* x + deviation z, with z standard normal for each element. */
WEFT_API weft_value weft_gaussian_noise(weft_value x, const weft_gaussian_noise_options *options);

typedef struct weft_gaussian_dropout_options {
    const char *name;      /* NULL: the op's */
    double rate;           /* in [0, 1): the noise has the variance of dropout at this rate */
    weft_mode_choice mode; /* as above */
} weft_gaussian_dropout_options;

/* x (1 + sqrt(rate / (1 - rate)) z), with z standard normal for each element (Srivastava et al. 2014, section
 * 10). */
WEFT_API weft_value weft_gaussian_dropout(weft_value x,
                                          const weft_gaussian_dropout_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_dropout(x, ...) (weft_dropout)(WEFT_HERE(x), &(weft_dropout_options){__VA_ARGS__})
#define weft_spatial_dropout(x, ...)                                                               \
    (weft_spatial_dropout)(WEFT_HERE(x), &(weft_dropout_options){__VA_ARGS__})
#define weft_stochastic_depth(x, ...)                                                              \
    (weft_stochastic_depth)(WEFT_HERE(x), &(weft_stochastic_depth_options){__VA_ARGS__})
#define weft_gaussian_noise(x, ...)                                                                \
    (weft_gaussian_noise)(WEFT_HERE(x), &(weft_gaussian_noise_options){__VA_ARGS__})
#define weft_gaussian_dropout(x, ...)                                                              \
    (weft_gaussian_dropout)(WEFT_HERE(x), &(weft_gaussian_dropout_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

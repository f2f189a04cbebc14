/* Normalization of activations. Batch normalization: Ioffe, Szegedy 2015, "Batch normalization:
 * accelerating deep network training by reducing internal covariate shift". The layer that creates its variables is in weft/layers.h. */
#ifndef WEFT_NORMALIZATION_H
#define WEFT_NORMALIZATION_H

#include "weft/graph.h"
#include "weft/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_batch_normalization_options {
    const char *name;       /* NULL: the op's */
    weft_value gamma, beta; /* [C]; null: 1 and 0 */
    double epsilon;         /* added to the variance; 0: 1e-5 (PyTorch; Keras has 1e-3) */
    weft_mode_choice mode;  /* whose statistics: by the program's mode, or pinned */
    /* weight of the old running value in an update; 0: 0.9 (PyTorch; Keras has 0.99) */
    double decay;
    bool no_updates; /* leaves the running statistics as they are */
    /* The running variance takes the batch's as it is, as in Keras. Default: times n / (n - 1) for n
     * samples a channel, as in PyTorch. */
    bool biased_variance;
} weft_batch_normalization_options;

/* gamma * (x - mean) / sqrt(variance + epsilon) + beta for each channel of x [N, ..., C]. In train mode
 * mean and (biased) variance are those of x over all but the last dimension, and gradients flow through
 * them; else they are running_mean and running_variance [C].
 *
 * Running statistics that are variables are updated in train programs, run = decay * run + (1 - decay) *
 * batch's, unless the node is pinned to infer mode (a frozen batch normalization) or no_updates is set.
 * Shapes other than [C] are an error. options may be NULL. */
WEFT_API weft_value weft_batch_normalization(weft_value x, weft_value running_mean,
                                             weft_value running_variance,
                                             const weft_batch_normalization_options *options);

typedef struct weft_moving_average_options {
    const char *name; /* NULL: the op's */
    double decay;     /* weight of the old value, in [0, 1) */
    /* Null, or a value of which only the shape is read: new_value is a variance over n = (elements of
     * samples) / (elements of new_value) samples, and is taken times n / (n - 1) where n is 2 or more. */
    weft_value samples;
} weft_moving_average_options;

/* Updates a variable in train programs: variable = decay * variable + (1 - decay) * new_value, which has
 * its shape. Returns the variable's new value. options may not be NULL. */
WEFT_API weft_value weft_moving_average(weft_value variable, weft_value new_value,
                                        const weft_moving_average_options *options);

/* ---- Within each sample ---- */

/* y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, where mean and (biased) variance are those of
 * x's elements in a part of one sample, in train and infer mode alike. gamma and beta that are null are 1
 * and 0. epsilon 0 is 1e-5, as in PyTorch; Keras has 1e-3. options may be NULL. */

typedef struct weft_layer_normalization_options {
    const char *name; /* NULL: "layer_norm" */
    /* The last so many dimensions are normalized together; 0: 1, the channels of each pixel, as Keras's
     * axis = -1. All but the batch is what PyTorch's normalized_shape [C, H, W] is to an image, whose
     * weights are there channels first. */
    int dimensions;
    weft_value gamma, beta; /* of these dimensions */
    double epsilon;
} weft_layer_normalization_options;

/* Ba, Kiros, Hinton 2016, "Layer normalization". */
WEFT_API weft_value weft_layer_normalization(weft_value x,
                                             const weft_layer_normalization_options *options);

typedef struct weft_group_normalization_options {
    const char *name;       /* NULL: "group_norm" */
    int groups;             /* of neighbouring channels; divides them. 0: 32 */
    weft_value gamma, beta; /* [C] */
    double epsilon;
} weft_group_normalization_options;

/* Each group of channels over all pixels of a sample of x [N, .., C]: Wu, He 2018, "Group normalization". */
WEFT_API weft_value weft_group_normalization(weft_value x,
                                             const weft_group_normalization_options *options);

typedef struct weft_instance_normalization_options {
    const char *name;       /* NULL: "instance_norm" */
    weft_value gamma, beta; /* [C] */
    double epsilon;
} weft_instance_normalization_options;

/* Each channel over all pixels of a sample of x [N, .., C]: Ulyanov, Vedaldi, Lempitsky 2016, "Instance
 * normalization: the missing ingredient for fast stylization". There are no running statistics. */
WEFT_API weft_value weft_instance_normalization(weft_value x,
                                                const weft_instance_normalization_options *options);

/* ---- Across channels ---- */

typedef struct weft_local_response_options {
    const char *name; /* NULL: the op's */
    int size;         /* channels of a window, odd; 0: 5 */
    double alpha;     /* 0: 1e-4 */
    double beta;      /* 0: 0.75 */
    double k;         /* above 0; 0: 1 */
} weft_local_response_options;

/* y[c] = x[c] / (k + alpha / size * (sum of x[j]^2 for |j - c| <= size / 2))^beta along the channels of x
 * [.., C]: Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural
 * networks", section 3.3, with alpha as in PyTorch and ONNX; that of the paper and of TensorFlow, whose
 * depth_radius is size / 2, is alpha / size. options may be NULL. */
WEFT_API weft_value weft_local_response_norm(weft_value x,
                                             const weft_local_response_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_batch_normalization(x, running_mean, running_variance, ...)                           \
    (weft_batch_normalization)(WEFT_HERE(x), (running_mean), (running_variance),                   \
                               &(weft_batch_normalization_options){__VA_ARGS__})
#define weft_layer_normalization(x, ...)                                                           \
    (weft_layer_normalization)(WEFT_HERE(x), &(weft_layer_normalization_options){__VA_ARGS__})
#define weft_group_normalization(x, ...)                                                           \
    (weft_group_normalization)(WEFT_HERE(x), &(weft_group_normalization_options){__VA_ARGS__})
#define weft_instance_normalization(x, ...)                                                        \
    (weft_instance_normalization)(WEFT_HERE(x), &(weft_instance_normalization_options){__VA_ARGS__})
#define weft_local_response_norm(x, ...)                                                           \
    (weft_local_response_norm)(WEFT_HERE(x), &(weft_local_response_options){__VA_ARGS__})
#define weft_moving_average(variable, new_value, ...)                                              \
    (weft_moving_average)(WEFT_HERE(variable), (new_value),                                        \
                          &(weft_moving_average_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

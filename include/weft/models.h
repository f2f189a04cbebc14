/* Networks by name. Each builder takes images [N, H, W, C], real, and returns logits: before softmax.
 *
 * Scopes are named as in torchvision (of U-Net and LeNet, as is usual among PyTorch's users), so that weights
 * can be carried over by name; filters [out, in, h, w] become [h, w, in, out], matrices are transposed,
 * and a matrix that reads a flattened image takes its rows in the order h, w, c. An option left zero has
 * the value of the paper or of torchvision, as is said at each. */
#ifndef WEFT_MODELS_H
#define WEFT_MODELS_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The builders ---- */

typedef struct weft_resnet_options {
    int depth;   /* 0: 50 */
    int classes; /* 0: 1000 */
} weft_resnet_options;

/* ResNet-18, 34, 50, 101 or 152 for images of some 224 pixels: logits [N, classes]. He et al. 2015, "Deep
 * residual learning for image recognition", table 1, option B; the stride of a bottleneck is on its 3x3,
 * as in torchvision. ResNet-50 has 25,557,032 parameters. Another depth is an error. */
WEFT_API weft_value weft_resnet(weft_value image, const weft_resnet_options *options);

typedef struct weft_cifar_resnet_options {
    int depth;   /* 6 n + 2; 0: 20 */
    int classes; /* 0: 10 */
    /* Shortcuts across a stride have no parameters: they skip pixels and pad channels with zeros (option
     * A of the paper). Default: 1x1 convolutions with batch norm (option B). */
    bool pad_shortcuts;
} weft_cifar_resnet_options;

/* ResNet for images of 28 to 32 pixels: logits [N, classes]. The same paper, section 4.2. ResNet-20 on 3
 * channels has 269,722 parameters with pad_shortcuts, 272,474 without. A depth that is not 6 n + 2 is an
 * error. */
WEFT_API weft_value weft_cifar_resnet(weft_value image, const weft_cifar_resnet_options *options);

typedef struct weft_classifier_options {
    int classes;    /* 0: 1000 (LeNet: 10) */
    double dropout; /* rate before the classifier; 0: as said at each */
    bool no_dropout;
} weft_classifier_options;

/* GoogLeNet: logits [N, classes]. Szegedy et al. 2014, "Going deeper with convolutions", table 1, with
 * batch norm and without the auxiliary classifiers; 3x3 instead of 5x5, as in torchvision. 6,624,904
 * parameters; dropout 0.2. */
WEFT_API weft_value weft_googlenet(weft_value image, const weft_classifier_options *options);

/* Inception-v3 for images of 75 pixels or more (299 in the paper): logits [N, classes]. Szegedy et al.
 * 2015, "Rethinking the Inception architecture for computer vision", without the auxiliary classifier,
 * as in torchvision. 23,834,568 parameters; dropout 0.5. */
WEFT_API weft_value weft_inception_v3(weft_value image, const weft_classifier_options *options);

/* A network in the manner of LeCun et al. 1998, "Gradient-based learning applied to document
 * recognition", for images of 28 pixels: two 5x5 convolutions with max pooling, two dense layers, ReLU;
 * logits [N, classes]. 3,274,634 parameters on 1 channel; dropout 0.5. */
WEFT_API weft_value weft_lenet(weft_value image, const weft_classifier_options *options);

typedef struct weft_vgg_options {
    int depth;       /* 11, 13, 16 or 19; 0: 16 */
    int classes;     /* 0: 1000 */
    int hidden;      /* units of the two hidden dense layers; 0: 4096 */
    bool batch_norm; /* after each convolution */
    double dropout;  /* after the two hidden dense layers; 0: 0.5 */
    bool no_dropout;
} weft_vgg_options;

/* VGG for images of some 224 pixels: logits [N, classes]. Simonyan, Zisserman 2014, "Very deep
 * convolutional networks for large-scale image recognition", table 1. The classifier sees 7x7 pixels, averaged
 * over the image. VGG-16 has 138,357,544 parameters. Another depth is an error. */
WEFT_API weft_value weft_vgg(weft_value image, const weft_vgg_options *options);

typedef struct weft_densenet_options {
    int depth;   /* 121, 161, 169 or 201; 0: 121 */
    int classes; /* 0: 1000 */
} weft_densenet_options;

/* DenseNet for images of some 224 pixels: logits [N, classes]. Huang et al. 2016, "Densely connected
 * convolutional networks", table 1 (DenseNet-BC). DenseNet-121 has 7,978,856 parameters. Another depth
 * is an error. */
WEFT_API weft_value weft_densenet(weft_value image, const weft_densenet_options *options);

typedef struct weft_mobilenet_v2_options {
    int classes;    /* 0: 1000 */
    double width;   /* multiplies the channels, which are then rounded to multiples of 8; 0: 1 */
    double dropout; /* 0: 0.2 */
    bool no_dropout;
} weft_mobilenet_v2_options;

/* MobileNetV2 for images of some 224 pixels: logits [N, classes]. Sandler et al. 2018, "MobileNetV2:
 * inverted residuals and linear bottlenecks", table 2. 3,504,872 parameters. A width that is not above 0, or
 * above 1000, is an error. */
WEFT_API weft_value weft_mobilenet_v2(weft_value image, const weft_mobilenet_v2_options *options);

typedef struct weft_unet_options {
    int width;   /* filters of the first level; 0: 64 */
    int levels;  /* 2 to 8; 0: 5 */
    int classes; /* 0: 2 */
} weft_unet_options;

/* U-Net: a logit for each pixel and class, [N, H, W, classes]. Ronneberger et al. 2015, "U-Net:
 * convolutional networks for biomedical image segmentation", with batch norm and 'same' padding. H and W
 * must be multiples of 2^(levels - 1). 31,036,546 parameters on 1 channel. Another number of levels, or a
 * width that is negative or too large to be doubled levels - 1 times, is an error. */
WEFT_API weft_value weft_unet(weft_value image, const weft_unet_options *options);

/* ---- The table ---- */

typedef struct weft_model {
    const char *name;
    /* The builder with its defaults but for the number of classes; variant is the depth, or 0. */
    weft_value (*build)(weft_value image, int variant, int classes);
    int variant;
    int size, channels; /* of the images that it was made for: size x size x channels */
    int classes;
    bool
        per_pixel; /* logits [N, size, size, classes] and a label for each pixel; else [N, classes] */
    int batch;     /* a usual one, for measurements */
    const char *paper;
} weft_model;

/* Model `index` from 0; NULL past the last. */
WEFT_API const weft_model *weft_model_at(int index);
/* The model of that name, such as "resnet50"; NULL where there is none. */
WEFT_API const weft_model *weft_model_find(const char *name);
/* Builds it. classes 0: the model's. */
WEFT_API weft_value weft_model_build(const weft_model *model, weft_value image, int classes);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_resnet(image, ...) (weft_resnet)(WEFT_HERE(image), &(weft_resnet_options){__VA_ARGS__})
#define weft_cifar_resnet(image, ...)                                                              \
    (weft_cifar_resnet)(WEFT_HERE(image), &(weft_cifar_resnet_options){__VA_ARGS__})
#define weft_googlenet(image, ...)                                                                 \
    (weft_googlenet)(WEFT_HERE(image), &(weft_classifier_options){__VA_ARGS__})
#define weft_inception_v3(image, ...)                                                              \
    (weft_inception_v3)(WEFT_HERE(image), &(weft_classifier_options){__VA_ARGS__})
#define weft_lenet(image, ...)                                                                     \
    (weft_lenet)(WEFT_HERE(image), &(weft_classifier_options){__VA_ARGS__})
#define weft_vgg(image, ...) (weft_vgg)(WEFT_HERE(image), &(weft_vgg_options){__VA_ARGS__})
#define weft_densenet(image, ...)                                                                  \
    (weft_densenet)(WEFT_HERE(image), &(weft_densenet_options){__VA_ARGS__})
#define weft_mobilenet_v2(image, ...)                                                              \
    (weft_mobilenet_v2)(WEFT_HERE(image), &(weft_mobilenet_v2_options){__VA_ARGS__})
#define weft_unet(image, ...) (weft_unet)(WEFT_HERE(image), &(weft_unet_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

/* Resizing images: upsampling and downsampling by interpolation. */
#ifndef WEFT_RESIZE_H
#define WEFT_RESIZE_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_resize_method {
    WEFT_NEAREST = 0, /* the nearest pixel */
    /* between the two nearest of each dimension, weighted by distance: linear, bilinear, trilinear; beyond
     * the outermost pixel's middle, that pixel. There is no antialiasing. */
    WEFT_LINEAR
} weft_resize_method;

/* Where pixel i of n pixels lies among the m of the input; names are ONNX's. */
typedef enum weft_resize_grid {
    /* (i + 1/2) m / n - 1/2: pixels are areas, whose middles are compared. PyTorch's align_corners = False,
     * Keras, TensorFlow. */
    WEFT_HALF_PIXEL = 0,
    WEFT_ALIGN_CORNERS, /* i (m - 1) / (n - 1), 0 where n is 1: the corner pixels keep their places */
    WEFT_ASYMMETRIC     /* i m / n */
} weft_resize_grid;

/* WEFT_NEAREST takes the pixel whose area the middle lies in, floor((i + 1/2) m / n), with WEFT_HALF_PIXEL
 * (PyTorch's "nearest-exact", TensorFlow); floor(i m / n) with WEFT_ASYMMETRIC (PyTorch's "nearest"); and the
 * nearest to i (m - 1) / (n - 1), halves upwards, with WEFT_ALIGN_CORNERS. The first two are the same, and
 * repeat pixels, where n is a multiple of m (Keras's UpSampling). */
typedef struct weft_resize_options {
    const char *name; /* NULL: "resize" */
    weft_resize_method method;
    weft_resize_grid grid;
    /* One of these, an entry for each spatial dimension: extents of the result, or how many times those of
     * x they are. */
    int size[3], scale[3];
} weft_resize_options;

/* x [N, spatial.., C], of rank 3 to 5 and real, with other spatial extents. Sizes that are not positive, none
 * or both for a dimension, and open spatial extents are errors. */
WEFT_API weft_value weft_resize(weft_value x, const weft_resize_options *options);
/* The same, to the spatial extents of `like`, whose elements are not read; options have neither size nor
 * scale. */
WEFT_API weft_value weft_resize_like(weft_value x, weft_value like,
                                     const weft_resize_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_resize(x, ...) (weft_resize)(WEFT_HERE(x), &(weft_resize_options){__VA_ARGS__})
#define weft_resize_like(x, like, ...)                                                             \
    (weft_resize_like)(WEFT_HERE(x), like, &(weft_resize_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

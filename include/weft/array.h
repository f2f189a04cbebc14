/* Ops that move elements without changing them. Where the compiler can, it runs them as views of their
 * operand, or (concat) lets the operands be produced in place, and nothing is copied.
 *
 * Axes may be negative: -1 is the last dimension. Elements may be of any dtype unless said otherwise. */
#ifndef WEFT_ARRAY_H
#define WEFT_ARRAY_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Shape ---- */

/* The elements of x, row-major, in another shape: an extent of 0 is that of the same dimension of x, and
 * one extent may be -1 (WEFT_BATCH): what the others leave of x, which includes an open batch. */
WEFT_API weft_value weft_reshape(weft_value x, weft_shape shape);
/* The dimensions from `axis` on as one; [N,7,7,64] from axis 1 is [N,3136]. */
WEFT_API weft_value weft_flatten(weft_value x, int axis);
/* x with dimensions of extent 1 at these places of the result. */
WEFT_API weft_value weft_expand_dims(weft_value x, const int *axes, int count);
/* x without the dimensions `axes`, which have extent 1; with a count of 0, without all that are known to. */
WEFT_API weft_value weft_squeeze(weft_value x, const int *axes, int count);
/* The elements of x, row-major, in the shape of `like`, whose elements are not read. */
WEFT_API weft_value weft_reshape_like(weft_value x, weft_value like);

/* Dimension i of the result is dimension order[i] of x; count must be the rank of x. */
WEFT_API weft_value weft_transpose(weft_value x, const int *order, int count);

/* ---- Repeating ---- */

/* x, real, repeated to the shape, at whose last dimensions those of x are aligned: an extent of 1 becomes
 * any other, 0 stands for that of x. weft_broadcast_like (arithmetic.h) takes a value for the shape. */
WEFT_API weft_value weft_expand(weft_value x, weft_shape shape);
/* x, real and of 7 dimensions at most, repeats[i] times along dimension i, for all `count` of them: a b a b
 * (NumPy's tile). */
WEFT_API weft_value weft_tile_dims(weft_value x, const int64_t *repeats, int count);
/* Each element `count` times along the axis, a a b b (NumPy's repeat, PyTorch's repeat_interleave); x as
 * above. */
WEFT_API weft_value weft_repeat(weft_value x, int axis, int64_t count);

/* ---- Parts ---- */

typedef struct weft_slice_options {
    const char *name;             /* NULL: "slice" */
    int64_t begin[WEFT_MAX_RANK]; /* first element, for each dimension; negative: from the end */
    int64_t size[WEFT_MAX_RANK];  /* elements to take; 0: all that are left */
    int64_t step[WEFT_MAX_RANK];  /* take every step-th; 0: 1 */
} weft_slice_options;

/* A part of x. Along an open batch extent, either all elements are taken or `size` is given. */
WEFT_API weft_value weft_slice(weft_value x, const weft_slice_options *options);

/* Cuts x along the axis into count parts of the given sizes (NULL: of equal size), which must add up to
 * the extent, and writes them to parts. On an error they are null values. */
WEFT_API void weft_split(weft_value x, int axis, const int64_t *sizes, int count,
                         weft_value *parts);

typedef struct weft_region_options {
    const char *name; /* NULL: the op's */
    /* place of the small value's first element in the large one, for each dimension; negative:
     * from the end */
    int64_t begin[WEFT_MAX_RANK];
    int64_t step[WEFT_MAX_RANK]; /* of the large value, every step-th element; 0: 1 */
    bool center; /* instead, for images: the middle of all dimensions but the first and
                                   * last (D H W), rounded down; batch and channels are those of x */
} weft_region_options;

/* The part of x that has the shape of `like` (with center: its D H W); like's elements are not read.
 * weft_crop_like(skip, up, .center = true) is the crop of U-Net. */
WEFT_API weft_value weft_crop_like(weft_value x, weft_value like,
                                   const weft_region_options *options);
/* Zeros in the shape of `like` (with center: its D H W), with x as that part of them; like's elements are
 * not read. x is real. */
WEFT_API weft_value weft_embed_like(weft_value x, weft_value like,
                                    const weft_region_options *options);

typedef struct weft_crop_options {
    const char *name; /* NULL: "crop" */
    int64_t before[WEFT_MAX_RANK],
        after[WEFT_MAX_RANK]; /* elements to take off, of each dimension */
} weft_crop_options;

/* x without a border. An open batch extent cannot be cropped. */
WEFT_API weft_value weft_crop(weft_value x, const weft_crop_options *options);

/* ---- Parts by number ---- */

/* Parts of x, real, at the positions along the axis that indices (int32, of any shape) name; their
 * dimensions take the axis's place: from [a, n, b] by [i, j] to [a, i, j, b] (NumPy's take, ONNX's Gather). A row
 * of an embedding is one from axis 0. An index outside of [0, n) makes zeros, and gets no gradient. */
WEFT_API weft_value weft_gather(weft_value x, weft_value indices, int axis);
/* The same, with an index for each element of the result: from [a, n, b] by [a, k, b] to [a, k, b] (PyTorch's
 * gather, NumPy's take_along_axis). */
WEFT_API weft_value weft_gather_elements(weft_value x, weft_value indices, int axis);
/* Zeros in the shape of `like`, whose elements are not read, to which x, real, is added where gathering by
 * the same indices would have taken it from: always in the order of positions. */
WEFT_API weft_value weft_scatter_add_like(weft_value x, weft_value indices, weft_value like,
                                          int axis);
WEFT_API weft_value weft_scatter_add_elements_like(weft_value x, weft_value indices,
                                                   weft_value like, int axis);

typedef struct weft_one_hot_options {
    const char *name; /* NULL: "one_hot" */
    int64_t depth;    /* the extent of the result's last dimension */
    double on, off;   /* both 0: 1 and 0 */
} weft_one_hot_options;

/* From int32 indices [..] to [.., depth], real: `on` where the place in the last dimension is the index,
 * elsewhere `off`. An index outside of [0, depth) has none. No gradient. */
WEFT_API weft_value weft_one_hot(weft_value indices, const weft_one_hot_options *options);

/* ---- Pixels and channels ---- */

/* The order, in the channels, of the elements of a block of pixels i, j and the channels c. */
typedef enum weft_depth_order {
    WEFT_BLOCK_FIRST = 0, /* (i, j, c): TensorFlow, Keras, ONNX's DCR */
    WEFT_CHANNEL_FIRST    /* (c, i, j): PyTorch's pixel_shuffle and pixel_unshuffle, ONNX's CRD */
} weft_depth_order;

typedef struct weft_depth_options {
    int block; /* pixels of a block along each spatial dimension */
    weft_depth_order order;
} weft_depth_options;

/* Blocks of pixels as channels, [N, spatial.., C] to [N, spatial / block.., block.. C]: Shi et al. 2016,
 * "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
 * network", section 3.2, and back. Only the batch may be open; extents that block does not divide are an
 * error. */
WEFT_API weft_value weft_space_to_depth(weft_value x, const weft_depth_options *options);
WEFT_API weft_value weft_depth_to_space(weft_value x, const weft_depth_options *options);

/* The channels of x [.., C] by turns from each of the groups, channel k of group g going to k groups + g:
 * Zhang et al. 2018, "ShuffleNet". */
WEFT_API weft_value weft_channel_shuffle(weft_value x, int groups);

/* ---- Joining ---- */

/* The values one after the other along the axis; their other extents and dtypes are equal. Of no values it is
 * {0}, which belongs to no graph. */
WEFT_API weft_value weft_concat(const weft_value *x, int count, int axis);

/* What a border is made of; n elements, places from 0 on beyond them. PyTorch's "replicate" is an edge, its
 * "circular" wraps; TensorFlow and NumPy have these names. */
typedef enum weft_pad_mode {
    WEFT_PAD_CONSTANT = 0, /* `value` */
    WEFT_PAD_REFLECT,      /* 3 2 1 | 0 1 2 3 | 2 1 0: up to n - 1 elements */
    WEFT_PAD_SYMMETRIC,    /* 1 0 | 0 1 2 3 | 3 2: up to n */
    WEFT_PAD_EDGE,         /* 0 0 | 0 1 2 3 | 3 3 */
    WEFT_PAD_WRAP          /* 2 3 | 0 1 2 3 | 0 1: up to n */
} weft_pad_mode;

typedef struct weft_pad_options {
    const char *name;                                    /* NULL: "pad" */
    int64_t before[WEFT_MAX_RANK], after[WEFT_MAX_RANK]; /* elements to add, for each dimension */
    double value; /* of the added elements, with WEFT_PAD_CONSTANT */
    /* others take images of rank 3 to 5 and pad spatial dimensions only */
    weft_pad_mode mode;
} weft_pad_options;

/* x, real, with a border. An open batch extent cannot be padded. */
WEFT_API weft_value weft_pad(weft_value x, const weft_pad_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define WEFT_INTS(...)                                                                             \
    (const int[]){__VA_ARGS__}, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int))
/* Values joined along their last dimension, the channels: weft_concat_channels(a, b, c). */
#define weft_concat_channels(...)                                                                  \
    weft_concat((const weft_value[]){__VA_ARGS__},                                                 \
                (int)(sizeof((const weft_value[]){__VA_ARGS__}) / sizeof(weft_value)), -1)
static inline weft_value weft_concat_at(const char *file, int line, const weft_value *x, int count,
                                        int axis)
{
    if (count > 0)
        weft_at(x[0], file, line);
    return weft_concat(x, count, axis);
}
#define weft_reshape(x, ...) (weft_reshape)(WEFT_HERE(x), weft_shape_of(__VA_ARGS__))
#define weft_flatten(x, axis) (weft_flatten)(WEFT_HERE(x), axis)
#define weft_expand_dims(x, ...) (weft_expand_dims)(WEFT_HERE(x), WEFT_INTS(__VA_ARGS__))
#define weft_squeeze(x, ...) (weft_squeeze)(WEFT_HERE(x), WEFT_INTS(__VA_ARGS__))
#define weft_expand(x, ...) (weft_expand)(WEFT_HERE(x), weft_shape_of(__VA_ARGS__))
#define weft_tile_dims(x, ...)                                                                     \
    (weft_tile_dims)(WEFT_HERE(x), (const int64_t[]){__VA_ARGS__},                                 \
                     (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
#define weft_repeat(x, axis, count) (weft_repeat)(WEFT_HERE(x), axis, count)
#define weft_reshape_like(x, like) (weft_reshape_like)(WEFT_HERE(x), like)
#define weft_transpose(x, ...) (weft_transpose)(WEFT_HERE(x), WEFT_INTS(__VA_ARGS__))
#define weft_slice(x, ...) (weft_slice)(WEFT_HERE(x), &(weft_slice_options){__VA_ARGS__})
#define weft_split(x, ...) (weft_split)(WEFT_HERE(x), __VA_ARGS__)
#define weft_crop_like(x, like, ...)                                                               \
    (weft_crop_like)(WEFT_HERE(x), like, &(weft_region_options){__VA_ARGS__})
#define weft_embed_like(x, like, ...)                                                              \
    (weft_embed_like)(WEFT_HERE(x), like, &(weft_region_options){__VA_ARGS__})
#define weft_concat(...) weft_concat_at(__FILE__, __LINE__, __VA_ARGS__)
#define weft_crop(x, ...) (weft_crop)(WEFT_HERE(x), &(weft_crop_options){__VA_ARGS__})
#define weft_gather(x, indices, axis) (weft_gather)(WEFT_HERE(x), indices, axis)
#define weft_gather_elements(x, indices, axis) (weft_gather_elements)(WEFT_HERE(x), indices, axis)
#define weft_scatter_add_like(x, indices, like, axis)                                              \
    (weft_scatter_add_like)(WEFT_HERE(x), indices, like, axis)
#define weft_scatter_add_elements_like(x, indices, like, axis)                                     \
    (weft_scatter_add_elements_like)(WEFT_HERE(x), indices, like, axis)
#define weft_one_hot(indices, ...)                                                                 \
    (weft_one_hot)(WEFT_HERE(indices), &(weft_one_hot_options){__VA_ARGS__})
#define weft_space_to_depth(x, ...)                                                                \
    (weft_space_to_depth)(WEFT_HERE(x), &(weft_depth_options){__VA_ARGS__})
#define weft_depth_to_space(x, ...)                                                                \
    (weft_depth_to_space)(WEFT_HERE(x), &(weft_depth_options){__VA_ARGS__})
#define weft_channel_shuffle(x, groups) (weft_channel_shuffle)(WEFT_HERE(x), groups)
#define weft_pad(x, ...) (weft_pad)(WEFT_HERE(x), &(weft_pad_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

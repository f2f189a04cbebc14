/* Normalization within each sample, and its gradient: what layer, group and instance normalization are made
 * of. Statistics are over the dimensions from `first` on of x [N, .., C]; with groups, for each of so many groups
 * of neighbouring channels. In formulas x with groups is `split`: [N, .., groups, channels of a group]; mean and
 * variance have the extents of that (without groups, of x), 1 where it is reduced. gamma and beta have the
 * extents of the dimensions from `first` on, with groups [C]. */
#ifndef WEFT_OPS_GROUP_NORM_H
#define WEFT_OPS_GROUP_NORM_H

#include "kernels/group_norm.h"
#include "ops/rules.h"

typedef struct weft_group_norm_attributes {
    double epsilon;
    int32_t first, groups; /* groups 0: none */
} weft_group_norm_attributes;

typedef struct weft_group_norm_gradients {
    weft_value x, gamma, beta;
} weft_group_norm_gradients;

/* The gradients of gamma * (x - mean) / sqrt(variance + epsilon) + beta where mean and variance are x's. */
weft_group_norm_gradients
weft_group_norm_gradient_apply(weft_value dy, weft_value x, weft_value gamma, weft_value mean,
                               weft_value variance, const weft_group_norm_attributes *attributes);

/* The last dimension, of channels, as [groups, channels of a group] where there are groups; of an image, or of a
 * row of channels. */
weft_shape weft_group_norm_split_shape(const weft_group_norm_attributes *attributes,
                                       weft_shape shape);
weft_tensor weft_group_norm_split_tensor(const weft_group_norm_attributes *attributes,
                                         const weft_tensor *tensor);
weft_value weft_group_norm_split(const weft_group_norm_attributes *attributes, weft_value x);

/* Shapes of gamma and beta, and of mean and variance, for an input of that shape. */
weft_shape weft_group_norm_parameter(const weft_group_norm_attributes *attributes, weft_shape x);
weft_shape weft_group_norm_statistic(const weft_group_norm_attributes *attributes, weft_shape x);
/* False, with a message, where x or the attributes are not as above, or operand `input`, called `what`, has
 * another shape than expected. */
bool weft_group_norm_infer_input(const weft_infer *infer, int input, const char *what);
bool weft_group_norm_infer_operand(const weft_infer *infer, int input, const char *what,
                                   weft_shape expected);

/* For plain forms: the elements of x by statistic and by element of it. Offset in `operand`, which is
 * broadcast to x, of element `inner` of those that statistic `cell` is of. All are split. */
typedef struct weft_group_norm_walk {
    weft_tensor cell, inner;
    int64_t cells, inners;
} weft_group_norm_walk;
weft_group_norm_walk weft_group_norm_walk_of(const weft_group_norm_attributes *attributes,
                                             const weft_tensor *operand, const weft_tensor *x);
static inline int64_t weft_group_norm_at(const weft_group_norm_walk *walk, int64_t cell,
                                         int64_t inner)
{
    return weft_tensor_offset(&walk->cell, cell) + weft_tensor_offset(&walk->inner, inner);
}

/* Arguments for images with the extents of x, without the places of coefficients; false where the images' strides
 * do not allow it. The backward pass has three images. */
bool weft_group_norm_args_of(const weft_group_norm_attributes *attributes,
                             const weft_tensor *const *image, int images,
                             weft_group_norm_args *args);
/* The coefficients are in the workspace, which has that slot, too: at its beginning. */
void weft_group_norm_coefficients_within(weft_group_norm_args *args, int workspace);
bool weft_row_norm_args_of(const weft_group_norm_attributes *attributes,
                           const weft_tensor *const *image, int images, weft_row_norm_args *args);

/* weft_fusion.expand of the forward op. */
struct weft_expansion;
weft_status weft_group_norm_expand(struct weft_expansion *expansion, const weft_bind *bind);

void weft_group_norm_label(const void *attributes, char *text, size_t size);
/* Sample case `index`: a shape and attributes. */
bool weft_group_norm_sample(weft_sampler *sampler, int index, weft_shape *shape,
                            weft_group_norm_attributes *attributes);

#endif

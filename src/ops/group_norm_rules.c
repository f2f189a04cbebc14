/* What normalization within samples and its gradient share: shapes, walks, arguments of kernels, samples. */
#include "kernels/integer.h"
#include "ops/collapse.h"
#include "ops/group_norm.h"
#include "ops/map.h"
#include "weft/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_group_norm_kernels, weft_group_norm_table)
WEFT_ISA_DEFINE(weft_row_norm_kernels, weft_row_norm_table)

/* ---- Shapes ---- */

weft_shape weft_group_norm_split_shape(const weft_group_norm_attributes *attributes,
                                       weft_shape shape)
{
    if (!attributes->groups)
        return shape;
    int64_t channels = shape.extent[shape.rank - 1];
    shape.extent[shape.rank - 1] = attributes->groups;
    shape.extent[shape.rank++] = channels / attributes->groups;
    return shape;
}

weft_tensor weft_group_norm_split_tensor(const weft_group_norm_attributes *attributes,
                                         const weft_tensor *tensor)
{
    weft_tensor split = *tensor;
    if (!attributes->groups)
        return split;
    int last = split.rank++;
    split.extent[last] = split.extent[last - 1] / attributes->groups;
    split.stride[last] = split.stride[last - 1];
    split.extent[last - 1] = attributes->groups;
    split.stride[last - 1] *= split.extent[last];
    return split;
}

weft_value weft_group_norm_split(const weft_group_norm_attributes *attributes, weft_value x)
{
    if (!attributes->groups)
        return x;
    weft_shape shape = weft_group_norm_split_shape(attributes, weft_shape_get(x));
    for (int d = 0; d < shape.rank - 2; d++)
        shape.extent[d] = 0; /* as of x */
    return weft_reshape(x, shape);
}

/* Of a split x. */
static bool reduces(const weft_group_norm_attributes *attributes, int rank, int dimension)
{
    return dimension >= attributes->first && !(attributes->groups && dimension == rank - 2);
}

weft_shape weft_group_norm_parameter(const weft_group_norm_attributes *attributes, weft_shape x)
{
    int first = attributes->groups ? x.rank - 1 : attributes->first;
    weft_shape shape = {.rank = x.rank - first};
    for (int d = first; d < x.rank; d++)
        shape.extent[d - first] = x.extent[d];
    return shape;
}

weft_shape weft_group_norm_statistic(const weft_group_norm_attributes *attributes, weft_shape x)
{
    weft_shape split = weft_group_norm_split_shape(attributes, x);
    for (int d = 0; d < split.rank; d++)
        if (reduces(attributes, split.rank, d))
            split.extent[d] = 1;
    return split;
}

bool weft_group_norm_infer_input(const weft_infer *infer, int input, const char *what)
{
    const weft_group_norm_attributes *attributes = infer->attributes;
    weft_shape x = infer->shape[input];
    char text[120];
    if (!weft_infer_real(infer, input, what))
        return false;
    weft_shape_text(x, text, sizeof(text));
    if (attributes->first < 1 || attributes->first >= x.rank)
        return weft_infer_fail(infer, "%s %s has no dimensions to normalize from %d on", what, text,
                               attributes->first);
    for (int d = attributes->first; d < x.rank; d++)
        if (x.extent[d] < 1)
            return weft_infer_fail(infer, "%s %s: dimension %d must be fixed", what, text, d);
    if (attributes->groups < 0 ||
        (attributes->groups &&
         (x.rank == WEFT_MAX_RANK || x.extent[x.rank - 1] % attributes->groups)))
        return weft_infer_fail(infer, "%s %s has no %d groups of channels", what, text,
                               attributes->groups);
    if (!(attributes->epsilon >= 0) || isinf(attributes->epsilon))
        return weft_infer_fail(infer, "epsilon is %g", attributes->epsilon);
    return true;
}

bool weft_group_norm_infer_operand(const weft_infer *infer, int input, const char *what,
                                   weft_shape expected)
{
    char got[120], wanted[120];
    if (!weft_infer_real(infer, input, what))
        return false;
    return weft_shape_equal(infer->shape[input], expected) ||
           weft_infer_fail(infer, "%s has shape %s, expected %s", what,
                           weft_shape_text(infer->shape[input], got, sizeof(got)),
                           weft_shape_text(expected, wanted, sizeof(wanted)));
}

/* ---- Plain forms ---- */

weft_group_norm_walk weft_group_norm_walk_of(const weft_group_norm_attributes *attributes,
                                             const weft_tensor *operand, const weft_tensor *x)
{
    weft_tensor wide = weft_tensor_broadcast(operand, x);
    weft_group_norm_walk walk = {.cell = wide, .inner = wide};
    for (int d = 0; d < x->rank; d++)
        if (reduces(attributes, x->rank, d))
            walk.cell.extent[d] = 1;
        else
            walk.inner.extent[d] = 1;
    walk.cells = weft_tensor_elements(&walk.cell);
    walk.inners = weft_tensor_elements(&walk.inner);
    return walk;
}

/* ---- Kernels ---- */

/* Elements of a piece: it stays in the second cache level for a second pass, 10 to 30 microseconds. */
enum { PIECE_ELEMENTS = 32768, FEWEST_BLOCK_PIXELS = 64, MOST_PARTS = 64 };

/* The tensor with its dimensions from `first` on as one; false where their elements are not next to each
 * other. */
static bool join_last(const weft_tensor *tensor, int first, weft_tensor *joined)
{
    int64_t stride;
    *joined = *tensor;
    joined->rank = first + 1;
    if (!weft_collapse(tensor, first, tensor->rank, &joined->extent[first], &stride))
        return false;
    joined->stride[first] = 1;
    return stride == 1 || joined->extent[first] == 1;
}

static bool join_images(const weft_tensor *const *image, int images, int first, weft_pixels *pixels)
{
    weft_tensor joined[3];
    const weft_tensor *pointer[3];
    for (int i = 0; i < images; i++) {
        if (!join_last(image[i], first, &joined[i]))
            return false;
        pointer[i] = &joined[i];
    }
    *pixels = weft_pixels_of(pointer, images);
    return true;
}

bool weft_group_norm_args_of(const weft_group_norm_attributes *attributes,
                             const weft_tensor *const *image, int images,
                             weft_group_norm_args *args)
{
    const weft_tensor *x = image[0];
    int64_t channels = x->extent[x->rank - 1];
    *args = (weft_group_norm_args){.epsilon = attributes->epsilon,
                                   .groups = attributes->groups,
                                   .group_channels = channels / attributes->groups,
                                   .channels = channels,
                                   .samples = 1};
    if (!join_images(image, images, x->rank - 1, &args->pixels))
        return false;
    for (int d = 0; d < attributes->first; d++)
        args->samples *= x->extent[d];
    args->sample_pixels = args->pixels.count / args->samples;
    args->apply_pixels = args->channels < PIECE_ELEMENTS ? PIECE_ELEMENTS / args->channels : 1;
    args->apply_blocks = weft_ceiling(args->sample_pixels, args->apply_pixels);
    args->block_pixels =
        args->apply_pixels < FEWEST_BLOCK_PIXELS ? FEWEST_BLOCK_PIXELS : args->apply_pixels;
    args->blocks = weft_ceiling(args->sample_pixels, args->block_pixels);
    args->parameters_at = args->sums_at + 4 * args->samples * args->blocks * args->channels;
    return true;
}

void weft_group_norm_coefficients_within(weft_group_norm_args *args, int workspace)
{
    int64_t floats = WEFT_GROUP_NORM_COEFFICIENTS * args->samples * args->channels;
    args->workspace = workspace;
    args->coefficient_step = WEFT_GROUP_NORM_COEFFICIENTS * args->channels;
    for (int i = 0; i < WEFT_GROUP_NORM_COEFFICIENTS; i++) {
        args->coefficient[i].slot = workspace;
        args->coefficient[i].offset = i * args->channels;
    }
    args->sums_at += floats;
    args->parameters_at += floats;
}

bool weft_row_norm_args_of(const weft_group_norm_attributes *attributes,
                           const weft_tensor *const *image, int images, weft_row_norm_args *args)
{
    *args = (weft_row_norm_args){.epsilon = attributes->epsilon};
    if (!join_images(image, images, attributes->first, &args->rows))
        return false;
    args->elements = weft_tensor_elements(image[0]) / args->rows.count;
    args->piece_rows = args->elements < PIECE_ELEMENTS ? PIECE_ELEMENTS / args->elements : 1;
    if (images == 3 && args->piece_rows < weft_ceiling(args->rows.count, MOST_PARTS))
        args->piece_rows = weft_ceiling(args->rows.count, MOST_PARTS); /* each leaves a part */
    args->pieces = weft_ceiling(args->rows.count, args->piece_rows);
    return true;
}

/* ---- Descriptors ---- */

void weft_group_norm_label(const void *given, char *text, size_t size)
{
    const weft_group_norm_attributes *attributes = given;
    snprintf(text, size, "%s, eps %g", attributes->groups ? "groups" : "rows", attributes->epsilon);
}

bool weft_group_norm_sample(weft_sampler *sampler, int index, weft_shape *shape,
                            weft_group_norm_attributes *attributes)
{
    /* Extents, 0: drawn. Rows of few elements, of one, of several dimensions, around a vector; groups of
     * one channel and of several, one group, one pixel, several dimensions of samples. */
    static const struct {
        int first, groups;
        weft_shape shape;
    } cases[] = {
        {3, 0, {4, {2, 0, 3, 7}}},    {1, 0, {2, {9, 37}}},        {1, 0, {4, {3, 0, 2, 5}}},
        {2, 0, {4, {2, 3, 4, 1}}},    {1, 0, {2, {40, 16}}},       {1, 4, {4, {2, 0, 3, 12}}},
        {1, 1, {4, {2, 4, 0, 21}}},   {1, 19, {4, {3, 0, 3, 19}}}, {1, 3, {2, {2, 15}}},
        {1, 3, {5, {2, 2, 0, 2, 6}}}, {2, 2, {4, {2, 2, 4, 8}}},
    };
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    memset(attributes, 0, sizeof(*attributes));
    attributes->epsilon = index % 2 ? 1e-3 : 0.1;
    attributes->first = cases[index].first;
    attributes->groups = cases[index].groups;
    *shape = cases[index].shape;
    for (int d = 0; d < shape->rank; d++)
        if (shape->extent[d] == 0)
            shape->extent[d] = weft_sampler_integer(sampler, 2, 4);
    return true;
}

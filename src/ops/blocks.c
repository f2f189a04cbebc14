/* Blocks of pixels as channels and back, and shuffled channels: a reshape, a transpose, a reshape, of which
 * the transpose is the one copy. */
#include <string.h>

#include "weft/array.h"

/* The axes of an image by blocks, [N, (S / b, b).., C] with blocks or [N, S.., (b..), C] with depth. */
typedef struct blocks {
    int spatial;
    int64_t block, positions[3], channels;
    int by_image[WEFT_MAX_RANK]; /* for each axis of the depth form, that of the image form */
} blocks;

/* Fills it in; false, with a message on the graph, where x does not fit. */
static bool blocks_of(const char *kind, weft_value x, const weft_depth_options *options,
                      bool to_depth, blocks *b)
{
    weft_shape shape = weft_shape_get(x);
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    *b = (blocks){.spatial = shape.rank - 2, .block = options->block};
    bool fits = shape.rank >= 3 && shape.rank <= 5 && options->block >= 1;
    int64_t volume = 1;
    for (int d = 1; fits && d < shape.rank; d++)
        fits = shape.extent[d] > 0;
    for (int d = 0; fits && d < b->spatial; d++) {
        b->positions[d] = to_depth ? shape.extent[d + 1] / b->block : shape.extent[d + 1];
        fits = !__builtin_mul_overflow(volume, b->block, &volume) &&
               (!to_depth || shape.extent[d + 1] % b->block == 0);
    }
    fits = fits && (to_depth || shape.extent[shape.rank - 1] % volume == 0);
    if (!fits) {
        weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                        "%s: input %s of rank 3 to 5 and fixed extents cannot be cut into blocks "
                        "of %d",
                        kind, text, options->block);
        return false;
    }
    b->channels = to_depth ? shape.extent[shape.rank - 1] : shape.extent[shape.rank - 1] / volume;
    int axis = 1, last = 2 * b->spatial + 1;
    bool channel_first = options->order == WEFT_CHANNEL_FIRST;
    for (int d = 0; d < b->spatial; d++)
        b->by_image[axis++] = 1 + 2 * d;
    if (channel_first)
        b->by_image[axis++] = last;
    for (int d = 0; d < b->spatial; d++)
        b->by_image[axis++] = 2 + 2 * d;
    if (!channel_first)
        b->by_image[axis] = last;
    return true;
}

weft_value weft_space_to_depth(weft_value x, const weft_depth_options *options)
{
    blocks b;
    if (weft_is_null(x) || !blocks_of("space_to_depth", x, options, true, &b))
        return weft_null(x.graph);
    weft_shape by_image = {.rank = 2 * b.spatial + 2}, y = {.rank = b.spatial + 2};
    y.extent[b.spatial + 1] = b.channels;
    by_image.extent[2 * b.spatial + 1] = b.channels;
    for (int d = 0; d < b.spatial; d++) {
        by_image.extent[1 + 2 * d] = y.extent[d + 1] = b.positions[d];
        by_image.extent[2 + 2 * d] = b.block;
        y.extent[b.spatial + 1] *= b.block;
    }
    weft_value depth = weft_transpose(weft_reshape(x, by_image), b.by_image, by_image.rank);
    return weft_reshape(depth, y);
}

weft_value weft_depth_to_space(weft_value x, const weft_depth_options *options)
{
    blocks b;
    if (weft_is_null(x) || !blocks_of("depth_to_space", x, options, false, &b))
        return weft_null(x.graph);
    weft_shape by_depth = {.rank = 2 * b.spatial + 2}, y = {.rank = b.spatial + 2};
    int from_depth[WEFT_MAX_RANK];
    for (int i = 0; i < by_depth.rank; i++) {
        int axis = b.by_image[i];
        from_depth[axis] = i;
        bool position = axis > 0 && axis % 2 == 1 && axis < by_depth.rank - 1;
        by_depth.extent[i] = axis == 0                   ? 0
                             : axis == by_depth.rank - 1 ? b.channels
                             : position                  ? b.positions[axis / 2]
                                                         : b.block;
    }
    for (int d = 0; d < b.spatial; d++)
        y.extent[d + 1] = b.positions[d] * b.block;
    y.extent[b.spatial + 1] = b.channels;
    weft_value image = weft_transpose(weft_reshape(x, by_depth), from_depth, by_depth.rank);
    return weft_reshape(image, y);
}

weft_value weft_channel_shuffle(weft_value x, int groups)
{
    weft_shape shape = weft_shape_get(x), split = {.rank = shape.rank + 1};
    int64_t channels = weft_channels(x);
    char text[128];
    int order[WEFT_MAX_RANK];
    if (weft_is_null(x))
        return x;
    if (shape.rank < 1 || shape.rank >= WEFT_MAX_RANK || channels < 1 || groups < 1 ||
        channels % groups != 0)
        return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                               "channel_shuffle: %d groups do not divide the channels of %s",
                               groups, weft_shape_text(shape, text, sizeof(text)));
    for (int d = 0; d < split.rank; d++)
        order[d] = d;
    order[shape.rank - 1] = shape.rank;
    order[shape.rank] = shape.rank - 1;
    split.extent[shape.rank - 1] = groups;
    split.extent[shape.rank] = channels / groups;
    return weft_reshape_like(weft_transpose(weft_reshape(x, split), order, split.rank), x);
}

weft_value weft_crop(weft_value x, const weft_crop_options *options)
{
    weft_shape shape = weft_shape_get(x);
    weft_slice_options slice = {.name = options->name ? options->name : "crop"};
    char text[128];
    for (int d = 0; d < WEFT_MAX_RANK && !weft_is_null(x); d++) {
        int64_t before = options->before[d], after = options->after[d];
        if (!before && !after)
            continue;
        int64_t left = d < shape.rank ? shape.extent[d] : 0;
        if (before < 0 || after < 0 || before >= left || after >= left - before)
            return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                                   "crop: dimension %d of %s does not have (%lld, %lld) elements "
                                   "to spare",
                                   d, weft_shape_text(shape, text, sizeof(text)), (long long)before,
                                   (long long)after);
        slice.begin[d] = before;
        slice.size[d] = left - before - after;
    }
    return weft_slice(x, &slice);
}

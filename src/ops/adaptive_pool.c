/* Adaptive average pooling: into a given number of parts along each spatial dimension. */
#include "weft/array.h"
#include "weft/pooling.h"
#include "weft/reduction.h"

#include <stdbool.h>

/* Means over `parts` parts of the axis, part by part. */
static weft_value average_parts(weft_value x, int axis, int64_t parts)
{
    enum { MOST_PARTS = 64 };
    int64_t extent = weft_shape_get(x).extent[axis];
    weft_value mean[MOST_PARTS];
    if (parts > MOST_PARTS)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "adaptive_average_pool: %lld parts that do not divide %lld elements "
                               "are more than %d",
                               (long long)parts, (long long)extent, MOST_PARTS);
    for (int64_t i = 0; i < parts; i++) {
        weft_slice_options part = {0};
        part.begin[axis] = i * extent / parts;
        part.size[axis] = ((i + 1) * extent + parts - 1) / parts - part.begin[axis];
        mean[i] =
            weft_mean(weft_slice(x, &part),
                      &(weft_reduce_options){.axes = {axis}, .axis_count = 1, .keep_dims = true});
    }
    return weft_concat(mean, (int)parts, axis);
}

/* False, with a message on the graph, where x cannot be cut so; *divides: into windows of equal size. */
static bool check(weft_value x, weft_shape shape, const weft_adaptive_pool_options *options,
                  bool *divides)
{
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    *divides = true;
    if (shape.rank < 3 || shape.rank > 5) {
        weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                        "adaptive_average_pool: input %s must have rank 3 to 5", text);
        return false;
    }
    for (int d = 0; d < shape.rank - 2; d++) {
        int64_t extent = shape.extent[d + 1];
        if (extent < 1 || options->size[d] < 1) {
            weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                            "adaptive_average_pool: size[%d] is %d, input %s", d, options->size[d],
                            text);
            return false;
        }
        *divides &= extent % options->size[d] == 0;
    }
    return true;
}

weft_value weft_adaptive_average_pool(weft_value x, const weft_adaptive_pool_options *options)
{
    bool divides;
    weft_shape shape = weft_shape_get(x);
    if (weft_is_null(x) || !check(x, shape, options, &divides))
        return weft_null(x.graph);
    weft_pool_options pool = {.name = options->name};
    bool changes = false;
    for (int d = 0; d < shape.rank - 2; d++) {
        pool.window[d] = (int)(shape.extent[d + 1] / options->size[d]);
        changes |= shape.extent[d + 1] != options->size[d];
    }
    if (!changes)
        return x;
    if (divides)
        return weft_average_pool(x, &pool);
    for (int d = 0; d < shape.rank - 2; d++)
        if (shape.extent[d + 1] != options->size[d])
            x = average_parts(x, d + 1, options->size[d]);
    return x;
}

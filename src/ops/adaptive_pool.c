/* Adaptive pooling: into a given number of parts along each spatial dimension. */
#include "weft/array.h"
#include "weft/pooling.h"
#include "weft/reduction.h"

#include <stdbool.h>

/* Average or maximum. */
typedef struct pooling {
    const char *name;
    weft_value (*pool)(weft_value x, const weft_pool_options *options);
    /* one part of `extent` elements along the axis, which stays with extent 1 */
    weft_value (*part)(weft_value x, int axis, int64_t extent);
} pooling;

static weft_value mean_of_part(weft_value x, int axis, int64_t extent)
{
    (void)extent;
    return weft_mean(x, &(weft_reduce_options){.axes = {axis}, .axis_count = 1, .keep_dims = true});
}

static weft_value maximum_of_part(weft_value x, int axis, int64_t extent)
{
    weft_pool_options options = {0};
    for (int d = 0; d < weft_shape_get(x).rank - 2; d++)
        options.window[d] = d + 1 == axis ? (int)extent : 1;
    return weft_max_pool(x, &options);
}

/* Pools `parts` parts of the axis, part by part. */
static weft_value pool_parts(const pooling *kind, weft_value x, int axis, int64_t parts)
{
    enum { MOST_PARTS = 64 };
    int64_t extent = weft_shape_get(x).extent[axis];
    weft_value pooled[MOST_PARTS];
    if (parts > MOST_PARTS)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "%s: %lld parts that do not divide %lld elements are more than %d",
                               kind->name, (long long)parts, (long long)extent, MOST_PARTS);
    for (int64_t i = 0; i < parts; i++) {
        weft_slice_options part = {0};
        part.begin[axis] = i * extent / parts;
        part.size[axis] = ((i + 1) * extent + parts - 1) / parts - part.begin[axis];
        pooled[i] = kind->part(weft_slice(x, &part), axis, part.size[axis]);
    }
    return weft_concat(pooled, (int)parts, axis);
}

/* False, with a message on the graph, where x cannot be cut so; *divides: into windows of equal size. */
static bool check(const pooling *kind, weft_value x, weft_shape shape,
                  const weft_adaptive_pool_options *options, bool *divides)
{
    char text[128];
    weft_shape_text(shape, text, sizeof(text));
    *divides = true;
    if (shape.rank < 3 || shape.rank > 5) {
        weft_graph_fail(x.graph, WEFT_ERROR_SHAPE, "%s: input %s must have rank 3 to 5", kind->name,
                        text);
        return false;
    }
    for (int d = 0; d < 3; d++) {
        bool there = d < shape.rank - 2;
        int64_t extent = there ? shape.extent[d + 1] : 0;
        if (there ? extent < 1 || options->size[d] < 1 : options->size[d] != 0) {
            weft_graph_fail(x.graph, WEFT_ERROR_SHAPE, "%s: size[%d] is %d, input %s", kind->name,
                            d, options->size[d], text);
            return false;
        }
        *divides &= !there || extent % options->size[d] == 0;
    }
    return true;
}

static weft_value adaptive_pool(const pooling *kind, weft_value x,
                                const weft_adaptive_pool_options *options)
{
    bool divides;
    weft_shape shape = weft_shape_get(x);
    if (weft_is_null(x) || !check(kind, x, shape, options, &divides))
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
        return kind->pool(x, &pool);
    /* from the last dimension on, so that the first of equal maxima is the first row by row */
    for (int d = shape.rank - 3; d >= 0; d--)
        if (shape.extent[d + 1] != options->size[d])
            x = pool_parts(kind, x, d + 1, options->size[d]);
    return x;
}

weft_value weft_adaptive_average_pool(weft_value x, const weft_adaptive_pool_options *options)
{
    static const pooling average = {"adaptive_average_pool", weft_average_pool, mean_of_part};
    return adaptive_pool(&average, x, options);
}

weft_value weft_adaptive_max_pool(weft_value x, const weft_adaptive_pool_options *options)
{
    static const pooling maximum = {"adaptive_max_pool", weft_max_pool, maximum_of_part};
    return adaptive_pool(&maximum, x, options);
}

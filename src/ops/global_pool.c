/* Global pooling: reductions over all dimensions between the first and the last. */
#include "weft/pooling.h"
#include "weft/reduction.h"

typedef weft_value reduction(weft_value x, const weft_reduce_options *options);

static weft_value pool(weft_value x, const weft_global_pool_options *options, const char *name,
                       reduction *reduce)
{
    weft_shape shape = weft_shape_get(x);
    char text[120];
    if (weft_is_null(x))
        return x;
    if (shape.rank < 3)
        return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                               "%s: input %s has rank %d, expected 3 or more: N, spatial, C", name,
                               weft_shape_text(shape, text, sizeof(text)), shape.rank);
    weft_reduce_options axes = {.name = name, .axis_count = shape.rank - 2};
    for (int i = 0; i < axes.axis_count; i++)
        axes.axes[i] = i + 1;
    if (options) {
        axes.name = options->name ? options->name : name;
        axes.keep_dims = options->keep_dims;
    }
    return reduce(x, &axes);
}

weft_value weft_global_average_pool(weft_value x, const weft_global_pool_options *options)
{
    return pool(x, options, "global_average_pool", weft_mean);
}

weft_value weft_global_max_pool(weft_value x, const weft_global_pool_options *options)
{
    return pool(x, options, "global_max_pool", weft_max);
}

/* Repeating a value, or each of its elements, along dimensions: a dimension is added, repeated and joined with
 * its neighbour. */
#include "weft/array.h"

/* Dimensions `first` and the next one as one. An extent that is open becomes what the others leave. */
static weft_value join_dims(weft_value x, int first)
{
    weft_shape from = weft_shape_get(x), to = {.rank = from.rank - 1};
    for (int i = 0; i < to.rank; i++) {
        int64_t extent = from.extent[i <= first ? i : i + 1];
        if (i == first)
            extent *= from.extent[i + 1];
        to.extent[i] = extent > 0 ? extent : WEFT_BATCH;
    }
    return weft_reshape(x, to);
}

/* The extent is repeated `count` times: as a whole, or each element of it. */
static weft_value repeat(weft_value x, int axis, int64_t count, bool whole)
{
    int added = whole ? axis : axis + 1;
    weft_value apart = weft_expand_dims(x, &added, 1);
    if (weft_is_null(apart))
        return apart;
    weft_shape shape = {.rank = weft_shape_get(apart).rank};
    shape.extent[added] = count;
    return join_dims(weft_expand(apart, shape), axis);
}

weft_value weft_tile_dims(weft_value x, const int64_t *repeats, int count)
{
    int rank = weft_shape_get(x).rank;
    if (weft_is_null(x))
        return x;
    if (count != rank)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "tile_dims: %d numbers of repetitions for %d dimensions", count,
                               rank);
    for (int d = rank - 1; d >= 0; d--) {
        if (repeats[d] < 1)
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "tile_dims: %lld repetitions of dimension %d",
                                   (long long)repeats[d], d);
        if (repeats[d] > 1)
            x = repeat(x, d, repeats[d], true);
        if (weft_is_null(x))
            return x;
    }
    return x;
}

weft_value weft_repeat(weft_value x, int axis, int64_t count)
{
    int rank = weft_shape_get(x).rank, dimension = axis < 0 ? axis + rank : axis;
    if (weft_is_null(x))
        return x;
    if (dimension < 0 || dimension >= rank || count < 1)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "repeat: %lld repetitions along axis %d of %d dimensions",
                               (long long)count, axis, rank);
    return count == 1 ? x : repeat(x, dimension, count, false);
}

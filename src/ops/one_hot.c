#include "base/memory.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/loss.h"

/* The labels against 0, 1, 2, ... */
weft_value weft_one_hot(weft_value labels, int64_t classes)
{
    weft_graph *graph = labels.graph;
    if (weft_dtype_get(labels) != WEFT_INT32 || classes < 1)
        return weft_graph_fail(
            graph, WEFT_ERROR_ARGUMENT,
            "one_hot: labels are %s, not int32, or %lld classes are not positive",
            weft_dtype_name(weft_dtype_get(labels)), (long long)classes);
    double *number =
        weft_allocate_array(weft_graph_context(graph), (size_t)classes, sizeof(*number));
    if (!number)
        return weft_graph_fail(graph, WEFT_ERROR_MEMORY, "one_hot: out of memory");
    for (int64_t i = 0; i < classes; i++)
        number[i] = (double)i;
    weft_value counting = weft_constant(graph, weft_shape_of(classes), number);
    weft_release_array(weft_graph_context(graph), number, (size_t)classes, sizeof(*number));
    return weft_equal(weft_expand_dims(weft_cast_real(labels, NULL), (int[]){-1}, 1), counting);
}

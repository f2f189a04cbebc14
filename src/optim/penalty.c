/* Penalties: sums of the sizes of variables, of maps and sums. */
#include "weft/arithmetic.h"
#include "weft/reduction.h"
#include "weft/regularization.h"

#include <math.h>

static weft_value sum_of(weft_value a, weft_value b)
{
    return weft_is_null(a) ? b : weft_add(a, b);
}

/* The penalty on one value; null where there is none. */
static weft_value of_one(weft_value x, const weft_penalty_options *options)
{
    double l2 = options->half_squares ? options->l2 / 2 : options->l2;
    weft_value penalty = weft_null(x.graph);
    if (options->l1 != 0)
        penalty = weft_scale(weft_sum(weft_abs(x), NULL), options->l1);
    if (l2 != 0)
        penalty = sum_of(penalty, weft_scale(weft_sum(weft_square(x), NULL), l2));
    return penalty;
}

weft_value weft_penalty(weft_graph *graph, const weft_value *variable, int count,
                        const weft_penalty_options *options)
{
    weft_value total = weft_null(graph);
    if (!(options->l1 >= 0 && options->l2 >= 0) || isinf(options->l1 + options->l2))
        return weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "penalty: l1 is %g, l2 %g", options->l1,
                               options->l2);
    weft_scope_push(graph, options->name ? options->name : "penalty");
    for (int i = 0; i < count; i++)
        total = sum_of(total, of_one(variable[i], options));
    for (int i = 0; !variable && !weft_is_null(weft_variable_at(graph, i)); i++) {
        weft_value own = weft_variable_at(graph, i);
        if (weft_is_trainable(own) && weft_shape_get(own).rank >= 2)
            total = sum_of(total, of_one(own, options));
    }
    if (weft_is_null(total))
        total = weft_scalar(graph, 0);
    weft_scope_pop(graph);
    return total;
}

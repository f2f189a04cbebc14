/* Mean squared error: composed, since it is only as heavy as its operands are long. */
#include "ops/loss.h"
#include "weft/arithmetic.h"

weft_value weft_mean_squared_error(weft_value x, weft_value target,
                                   const weft_loss_options *options)
{
    char a[120], b[120];
    if (!weft_shape_equal(weft_shape_get(x), weft_shape_get(target)))
        return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE,
                               "mean_squared_error: %s and target %s differ in shape",
                               weft_shape_text(weft_shape_get(x), a, sizeof(a)),
                               weft_shape_text(weft_shape_get(target), b, sizeof(b)));
    return weft_loss_reduce(weft_square(weft_subtract(x, target)), options);
}

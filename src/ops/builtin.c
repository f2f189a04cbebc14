/* The table of built-in ops: what the checks walk through. An op that is not in it is not checked.
 */
#include "ops/ops.h"

static const weft_op *const ops[] = {
    &weft_max_pool_op,
    &weft_max_pool_gradient_op,
    &weft_max_pool_gather_op,
    &weft_average_pool_op,
    &weft_average_pool_gradient_op,
    &weft_sgd_update_op,
    &weft_momentum_update_op,
    &weft_adam_update_op,
    &weft_accumulate_gradient_op,
    &weft_count_updates_op,
    &weft_global_norm_op,
    NULL, /* the end */
};

const weft_op *weft_builtin_op(int index)
{
    int count = (int)(sizeof(ops) / sizeof(ops[0])) - 1;
    return index >= 0 && index < count ? ops[index] : NULL;
}

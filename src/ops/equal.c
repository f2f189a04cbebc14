/* Where two values are equal: the mask in the gradient of max. */
#include "ops/axes.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

weft_value weft_equal(weft_value x, weft_value y)
{
    return weft_map_apply(&weft_equal_op, WEFT_MAP_EQUAL, 0, 0, NULL, (weft_value[]){x, y});
}

/* x against its own maxima, which some elements equal. */
static bool sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_sample_shape(sampler, 3, 2, 6), WEFT_SAMPLE_DISTINCT);
    weft_value y =
        weft_max(x, &(weft_reduce_options){.axes = {index}, .axis_count = 1, .keep_dims = true});
    weft_sampler_output(sampler, weft_equal(x, y));
    return true;
}

const weft_op weft_equal_op = {
    .name = "equal",
    .summary = "1 where x = y, else 0",
    .shapes = "x, y -> x y broadcast",
    .source = "definition",

    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP_FLAGS(2, WEFT_OP_NO_GRADIENT),
    .infer = weft_map_infer_broadcast,
    .sample = sample,
};

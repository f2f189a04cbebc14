/* What the compiler replaces the gradient of max pooling by: which element of each window is its maximum, found as soon
 * as x is there and kept as a byte, and the gradient from that. So x need not be kept for it. */
#include "base/error.h"
#include "graph/fusion.h"
#include "ops/ops.h"
#include "ops/pool_geometry.h"

static bool bind_winners(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 1, &bind->output[0]);
    args.winners = args.coarse;
    return weft_pool_bind_pixels(bind, &args, false, weft_pool_taps(&args),
                                 weft_pool_max_table()->winners);
}

const weft_op weft_max_pool_winners_op = {
    .name = "max_pool_winners",
    .family = WEFT_FAMILY_POOLING,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .bind = bind_winners,
    .cost = weft_pool_cost_of_output,
    .label = weft_pool_label,
};

static bool bind_scatter(weft_bind *bind)
{
    const weft_tensor *dx = &bind->output[0], *fine[] = {dx, dx};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 2, &bind->input[0]);
    args.winners = weft_pool_args_of(bind->attributes, fine, 2, &bind->input[1]).coarse;
    return weft_pool_bind_boxes(bind, &args, weft_pool_max_table()->scatter_won);
}

/* Inputs dy and winners. */
const weft_op weft_max_pool_scatter_op = {
    .name = "max_pool_scatter",
    .family = WEFT_FAMILY_POOLING,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .bind = bind_scatter,
    .cost = weft_pool_cost_of_input,
    .label = weft_pool_label,
};

enum { MOST_NUMBERS = UINT8_MAX + 1 };

/* Whether a byte counts the elements of a window. */
static bool is_small(const weft_pool_attributes *attributes)
{
    int64_t elements = 1;
    for (int i = 0; i < 3 && attributes->window[i] && elements <= MOST_NUMBERS; i++)
        elements *= attributes->window[i];
    return elements <= MOST_NUMBERS;
}

weft_status weft_max_pool_gradient_expand(weft_expansion *expansion, const weft_bind *bind)
{
    enum { DY, X };
    weft_tensor winners = bind->input[DY];
    winners.dtype = WEFT_UINT8;
    weft_expand_call call = {.op = &weft_max_pool_winners_op,
                             .attributes = bind->attributes,
                             .attribute_bytes = sizeof(weft_pool_attributes),
                             .inputs = 1,
                             .input = {X},
                             .outputs = 1,
                             .like = {&winners},
                             .as = {-1},
                             .early = true};
    int made;
    if (!is_small(bind->attributes))
        return WEFT_OK;
    WEFT_TRY(weft_expand_node(expansion, &call, &made));
    call.op = &weft_max_pool_scatter_op;
    call.inputs = 2;
    call.input[0] = DY;
    call.input[1] = made;
    call.as[0] = 0;
    call.early = false;
    return weft_expand_node(expansion, &call, &made);
}

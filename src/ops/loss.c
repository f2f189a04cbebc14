#include "ops/loss.h"

#include "weft/array.h"
#include "weft/reduction.h"

const char *weft_loss_name(const weft_loss_options *options)
{
    return options && options->reduction == WEFT_LOSS_NONE ? options->name : NULL;
}

weft_value weft_loss_reduce(weft_value losses, const weft_loss_options *options)
{
    static const weft_loss_options defaults;
    if (!options)
        options = &defaults;
    const weft_reduce_options all = {.name = options->name};
    switch (options->reduction) {
    case WEFT_LOSS_MEAN:
        return weft_mean(losses, &all);
    case WEFT_LOSS_SUM:
        return weft_sum(losses, &all);
    case WEFT_LOSS_NONE:
        return losses;
    }
    return weft_graph_fail(losses.graph, WEFT_ERROR_ARGUMENT, "loss: unknown reduction %d",
                           (int)options->reduction);
}

weft_shape weft_shape_without_classes(weft_shape logits)
{
    logits.rank--;
    logits.extent[logits.rank] = 0;
    return logits;
}

weft_value weft_sum_classes(weft_value x, bool keep)
{
    return weft_sum(x, &(weft_reduce_options){.axes = {-1}, .axis_count = 1, .keep_dims = keep});
}

weft_value weft_over_classes(weft_value x)
{
    return weft_expand_dims(x, (int[]){-1}, 1);
}

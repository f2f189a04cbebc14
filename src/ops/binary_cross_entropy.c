/* Binary cross-entropy from logits: a decision for each element. */
#include "ops/axes.h"
#include "ops/loss.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"

enum { LOGITS, TARGETS };

weft_value weft_binary_cross_entropy(weft_value logits, weft_value targets,
                                     const weft_loss_options *options)
{
    weft_value losses =
        weft_map_apply(&weft_binary_cross_entropy_op, WEFT_MAP_BINARY_CROSS_ENTROPY, 0, 0,
                       weft_loss_name(options), (weft_value[]){logits, targets});
    return weft_loss_reduce(losses, options);
}

/* sigmoid(x) - t, and -x. */
static void gradient(weft_gradient_call *call)
{
    weft_value x = call->input[LOGITS], t = call->input[TARGETS], dy = call->output_gradient[0];
    if (call->wanted[LOGITS])
        call->input_gradient[LOGITS] = weft_multiply(weft_subtract(weft_sigmoid(x), t), dy);
    if (call->wanted[TARGETS])
        call->input_gradient[TARGETS] = weft_multiply(weft_negate(x), dy);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_loss_options options[] = {
        {.reduction = WEFT_LOSS_NONE}, {.reduction = WEFT_LOSS_SUM}, {.name = "loss"}};
    if (index >= 3)
        return false;
    weft_shape shape = weft_sample_shape(sampler, 2 + index, 2, 5);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value t = weft_sampler_input(sampler, shape, WEFT_SAMPLE_UNIT);
    weft_sampler_output(sampler, weft_binary_cross_entropy(x, t, &options[index]));
    return true;
}

const weft_op weft_binary_cross_entropy_op = {
    WEFT_MAP_OP(2),
    .name = "binary_cross_entropy",
    .family = WEFT_FAMILY_LOSS,
    .infer = weft_map_infer_equal,
    .gradient = gradient,
    .sample = sample,
};

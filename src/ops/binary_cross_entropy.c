/* Binary cross-entropy from logits: a decision for each element. */
#include "ops/loss.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"

enum { LOGITS, TARGETS };

static weft_value one_minus(weft_value x)
{
    return weft_offset(weft_negate(x), 1);
}

static weft_value losses_of(weft_value x, weft_value t, const weft_loss_options *o,
                            const char *name)
{
    if (!o->probabilities)
        return weft_map_apply(&weft_binary_cross_entropy_op, WEFT_MAP_BINARY_CROSS_ENTROPY, 0, 0,
                              name, (weft_value[]){x, t});
    return weft_add(weft_multiply(t, weft_negative_log(x)),
                    weft_multiply(one_minus(t), weft_negative_log(one_minus(x))));
}

/* 1 - p of the target is exp(-loss of the other target). */
static weft_value focused(weft_value losses, weft_value x, weft_value t, const weft_loss_options *o)
{
    weft_value other = losses_of(x, one_minus(t), o, NULL);
    return weft_multiply(losses, weft_exp(weft_scale(other, -o->focal)));
}

/* Times low + (high - low) t. */
static weft_value weigh_targets(weft_value losses, weft_value t, double low, double high)
{
    return weft_multiply(losses, weft_offset(weft_scale(t, high - low), low));
}

/* 1, 0 where the target is to be ignored, or the null value where none is; targets then have 0 there. */
static weft_value counted_of(weft_value *targets, const weft_loss_options *o)
{
    weft_graph *graph = targets->graph;
    if (!o->ignore)
        return weft_null(graph);
    weft_value counted = weft_not_equal(*targets, weft_scalar(graph, o->ignored_label));
    *targets = weft_select(counted, *targets, weft_scalar(graph, 0));
    return counted;
}

weft_value weft_binary_cross_entropy(weft_value logits, weft_value targets,
                                     const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("binary_cross_entropy", logits,
                              WEFT_LOSS_PROBABILITIES | WEFT_LOSS_SMOOTHING |
                                  WEFT_LOSS_CLASS_WEIGHTS | WEFT_LOSS_IGNORE | WEFT_LOSS_FOCAL |
                                  WEFT_LOSS_POSITIVE,
                              options, &o))
        return weft_null(logits.graph);
    weft_value counted = counted_of(&targets, &o);
    weft_value losses = losses_of(logits, weft_smooth_labels(targets, o.label_smoothing, 2), &o,
                                  weft_loss_name(&o));
    if (o.focal != 0)
        losses = focused(losses, logits, targets, &o);
    if (o.focal_alpha != 0)
        losses = weigh_targets(losses, targets, 1 - o.focal_alpha, o.focal_alpha);
    if (o.positive_weight != 0)
        losses = weigh_targets(losses, targets, 1, o.positive_weight);
    weft_loss_parts parts = {weft_loss_weigh_classes(losses, &o), counted, counted, counted};
    return weft_loss_finish(&parts, &o);
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
    .summary = "max(x, 0) - x target + log(1 + exp(-|x|)), of logits x",
    .shapes = "x [..], target [..] -> [..]",
    .source = "Bridle 1990",

    .family = WEFT_FAMILY_LOSS,
    .infer = weft_map_infer_equal,
    .gradient = gradient,
    .sample = sample,
};

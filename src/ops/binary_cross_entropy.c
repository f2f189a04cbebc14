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
    return weft_add(weft_multiply(t, weft_negative_log(x, o)),
                    weft_multiply(one_minus(t), weft_negative_log(one_minus(x), o)));
}

/* The factor of -t log(p), which is there once, is to be that of positive targets. */
static weft_value weigh_positive(weft_value losses, weft_value x, weft_value t,
                                 const weft_loss_options *o)
{
    weft_value l = o->probabilities ? weft_negative_log(x, o) : weft_softplus(weft_negate(x), NULL);
    return weft_add(losses,
                    weft_loss_weigh(weft_multiply(t, l), weft_offset(o->positive_weights, -1)));
}

/* Times (t (1 - p) + (1 - t) p)^gamma. */
static weft_value focused(weft_value losses, weft_value x, weft_value t, const weft_loss_options *o)
{
    weft_value p = o->probabilities ? x : weft_sigmoid(x);
    weft_value others = o->probabilities ? one_minus(x) : weft_sigmoid(weft_negate(x));
    weft_value missed = weft_add(weft_multiply(t, others), weft_multiply(one_minus(t), p));
    return weft_multiply(losses, weft_focal_factor(missed, o->focal));
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
                              WEFT_LOSS_PROBABILITIES | WEFT_LOSS_LEAST | WEFT_LOSS_SMOOTHING |
                                  WEFT_LOSS_CLASS_WEIGHTS | WEFT_LOSS_IGNORE | WEFT_LOSS_FOCAL |
                                  WEFT_LOSS_POSITIVE,
                              options, &o) ||
        !weft_loss_same_shape("binary_cross_entropy", logits, targets))
        return weft_null(logits.graph);
    weft_value counted = counted_of(&targets, &o);
    targets = weft_smooth_labels(targets, o.label_smoothing, 2);
    weft_value losses = losses_of(logits, targets, &o, weft_loss_name(&o));
    if (!weft_is_null(o.positive_weights))
        losses = weigh_positive(losses, logits, targets, &o);
    if (o.focal != 0)
        losses = focused(losses, logits, targets, &o);
    if (o.focal_alpha != 0) {
        double low = 1 - o.focal_alpha, high = o.focal_alpha;
        losses = weft_multiply(losses, weft_offset(weft_scale(targets, high - low), low));
    }
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

#include "ops/loss.h"

#include "weft/activation.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/reduction.h"

#include <math.h>

/* ---- Options ---- */

static bool within(double value, double low, double high)
{
    return value >= low && value <= high && isfinite(value);
}

bool weft_loss_options_of(const char *loss, weft_value x, unsigned has,
                          const weft_loss_options *given, weft_loss_options *options)
{
    *options = given ? *given : (weft_loss_options){0};
    const weft_loss_options *o = options;
    struct {
        const char *name;
        unsigned bit;
        bool is_given, good;
    } const fields[] = {
        {"probabilities", WEFT_LOSS_PROBABILITIES, o->probabilities, true},
        {"least_probability", WEFT_LOSS_LEAST, o->least_probability != 0,
         o->probabilities && within(o->least_probability, 1e-30, 0.5)},
        {"label_smoothing", WEFT_LOSS_SMOOTHING, o->label_smoothing != 0,
         within(o->label_smoothing, 0, 1)},
        {"class_weights", WEFT_LOSS_CLASS_WEIGHTS, !weft_is_null(o->class_weights), true},
        {"ignore", WEFT_LOSS_IGNORE, o->ignore || o->ignored_label != 0, o->ignore},
        {"focal", WEFT_LOSS_FOCAL, o->focal != 0, within(o->focal, 0, 1e6)},
        {"focal_alpha", WEFT_LOSS_POSITIVE, o->focal_alpha != 0, within(o->focal_alpha, 0, 1)},
        {"positive_weights", WEFT_LOSS_POSITIVE, !weft_is_null(o->positive_weights), true},
        {"delta", WEFT_LOSS_DELTA, o->delta != 0, within(o->delta, 0, HUGE_VAL)},
        {"smooth", WEFT_LOSS_OVERLAP, o->smooth != 0, within(o->smooth, 0, HUGE_VAL)},
        {"exclusive", WEFT_LOSS_OVERLAP, o->exclusive, true},
        {"over_batch", WEFT_LOSS_OVERLAP, o->over_batch, true},
        {"squared", WEFT_LOSS_SQUARED, o->squared, true},
        {"temperature", WEFT_LOSS_TEMPERATURE, o->temperature != 0,
         within(o->temperature, 0, HUGE_VAL)},
        {"margin", WEFT_LOSS_MARGIN, o->margin != 0, within(o->margin, 0, HUGE_VAL)},
        {"hinge", WEFT_LOSS_HINGE, o->hinge != WEFT_HINGE_MEAN,
         o->hinge == WEFT_HINGE_LARGEST || o->hinge == WEFT_HINGE_KERAS},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].is_given && !(has & fields[i].bit))
            weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "%s has no option %s", loss,
                            fields[i].name);
        else if (fields[i].is_given && !fields[i].good)
            weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "%s: option %s is out of range", loss,
                            fields[i].name);
    }
    return weft_graph_error(x.graph)->status == WEFT_OK;
}

bool weft_loss_same_shape(const char *loss, weft_value x, weft_value target)
{
    char a[120], b[120];
    if (weft_shape_equal(weft_shape_get(x), weft_shape_get(target)))
        return true;
    weft_graph_fail(x.graph, WEFT_ERROR_SHAPE, "%s: %s and target %s differ in shape", loss,
                    weft_shape_text(weft_shape_get(x), a, sizeof(a)),
                    weft_shape_text(weft_shape_get(target), b, sizeof(b)));
    return false;
}

weft_value weft_loss_weigh_classes(weft_value x, const weft_loss_options *options)
{
    weft_value weights = options->class_weights;
    char text[120];
    if (weft_is_null(weights))
        return x;
    weft_shape shape = weft_shape_get(weights);
    if (shape.rank != 1 || shape.extent[0] != weft_channels(x))
        return weft_graph_fail(x.graph, WEFT_ERROR_SHAPE, "class weights are %s for %lld classes",
                               weft_shape_text(shape, text, sizeof(text)),
                               (long long)weft_channels(x));
    return weft_multiply(x, weights);
}

/* ---- Reduction ---- */

const char *weft_loss_name(const weft_loss_options *options)
{
    return options && options->reduction == WEFT_LOSS_NONE ? options->name : NULL;
}

weft_value weft_loss_weigh(weft_value losses, weft_value weights)
{
    char a[120], b[120];
    weft_value result = weft_multiply(losses, weights);
    if (weft_is_null(result) || weft_shape_equal(weft_shape_get(result), weft_shape_get(losses)))
        return result;
    return weft_graph_fail(losses.graph, WEFT_ERROR_SHAPE, "weights are %s for losses %s",
                           weft_shape_text(weft_shape_get(weights), a, sizeof(a)),
                           weft_shape_text(weft_shape_get(losses), b, sizeof(b)));
}

static weft_value times(weft_value x, weft_value y)
{
    return weft_is_null(x) ? y : weft_is_null(y) ? x : weft_multiply(x, y);
}

weft_value weft_loss_finish(const weft_loss_parts *parts, const weft_loss_options *options)
{
    const weft_reduce_options all = {.name = options->name};
    weft_value losses = parts->losses, divisor;
    if (weft_is_null(losses))
        return losses;
    if (!weft_is_null(parts->counted)) /* a factor of 0 would leave what is infinite NaN */
        losses = weft_select(parts->counted, losses, weft_scalar(losses.graph, 0));
    losses = times(losses, parts->factor);
    if (!weft_is_null(options->weights))
        losses = weft_loss_weigh(losses, options->weights);
    switch (options->reduction) {
    case WEFT_LOSS_NONE:
        return losses;
    case WEFT_LOSS_SUM:
        return weft_sum(losses, &all);
    case WEFT_LOSS_MEAN:
        if (weft_is_null(parts->counted))
            return weft_mean(losses, &all);
        /* at least 1 */
        divisor = weft_offset(weft_relu(weft_offset(weft_sum(parts->counted, NULL), -1)), 1);
        return weft_sum(weft_divide(losses, divisor), &all);
    case WEFT_LOSS_WEIGHTED_MEAN:
        divisor = weft_is_null(options->weights)
                      ? parts->weight
                      : times(parts->weight, weft_broadcast_like(options->weights, losses));
        if (weft_is_null(divisor))
            return weft_mean(losses, &all);
        return weft_sum(weft_divide(losses, weft_sum(divisor, NULL)), &all);
    }
    return weft_graph_fail(losses.graph, WEFT_ERROR_ARGUMENT, "loss: unknown reduction %d",
                           (int)options->reduction);
}

weft_value weft_loss_reduce(weft_value losses, const weft_loss_options *options)
{
    weft_value none = weft_null(losses.graph);
    return weft_loss_finish(&(weft_loss_parts){losses, none, none, none}, options);
}

weft_value weft_sum_losses(const weft_value *loss, const double *weight, int count)
{
    weft_value sum = {0};
    for (int i = 0; i < count; i++) {
        weft_value part = weight ? weft_scale(loss[i], weight[i]) : loss[i];
        if (!weft_loss_same_shape("sum_losses", loss[0], loss[i]))
            return weft_null(loss[0].graph);
        sum = i == 0 ? part : weft_add(sum, part);
    }
    return sum;
}

/* ---- Classes ---- */

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

static const double least_probability = 1e-7;

static weft_value at_least(weft_value x, double least)
{
    return weft_offset(weft_relu(weft_offset(x, -least)), least);
}

weft_value weft_negative_log(weft_value p, const weft_loss_options *options)
{
    double least = options->least_probability;
    return weft_negate(weft_log(at_least(p, least != 0 ? least : least_probability)));
}

weft_value weft_negative_log_softmax(weft_value x)
{
    return weft_negate(weft_log_softmax(x, -1));
}

weft_value weft_others_of(weft_value l)
{
    return weft_offset(weft_negate(weft_exp(weft_negate(l))), 1);
}

weft_value weft_focal_factor(weft_value others, double gamma)
{
    return weft_exp(weft_scale(weft_log(at_least(others, least_probability)), gamma));
}

weft_value weft_smooth_labels(weft_value targets, double a, double count)
{
    return a == 0 ? targets : weft_offset(weft_scale(targets, 1 - a), a / count);
}

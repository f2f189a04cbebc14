/* Hinge losses, of decisions and of classes: composed, since they are only as heavy as their operands are
 * long. */
#include "ops/loss.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"
#include "weft/array.h"
#include "weft/reduction.h"

static double margin_of(const weft_loss_options *options)
{
    return options->margin != 0 ? options->margin : 1;
}

/* max(0, margin - ahead), or its square. */
static weft_value missing(weft_value ahead, const weft_loss_options *options)
{
    weft_value short_of = weft_relu(weft_offset(weft_negate(ahead), margin_of(options)));
    return options->squared ? weft_square(short_of) : short_of;
}

weft_value weft_hinge(weft_value x, weft_value targets, const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("hinge", x, WEFT_LOSS_SQUARED | WEFT_LOSS_MARGIN, options, &o) ||
        !weft_loss_same_shape("hinge", x, targets))
        return weft_null(x.graph);
    return weft_loss_reduce(missing(weft_multiply(x, targets), &o), &o);
}

/* ---- Of classes ---- */

static weft_value largest_of_classes(weft_value x)
{
    return weft_max(x, &(weft_reduce_options){.axes = {-1}, .axis_count = 1});
}

/* The loss of each example. That of the targets' own class is left out after it has been computed, which
 * leaves the largest of the others as it is, since none is below 0; Keras leaves its score out. */
static weft_value class_hinge(weft_value x, weft_value targets, const weft_loss_options *o)
{
    weft_value own = weft_sum_classes(weft_multiply(x, targets), true);
    weft_value others = weft_offset(weft_negate(targets), 1);
    if (o->hinge == WEFT_HINGE_KERAS)
        return largest_of_classes(missing(weft_subtract(own, weft_multiply(x, others)), o));
    weft_value each = weft_multiply(missing(weft_subtract(own, x), o), others);
    return o->hinge == WEFT_HINGE_LARGEST
               ? largest_of_classes(each)
               : weft_scale(weft_sum_classes(each, false), 1 / (double)weft_channels(x));
}

static bool hinge_options_of(const char *loss, weft_value x, unsigned has,
                             const weft_loss_options *given, weft_loss_options *options)
{
    return weft_loss_options_of(loss, x,
                                has | WEFT_LOSS_SQUARED | WEFT_LOSS_MARGIN | WEFT_LOSS_HINGE |
                                    WEFT_LOSS_CLASS_WEIGHTS,
                                given, options);
}

weft_value weft_categorical_hinge(weft_value x, weft_value targets,
                                  const weft_loss_options *options)
{
    weft_loss_options o;
    if (!hinge_options_of("categorical_hinge", x, 0, options, &o) ||
        !weft_loss_same_shape("categorical_hinge", x, targets))
        return weft_null(x.graph);
    weft_value none = weft_null(x.graph), weight = none;
    if (!weft_is_null(o.class_weights))
        weight = weft_sum_classes(weft_loss_weigh_classes(targets, &o), false);
    weft_loss_parts parts = {class_hinge(x, targets, &o), weight, none, weight};
    return weft_loss_finish(&parts, &o);
}

weft_value weft_sparse_categorical_hinge(weft_value x, weft_value labels,
                                         const weft_loss_options *options)
{
    weft_loss_options o;
    if (!hinge_options_of("sparse_categorical_hinge", x, WEFT_LOSS_IGNORE, options, &o))
        return weft_null(x.graph);
    weft_known_labels known = weft_know_labels(labels, x, &o);
    weft_value targets =
        weft_one_hot(known.labels, &(weft_one_hot_options){.depth = weft_channels(x)});
    weft_loss_parts parts = {.losses = class_hinge(x, targets, &o),
                             .factor = known.weights,
                             .counted = o.ignore ? known.counted : weft_null(x.graph),
                             .weight = known.weights};
    return weft_loss_finish(&parts, &o);
}

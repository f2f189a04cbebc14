/* Losses of the overlap of two masks. */
#include "ops/loss.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

/* Sums over pixels. */
typedef struct overlap {
    weft_value both, x, targets;
} overlap;

static weft_value over_pixels(weft_value x, const weft_loss_options *o)
{
    weft_reduce_options pixels = {0};
    if (!weft_is_null(o->weights))
        x = weft_loss_weigh(x, o->weights);
    for (int axis = o->over_batch ? 0 : 1; axis < weft_shape_get(x).rank - 1; axis++)
        pixels.axes[pixels.axis_count++] = axis;
    return weft_sum(x, &pixels);
}

/* False, with an error, where options or shapes are wrong. */
static bool overlap_of(const char *loss, unsigned has, weft_value logits, weft_value targets,
                       const weft_loss_options *given, weft_loss_options *o, overlap *sums)
{
    if (!weft_loss_options_of(loss, logits,
                              has | WEFT_LOSS_PROBABILITIES | WEFT_LOSS_OVERLAP |
                                  WEFT_LOSS_CLASS_WEIGHTS,
                              given, o) ||
        !weft_loss_same_shape(loss, logits, targets))
        return false;
    if (weft_shape_get(logits).rank < 3) {
        weft_graph_fail(logits.graph, WEFT_ERROR_SHAPE,
                        "%s needs masks [N,...,C] with pixels, of rank 3 and more, not %d", loss,
                        weft_shape_get(logits).rank);
        return false;
    }
    o->smooth = o->smooth != 0 ? o->smooth : 1;
    weft_value x = o->probabilities ? logits
                   : o->exclusive   ? weft_softmax(logits)
                                    : weft_sigmoid(logits);
    sums->both = over_pixels(weft_multiply(x, targets), o);
    sums->x = over_pixels(o->squared ? weft_square(x) : x, o);
    sums->targets = over_pixels(o->squared ? weft_square(targets) : targets, o);
    return true;
}

/* The loss of a share of overlap; weights have been those of pixels. */
static weft_value loss_of(weft_value above, weft_value below, const weft_loss_options *o)
{
    weft_value share = weft_divide(weft_offset(above, o->smooth), weft_offset(below, o->smooth));
    weft_value losses = weft_loss_weigh_classes(weft_offset(weft_negate(share), 1), o);
    weft_loss_options reduced = {.name = o->name, .reduction = o->reduction};
    return weft_loss_reduce(losses, &reduced);
}

weft_value weft_dice(weft_value logits, weft_value targets, const weft_loss_options *options)
{
    weft_loss_options o;
    overlap sums;
    if (!overlap_of("dice", WEFT_LOSS_SQUARED, logits, targets, options, &o, &sums))
        return weft_null(logits.graph);
    return loss_of(weft_scale(sums.both, 2), weft_add(sums.x, sums.targets), &o);
}

weft_value weft_jaccard(weft_value logits, weft_value targets, const weft_loss_options *options)
{
    weft_loss_options o;
    overlap sums;
    if (!overlap_of("jaccard", 0, logits, targets, options, &o, &sums))
        return weft_null(logits.graph);
    return loss_of(sums.both, weft_subtract(weft_add(sums.x, sums.targets), sums.both), &o);
}

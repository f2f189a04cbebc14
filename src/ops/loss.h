/* What losses share: options, examples to a scalar, gradients of examples spread over their classes. */
#ifndef WEFT_OPS_LOSS_H
#define WEFT_OPS_LOSS_H

#include "weft/loss.h"

/* ---- Options ---- */

/* Options that not every loss has. */
enum {
    WEFT_LOSS_PROBABILITIES = 1 << 0,
    WEFT_LOSS_SMOOTHING = 1 << 1,
    WEFT_LOSS_CLASS_WEIGHTS = 1 << 2,
    WEFT_LOSS_IGNORE = 1 << 3,
    WEFT_LOSS_FOCAL = 1 << 4,
    WEFT_LOSS_POSITIVE = 1 << 5, /* focal_alpha, positive_weights */
    WEFT_LOSS_DELTA = 1 << 6,
    WEFT_LOSS_OVERLAP = 1 << 7, /* smooth, exclusive, over_batch */
    WEFT_LOSS_SQUARED = 1 << 8,
    WEFT_LOSS_TEMPERATURE = 1 << 9,
    WEFT_LOSS_MARGIN = 1 << 10,
    WEFT_LOSS_HINGE = 1 << 11,
    WEFT_LOSS_LEAST = 1 << 12
};

/* The options, given may be NULL, of a loss of x that has those in the mask; false with the graph's error
 * set where they are wrong. */
bool weft_loss_options_of(const char *loss, weft_value x, unsigned has,
                          const weft_loss_options *given, weft_loss_options *options);
/* False, with an error, unless x and its targets have one shape. */
bool weft_loss_same_shape(const char *loss, weft_value x, weft_value target);
/* The loss of each class (last dimension) times its weight, where there are weights. */
weft_value weft_loss_weigh_classes(weft_value x, const weft_loss_options *options);

/* ---- Reduction ---- */

/* The name that an op which gives a loss an example should bear: the options' if nothing follows. */
const char *weft_loss_name(const weft_loss_options *options);

/* A loss an example. Null values: nothing of the kind. */
typedef struct weft_loss_parts {
    weft_value losses;
    weft_value factor;  /* of each */
    weft_value counted; /* 1, or 0 where an example is ignored */
    weft_value weight;  /* what a weighted mean divides by, with the options' weights */
} weft_loss_parts;

/* Losses times weights, which must broadcast to their shape: else an error. */
weft_value weft_loss_weigh(weft_value losses, weft_value weights);
/* Weighs and reduces as the options say. */
weft_value weft_loss_finish(const weft_loss_parts *parts, const weft_loss_options *options);
/* The same for losses alone. */
weft_value weft_loss_reduce(weft_value losses, const weft_loss_options *options);

/* ---- Classes ---- */

/* The shape of the examples: that of the logits without the last extent. */
weft_shape weft_shape_without_classes(weft_shape logits);
/* x summed over the last dimension; keep: which stays, with extent 1. */
weft_value weft_sum_classes(weft_value x, bool keep);
/* A value of each example with a last dimension of extent 1. */
weft_value weft_over_classes(weft_value x);

/* -log(p), p counting as at least the options' least. */
weft_value weft_negative_log(weft_value p, const weft_loss_options *options);
/* -log(softmax(x)) over the last dimension. */
weft_value weft_negative_log_softmax(weft_value x);
/* 1 - p for l = -log(p). */
weft_value weft_others_of(weft_value l);
/* others^gamma, for others = 1 - p; no logarithm of 0, and no gradient, within 1e-7 of p = 1. */
weft_value weft_focal_factor(weft_value others, double gamma);
/* targets (1 - a) + a / count. */
weft_value weft_smooth_labels(weft_value targets, double a, double count);
/* Cross-entropy of each example with targets of its classes: from logits or probabilities, focal. */
weft_value weft_class_losses(weft_value x, weft_value targets, const weft_loss_options *options);

/* Labels and what options make of them. */
typedef struct weft_known_labels {
    weft_value labels;  /* 0 where they are ignored */
    weft_value counted; /* 1, 0 where ignored, NaN for a label of no class */
    weft_value weights; /* counted, times the weight of the label's class */
} weft_known_labels;

/* class_weights null: 1 each. */
weft_known_labels weft_know_labels(weft_value labels, weft_value logits,
                                   const weft_loss_options *options);

#endif

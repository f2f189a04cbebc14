/* Softmax and losses. Losses take logits (scores before softmax or sigmoid), which keeps them accurate
 * where probabilities would round to 0 or 1; they take probabilities where options say so. */
#ifndef WEFT_LOSS_H
#define WEFT_LOSS_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* exp(x[k]) / sum over j of exp(x[j]) along the last dimension. */
WEFT_API weft_value weft_softmax(weft_value x);
/* The same along another axis; negative: from the end. */
WEFT_API weft_value weft_softmax_along(weft_value x, int axis);
/* log(softmax(x)) along an axis, without overflow or log of 0: x - log(sum of exp(x)). */
WEFT_API weft_value weft_log_softmax(weft_value x, int axis);

typedef enum weft_loss_reduction {
    WEFT_LOSS_MEAN =
        0,          /* a scalar: the mean over all examples (or elements) that are not ignored */
    WEFT_LOSS_SUM,  /* a scalar: their sum */
    WEFT_LOSS_NONE, /* one loss for each */
    /* a scalar: their sum over the sum of the weights of examples and of labels: PyTorch's mean with class
     * weights, where Keras divides by the number of examples. NaN where all weights are 0 */
    WEFT_LOSS_WEIGHTED_MEAN
} weft_loss_reduction;

/* What the hinge loss of an example makes of its losses against each other class. */
typedef enum weft_hinge_kind {
    /* Their sum over the number of classes, its own included: PyTorch's MultiMarginLoss */
    WEFT_HINGE_MEAN = 0,
    WEFT_HINGE_LARGEST, /* the largest: Crammer, Singer 2001 */
    WEFT_HINGE_KERAS    /* the same with one more class, whose score is 0: its CategoricalHinge */
} weft_hinge_kind;

/* Options of all losses. One that a loss does not have must be 0; which it has, is said at each, but for
 * name, reduction and weights, which all have. */
typedef struct weft_loss_options {
    const char *name; /* of the reduced loss; NULL: the op's */
    weft_loss_reduction reduction;
    /* Real factors of the losses, broadcast to their shape: of examples, of pixels. Zero: none */
    weft_value weights;
    bool probabilities; /* the first operand is such */
    /* What probabilities count as at least in logarithms; 0: 1e-7, Keras's. As good as none is 1e-30:
     * PyTorch's binary cross-entropy has exp(-100), its others take the caller's logarithms */
    double least_probability;
    double
        label_smoothing; /* a in [0, 1]: targets t become (1 - a) t + a / K; binary ones + a / 2 */
    weft_value class_weights; /* real [K], a factor of each class's part; zero: none */
    /* Examples (or pixels) with the label, or binary target, ignored_label have loss and gradient 0 */
    bool ignore;
    int32_t ignored_label; /* such as 255, or -100 */
    double focal;          /* gamma >= 0: see each loss. 0: none */
    double focal_alpha;    /* in (0, 1]: factor of positive targets, 1 less it of others. 0: none */
    /* Real factors of the part of positive targets, broadcast to the logits: a scalar, or [K]. Zero: 1 */
    weft_value positive_weights;
    double delta;    /* 0: 1 */
    double smooth;   /* 0: 1. As good as none is 1e-30 */
    bool exclusive;  /* one class a pixel: softmax in place of sigmoid */
    bool over_batch; /* sums over the batch too */
    bool squared;
    double temperature; /* 0: 1 */
    double margin;      /* 0: 1 */
    weft_hinge_kind hinge;
} weft_loss_options;

/* ---- Classes ---- */

/* log(sum over k of exp(x[k])) - x[label], for logits [...,K] and int32 labels [...]: the cross-entropy
 * of softmax(x) and a class (Goodfellow, Bengio, Courville, "Deep Learning", section 6.2.2). A label
 * outside [0, K) makes NaN of its example's loss and gradient, so that it cannot go unseen. options may
 * be NULL, also below: probabilities, label_smoothing, class_weights, ignore; focal: times (1 - p)^focal,
 * p being the label's probability (Lin et al. 2017, eq. 4), with smoothing each term by its own, as below. Class weights and smoothing are as PyTorch's:
 * sum over k of weights[k] t[k] -log p[k]. Where all examples are ignored the mean is 0. */
WEFT_API weft_value weft_sparse_cross_entropy(weft_value logits, weft_value labels,
                                              const weft_loss_options *options);
/* sum over k of targets[k] (log(sum over j of exp(x[j])) - x[k]) for logits and targets [...,K]. Targets
 * are usually probabilities, but need not add up to 1. Options: probabilities, taken as they are, where
 * Keras divides them by their sum; label_smoothing, class_weights; focal: each term times (1 - p[k])^focal
 * (Keras's, whose alpha is class_weights). */
WEFT_API weft_value weft_cross_entropy(weft_value logits, weft_value targets,
                                       const weft_loss_options *options);
/* -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) for logits x and targets t of one shape, each element
 * a decision of its own; computed as max(x, 0) - x t + log(1 + exp(-|x|)). Options: probabilities,
 * label_smoothing (Keras's), class_weights, ignore; positive_weights: factors of the first term
 * (PyTorch's pos_weight); focal: times (t (1 - p) + (1 - t) p)^focal (Lin et al. 2017, eq. 4, for targets
 * in between as in Keras and torchvision); focal_alpha: times alpha t + (1 - alpha) (1 - t). */
WEFT_API weft_value weft_binary_cross_entropy(weft_value logits, weft_value targets,
                                              const weft_loss_options *options);
/* sum over k of targets[k] (log(targets[k]) - log(p[k])), p = softmax(logits), for logits and targets
 * [...,K] (Kullback, Leibler 1951). Option: probabilities. The mean is Keras's, and
 * for [N,K] PyTorch's "batchmean", whose "mean" divides by N K. */
WEFT_API weft_value weft_kl_divergence(weft_value logits, weft_value targets,
                                       const weft_loss_options *options);
/* T^2 times the divergence of softmax(logits / T) from softmax(teacher / T), for the temperature T
 * (Hinton, Vinyals, Dean 2015, section 2). No gradient flows to the teacher's logits. */
WEFT_API weft_value weft_distillation(weft_value logits, weft_value teacher,
                                      const weft_loss_options *options);
/* max(0, margin - t x) for targets t of -1 and 1; squared: its square: Keras's Hinge and SquaredHinge, which
 * take 0 for -1 where all targets are 0 or 1; PyTorch has none. Options: margin, squared. */
WEFT_API weft_value weft_hinge(weft_value x, weft_value targets, const weft_loss_options *options);
/* Of the losses max(0, margin - x[label] + x[k]) for all other classes k (squared: their squares) of scores x
 * [...,K] and int32 labels [...], what the option `hinge` says (Weston, Watkins 1999). Options: margin, squared, hinge;
 * class_weights, ignore, as of weft_sparse_cross_entropy. */
WEFT_API weft_value weft_sparse_categorical_hinge(weft_value x, weft_value labels,
                                                  const weft_loss_options *options);
/* The same for targets [...,K] that are 1 at the class and 0 elsewhere; no ignore. */
WEFT_API weft_value weft_categorical_hinge(weft_value x, weft_value targets,
                                           const weft_loss_options *options);

/* ---- Overlap of masks [N,...,C]: one loss for each example and class, or with over_batch each class ---- */

/* 1 - (2 sum p t + s) / (sum p + sum t + s) with sums over pixels, p = sigmoid(logits), s = smooth; squared:
 * sums of p^2 and t^2 in the denominator (Milletari, Navab, Ahmadi 2016, section 3). Weights are those of
 * pixels, [N,...,1] or [N,...,C]; 0: ignored. Keras's Dice, which has 1e-7 added below only, is by
 * default one share of everything: that of [1,n,1] with smooth 1e-30. PyTorch has none. Options:
 * probabilities, exclusive, over_batch, smooth, squared, class_weights. */
WEFT_API weft_value weft_dice(weft_value logits, weft_value targets,
                              const weft_loss_options *options);
/* 1 - (sum p t + s) / (sum p + sum t - sum p t + s) (Rahman, Wang 2016, eq. 3); the rest as above. */
WEFT_API weft_value weft_jaccard(weft_value logits, weft_value targets,
                                 const weft_loss_options *options);

/* ---- Numbers ---- */

/* (x - target)^2, for each element. */
WEFT_API weft_value weft_mean_squared_error(weft_value x, weft_value target,
                                            const weft_loss_options *options);
/* |x - target|; its gradient where they are equal is 0. */
WEFT_API weft_value weft_mean_absolute_error(weft_value x, weft_value target,
                                             const weft_loss_options *options);
/* With e = |x - target|: e^2 / 2 where e <= delta, else delta (e - delta / 2) (Huber 1964). PyTorch's
 * SmoothL1Loss is this over its beta, which is delta. */
WEFT_API weft_value weft_huber(weft_value x, weft_value target, const weft_loss_options *options);

/* ---- Several ---- */

/* The sum of weight[i] loss[i], for losses of one shape: main and auxiliary heads, parts of a loss. weight
 * NULL: 1 each. Of no losses it is {0}, which belongs to no graph. */
WEFT_API weft_value weft_sum_losses(const weft_value *loss, const double *weight, int count);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_softmax(x) (weft_softmax)(WEFT_HERE(x))
#define weft_softmax_along(x, axis) (weft_softmax_along)(WEFT_HERE(x), axis)
#define weft_log_softmax(x, axis) (weft_log_softmax)(WEFT_HERE(x), axis)
#define weft_sparse_cross_entropy(logits, labels, ...)                                             \
    (weft_sparse_cross_entropy)(WEFT_HERE(logits), labels, &(weft_loss_options){__VA_ARGS__})
#define weft_cross_entropy(logits, targets, ...)                                                   \
    (weft_cross_entropy)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_binary_cross_entropy(logits, targets, ...)                                            \
    (weft_binary_cross_entropy)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_kl_divergence(logits, targets, ...)                                                   \
    (weft_kl_divergence)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_distillation(logits, teacher, ...)                                                    \
    (weft_distillation)(WEFT_HERE(logits), teacher, &(weft_loss_options){__VA_ARGS__})
#define weft_hinge(x, targets, ...)                                                                \
    (weft_hinge)(WEFT_HERE(x), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_sparse_categorical_hinge(x, labels, ...)                                              \
    (weft_sparse_categorical_hinge)(WEFT_HERE(x), labels, &(weft_loss_options){__VA_ARGS__})
#define weft_categorical_hinge(x, targets, ...)                                                    \
    (weft_categorical_hinge)(WEFT_HERE(x), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_dice(logits, targets, ...)                                                            \
    (weft_dice)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_jaccard(logits, targets, ...)                                                         \
    (weft_jaccard)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_mean_absolute_error(x, target, ...)                                                   \
    (weft_mean_absolute_error)(WEFT_HERE(x), target, &(weft_loss_options){__VA_ARGS__})
#define weft_huber(x, target, ...)                                                                 \
    (weft_huber)(WEFT_HERE(x), target, &(weft_loss_options){__VA_ARGS__})
#define weft_mean_squared_error(x, target, ...)                                                    \
    (weft_mean_squared_error)(WEFT_HERE(x), target, &(weft_loss_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

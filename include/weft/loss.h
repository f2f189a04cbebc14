/* Softmax and losses. Losses take logits (scores before softmax or sigmoid), which keeps them accurate
 * where probabilities would round to 0 or 1. */
#ifndef WEFT_LOSS_H
#define WEFT_LOSS_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* exp(x[k]) / sum over j of exp(x[j]) along the last dimension. */
WEFT_API weft_value weft_softmax(weft_value x);

typedef enum weft_loss_reduction {
    WEFT_LOSS_MEAN = 0, /* a scalar: the mean over all examples (or elements) */
    WEFT_LOSS_SUM,      /* a scalar: their sum */
    WEFT_LOSS_NONE      /* one loss for each */
} weft_loss_reduction;

typedef struct weft_loss_options {
    const char *name; /* NULL: the op's */
    weft_loss_reduction reduction;
} weft_loss_options;

/* log(sum over k of exp(x[k])) - x[label], for logits [...,K] and int32 labels [...]: the cross-entropy
 * of softmax(x) and a class (Goodfellow, Bengio, Courville, "Deep Learning", section 6.2.2). A label
 * outside [0, K) makes NaN of its example's loss and gradient, so that it cannot go unseen. options may
 * be NULL, also below. */
WEFT_API weft_value weft_sparse_cross_entropy(weft_value logits, weft_value labels,
                                              const weft_loss_options *options);
/* sum over k of targets[k] (log(sum over j of exp(x[j])) - x[k]) for logits and targets [...,K]. Targets
 * are usually probabilities, but need not add up to 1. */
WEFT_API weft_value weft_cross_entropy(weft_value logits, weft_value targets,
                                       const weft_loss_options *options);
/* -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) for logits x and targets t of one shape, each element
 * a decision of its own; computed as max(x, 0) - x t + log(1 + exp(-|x|)). */
WEFT_API weft_value weft_binary_cross_entropy(weft_value logits, weft_value targets,
                                              const weft_loss_options *options);
/* (x - target)^2, for each element. */
WEFT_API weft_value weft_mean_squared_error(weft_value x, weft_value target,
                                            const weft_loss_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_softmax(x) (weft_softmax)(WEFT_HERE(x))
#define weft_sparse_cross_entropy(logits, labels, ...)                                             \
    (weft_sparse_cross_entropy)(WEFT_HERE(logits), labels, &(weft_loss_options){__VA_ARGS__})
#define weft_cross_entropy(logits, targets, ...)                                                   \
    (weft_cross_entropy)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_binary_cross_entropy(logits, targets, ...)                                            \
    (weft_binary_cross_entropy)(WEFT_HERE(logits), targets, &(weft_loss_options){__VA_ARGS__})
#define weft_mean_squared_error(x, target, ...)                                                    \
    (weft_mean_squared_error)(WEFT_HERE(x), target, &(weft_loss_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

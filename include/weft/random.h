/* Random ops. What they draw is a function of the state's seed, the node's scoped name, the step, the
 * index of the sample in the whole batch, and the element within the sample: the same for any number of
 * threads, for float32 and float64, and for micro-batches as for the whole batch. */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include "weft/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_dropout_options {
    const char *name;      /* NULL: "dropout" */
    double rate;           /* in [0, 1]: the share of elements that become 0 */
    weft_mode_choice mode; /* dropped when training, passed on in inference; or pinned */
} weft_dropout_options;

/* Inverted dropout (Srivastava et al. 2014, section 10): elements are 0 with probability rate, the
 * others are scaled by 1 / (1 - rate). Samples lie along dimension 0; in a value whose dimension 0 is
 * not the open batch, every micro-batch draws alike. */
WEFT_API weft_value weft_dropout(weft_value x, const weft_dropout_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_dropout(x, ...) (weft_dropout)(WEFT_HERE(x), &(weft_dropout_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

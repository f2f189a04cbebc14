/* Optimizers: updates of variables, appended to the graph as ops. A train program then runs forward,
 * backward and update in one; each update runs as soon as its gradient is complete.
 *
 * With g the gradient (after clipping), w the variable, lr the learning rate, mu the momentum, wd the
 * weight decay, and all slots zero at first:
 *
 *     coupled decay         g = g + wd w                       decoupled       w = w - lr wd w
 *
 *     SGD                   w = w - lr g
 *     with momentum         v = mu v + g;  w = w - lr v        (Polyak 1964; Sutskever et al. 2013, eq. 1-2)
 *     with Nesterov's       v = mu v + g;  w = w - lr (g + mu v)                  (Sutskever et al., eq. 3-4)
 *     Adam                  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *     (Kingma, Ba 2015,     w = w - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps),  t = 1, 2, ...
 *      algorithm 1)
 *     AdamW                 Adam with decoupled decay (Loshchilov, Hutter 2019, algorithm 2)
 *
 * These are PyTorch's forms (torch/optim/sgd.py with dampening 0, adam.py, adamw.py). Keras differs:
 * its velocity is -lr v, so that a change of the learning rate leaves the past of the velocity at the old
 * rate (equal while lr is constant); its Adam adds epsilon to sqrt(v) before the bias correction
 * ("epsilon hat" of the paper, section 2; default 1e-7), and its weight_decay is always decoupled. */
#ifndef WEFT_OPTIM_H
#define WEFT_OPTIM_H

#include "weft/graph.h"
#include "weft/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_optimizer_kind { WEFT_SGD = 0, WEFT_ADAM } weft_optimizer_kind;

typedef struct weft_optimizer_options {
    const char *name; /* scope of its nodes and variables; NULL: "sgd" or "adam" */
    weft_optimizer_kind kind;
    double learning_rate; /* at first; 0: 0.01 for SGD, 0.001 for Adam (Keras's) */
    double momentum;      /* SGD: in [0, 1); 0 keeps no velocity */
    bool nesterov;        /* SGD: needs a momentum */
    double beta1, beta2;  /* Adam: in (0, 1); 0: 0.9 and 0.999. As good as none is 1e-30 */
    double epsilon;       /* Adam: 0: 1e-8 */
    double weight_decay;  /* 0: none. Coupled adds 0.5 wd |w|^2 to the loss, in effect */
    bool decoupled;       /* the decay does not pass through momentum and moments: SGDW, AdamW */
    /* spares biases and the scales of norms: variables of rank 1 and less */
    bool decay_filters_only;
    /* Gradients are scaled by min(1, clip_norm / (norm + 1e-6)), norm being that of all gradients as one
     * vector, before weight decay (torch/nn/utils/clip_grad.py; Pascanu et al. 2013). 0: no clipping.
     * Every gradient is then alive until the last is there, which takes memory. */
    double clip_norm;
    /* k runs on k micro-batches of n make one update, that of a batch of k n for a loss that is a mean
     * over samples. Run i of them, from 0, is told weft_run_options.micro_batch = i and micro_batches = k;
     * without that variables stay as they are. Gradients are summed up in variables, as large as the
     * trainable ones. 0: 1. */
    int micro_batches;
} weft_optimizer_options;

/* What an optimizer has in its graph; copied freely. Null values where it has none. */
typedef struct weft_optimizer {
    weft_value learning_rate; /* variable of rank 0, "sgd.learning_rate" */
    weft_value step;          /* Adam: int32 variable of rank 0, updates done, "adam.step" */
    weft_value gradient_norm; /* with clip_norm: the norm before clipping, to fetch */
    int micro_batches;
} weft_optimizer;

/* Appends the gradients of loss (real, one element) with respect to all variables of the graph that are
 * trainable and that loss depends on, and their updates. out may be NULL. On an error, which the graph
 * keeps, its values are null. */
WEFT_API weft_status weft_minimize(weft_value loss, const weft_optimizer_options *options,
                                   weft_optimizer *out);

/* The same for gradients that the caller has: variable[i] is updated by gradient[i], of equal shape. */
WEFT_API weft_status weft_apply_gradients(weft_graph *graph, const weft_value *variable,
                                          const weft_value *gradient, int count,
                                          const weft_optimizer_options *options,
                                          weft_optimizer *out);

/* Changes the learning rate from the next run on, in all programs on the state. */
WEFT_API weft_status weft_optimizer_set_learning_rate(const weft_optimizer *optimizer,
                                                      weft_state *state, double learning_rate,
                                                      weft_error *error);
/* NaN where the state does not have it. */
WEFT_API double weft_optimizer_learning_rate(const weft_optimizer *optimizer, weft_state *state);

typedef struct weft_global_norm_options {
    const char *name; /* NULL: "global_norm" */
} weft_global_norm_options;

/* The Euclidean norm of `count` real values taken as one vector, of rank 0. The order of summation is
 * fixed. Its gradient is NaN where all elements are 0. */
WEFT_API weft_value weft_global_norm(weft_graph *graph, const weft_value *value, int count,
                                     const weft_global_norm_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_minimize(loss, ...) (weft_minimize)(WEFT_HERE(loss), __VA_ARGS__)
#define weft_apply_gradients(graph, ...) (weft_apply_gradients)(WEFT_GRAPH_HERE(graph), __VA_ARGS__)
#define weft_global_norm(graph, value, count, ...)                                                 \
    (weft_global_norm)(WEFT_GRAPH_HERE(graph), (value), (count),                                   \
                       &(weft_global_norm_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

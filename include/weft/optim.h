/* Optimizers: updates of variables, appended to the graph as ops. A train program then runs forward,
 * backward and update in one; each update runs as soon as its gradient is complete.
 *
 * With g the gradient (after clipping), w the variable, lr the learning rate, mu the momentum, wd the
 * weight decay, e epsilon, t = 1, 2, ... the number of the update, and all slots zero at first:
 *
 *     coupled decay         g = g + wd w                       decoupled       w = w - lr wd w
 *
 *     SGD                   w = w - lr g
 *     with momentum         v = mu v + g;  w = w - lr v        (Polyak 1964; Sutskever et al. 2013, eq. 1-2)
 *     with Nesterov's       v = mu v + g;  w = w - lr (g + mu v)                  (Sutskever et al., eq. 3-4)
 *     Adam                  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *     (Kingma, Ba 2015,     w = w - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + e)
 *      algorithm 1)
 *     AdamW                 Adam with decoupled decay (Loshchilov, Hutter 2019, algorithm 2); wd is 0.01 in
 *                           PyTorch and 0.004 in Keras unless said
 *     AMSGrad               Adam with the largest v so far in place of v (Reddi et al. 2018, algorithm 2)
 *     NAdam                 mu_t = b1 (1 - 0.96^(t psi) / 2);  m, v as Adam's
 *     (Dozat 2016,          w = w - lr (mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t))
 *      algorithm 2)                 / (sqrt(v / (1 - b2^t)) + e)
 *     AdaGrad               a = a + g^2;  w = w - lr g / (sqrt(a) + e)            (Duchi et al. 2011)
 *     AdaDelta              a = rho a + (1 - rho) g^2;  s = sqrt(u + e) / sqrt(a + e) g
 *     (Zeiler 2012, alg. 1) u = rho u + (1 - rho) s^2;  w = w - lr s
 *     RMSProp               a = rho a + (1 - rho) g^2;  s = g / (sqrt(a) + e);  w = w - lr s
 *     (Tieleman, Hinton     centered: c = rho c + (1 - rho) g, and a - c^2 in the root (Graves 2013, eq. 38-45)
 *      2012)                with momentum: v = mu v + s;  w = w - lr v
 *     LAMB                  r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e) + wd w;  m, v as Adam's, of g without decay
 *     (You et al. 2020,     w = w - lr |w| / |r| r; the ratio of norms is 1 where one of them is 0
 *      algorithm 2)
 *     LARS                  v = mu v + eta |w| / (|g| + wd |w| + e) (g + wd w);  w = w - lr v
 *     (You et al. 2017)     ratio as above; |g| is that of the gradient without decay
 *     Lion                  c = b1 m + (1 - b1) g;  m = b2 m + (1 - b2) g;  w = w - lr sign(c)
 *     (Chen et al. 2023, algorithm 2)
 *
 * These are PyTorch's forms (torch/optim; its SGD with dampening 0; its NAdam from version 2 on, which
 * multiplies by mu_t once), and at a constant rate those of the papers, but that AMSGrad and NAdam have Adam's moments
 * and corrections. The option `keras` chooses Keras 3's form where it
 * differs in more than the order of its operations, and its defaults:
 *
 *     momentum              v = mu v + lr s;  w = w - v (also Nesterov, RMSProp, LARS): when the learning
 *                           rate changes, the past of the velocity stays at the old rate
 *     Adam, AMSGrad         w = w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + e): "epsilon hat" of
 *                           Kingma and Ba, section 2
 *     AdaGrad, RMSProp      sqrt(a + e), epsilon inside the root; a starts at 0.1 for AdaGrad
 *     clipping by a norm    scale is 1 or clip / norm, without 1e-6
 *
 * Keras's weight_decay is always decoupled; its LAMB with it decays outside of the ratio, as here with
 * `decoupled`. */
#ifndef WEFT_OPTIM_H
#define WEFT_OPTIM_H

#include "weft/graph.h"
#include "weft/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_optimizer_kind {
    WEFT_SGD = 0,
    WEFT_ADAM,
    WEFT_NADAM,
    WEFT_ADAGRAD,
    WEFT_ADADELTA,
    WEFT_RMSPROP,
    WEFT_LAMB,
    WEFT_LARS,
    WEFT_LION
} weft_optimizer_kind;

/* Variables with a rate and a weight decay of their own: a head that learns faster than what it was put
 * on, layers that stay as they are until later. */
typedef struct weft_variable_group {
    const char *name; /* for weft_optimizer_set_group_rate */
    /* Of full names: "layer1" is what has that name and all in that scope; * stands for any characters,
     * ? for one: "*.bias", "layer?.*.conv1". A variable is in the first group that it matches. */
    const char *pattern;
    double rate;         /* times the learning rate; 0: 1 */
    double weight_decay; /* 0: the optimizer's; negative: none */
    bool frozen;         /* at first: rate is 0 until it is set */
} weft_variable_group;

/* Numbers of 0 stand for defaults; where two are named, the second is that with `keras`. Of those that
 * must be positive, as good as none is 1e-30. */
typedef struct weft_optimizer_options {
    const char *name; /* scope of its nodes and variables; NULL: "sgd", "adam", "nadam", ... */
    weft_optimizer_kind kind;
    bool keras; /* Keras's form and defaults */
    /* At first; 0: SGD 0.01; Adam 0.001; NAdam 0.002, 0.001; AdaGrad 0.01, 0.001; AdaDelta 1, 0.001;
     * RMSProp 0.01, 0.001; LAMB 0.001; LARS 1; Lion 0.0001, 0.001 */
    double learning_rate;
    double momentum; /* SGD, RMSProp: in [0, 1), 0 keeps no velocity; LARS: 0: 0.9 */
    bool nesterov;   /* SGD: needs a momentum */
    bool amsgrad;    /* Adam */
    bool centered;   /* RMSProp */
    /* Adam, NAdam, LAMB, Lion: in (0, 1); 0: 0.9 and 0.999, Lion 0.9 and 0.99 */
    double beta1, beta2;
    double rho;                 /* in (0, 1); RMSProp 0: 0.99, 0.9; AdaDelta 0: 0.9, 0.95 */
    double momentum_decay;      /* NAdam's psi; 0: 0.004, 1 */
    double initial_accumulator; /* AdaGrad: a at first; 0: 0, 0.1 */
    double trust_coefficient;   /* LARS's eta; 0: 0.001 */
    /* 0: 1e-8, 1e-7; AdaGrad 1e-10, 1e-7; AdaDelta 1e-6, 1e-7; LAMB 1e-6, 1e-7; LARS 1e-8 */
    double epsilon;
    double weight_decay; /* 0: none. Coupled adds 0.5 wd |w|^2 to the loss, in effect */
    bool decoupled;      /* the decay does not pass through momentum and moments: SGDW, AdamW */
    /* spares biases and the scales of norms: variables of rank 1 and less; LAMB and LARS then take 1 for
     * their ratio of norms, too */
    bool decay_filters_only;
    /* Clipping, before weight decay, in one of three ways. Elements are clamped to +-clip_value. 0: not. */
    double clip_value;
    /* Each gradient is scaled by min(1, clip_each_norm / (norm + 1e-6)), norm being its own. 0: not. */
    double clip_each_norm;
    /* Gradients are scaled by min(1, clip_norm / (norm + 1e-6)), norm being that of all gradients, but for
     * frozen groups, as one vector (torch/nn/utils/clip_grad.py; Pascanu et al. 2013). 0: not. Every gradient is then alive
     * until the last is there, which takes memory. Squares are added up in the state's dtype: in float32, elements of
     * 1e19 and more make the norm infinite, and the update 0. */
    double clip_norm;
    /* k runs on k micro-batches of n make one update, that of a batch of k n for a loss that is a mean
     * over samples. Run i of them, from 0, is told weft_run_options.micro_batch = i and micro_batches = k;
     * without that variables stay as they are. Gradients are summed up in variables, as large as the
     * trainable ones. 0: 1. */
    int micro_batches;
    /* A moving average of each variable, a = d a + (1 - d) w after each update (and before constraints; Polyak,
     * Juditsky 1992); the first one is w. Keras's ema_momentum; 0: none. With warm-up d is at most
     * (1 + t) / (10 + t) at update t, as TensorFlow's with num_updates. */
    double average_decay;
    bool average_warmup;
    const weft_variable_group *groups; /* read while the optimizer is made */
    int group_count;
} weft_optimizer_options;

/* What an optimizer has in its graph; copied freely. Null values where it has none. */
typedef struct weft_optimizer {
    weft_value learning_rate; /* variable of rank 0, "sgd.learning_rate" */
    weft_value step; /* those that count: int32 variable of rank 0, updates done, "adam.step" */
    weft_value gradient_norm; /* with clip_norm: the norm before clipping, to fetch */
    weft_value averages;      /* with average_decay: int32 variable, updates averaged */
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

/* Changes the learning rate from the next run on, in all programs on the state. WEFT_ERROR_ARGUMENT: it is
 * negative, infinite or NaN; WEFT_ERROR_NOT_FOUND: the state does not have it. */
WEFT_API weft_status weft_optimizer_set_learning_rate(const weft_optimizer *optimizer,
                                                      weft_state *state, double learning_rate,
                                                      weft_error *error);
/* NaN where the state does not have it. */
WEFT_API double weft_optimizer_learning_rate(const weft_optimizer *optimizer, weft_state *state);

/* Changes the rate of a group, a factor of the learning rate, between updates. While it is 0 the group is
 * frozen: updates leave its variables and all that belongs to them but their averages as they are, and do not
 * count; nor does clip_norm count its gradients, which are computed all the same. WEFT_ERROR_ARGUMENT: there is no
 * such group, or the rate is negative, infinite or NaN; WEFT_ERROR_NOT_FOUND: the state does not have it. */
WEFT_API weft_status weft_optimizer_set_group_rate(const weft_optimizer *optimizer,
                                                   weft_state *state, const char *group,
                                                   double rate, weft_error *error);
/* NaN where there is no such group. */
WEFT_API double weft_optimizer_group_rate(const weft_optimizer *optimizer, weft_state *state,
                                          const char *group);
/* The variable that has this rate; the null value where there is no such group. A program that is compiled
 * with it in weft_compile_options.frozen has the group frozen, whatever the rate is, and does not compute what
 * only its updates need: unfreezing step by step takes a program for each step, all on one state. Variables
 * that are never to be trained are best left out before minimizing (weft_set_trainable). */
WEFT_API weft_value weft_optimizer_group(const weft_optimizer *optimizer, const char *group);

/* Exchanges the variables of a state with their averages: once before evaluating or saving, and once more
 * before training goes on. WEFT_ERROR_ARGUMENT before the first update, or where no averages are kept. Running
 * statistics of norms are as they were gathered. */
WEFT_API weft_status weft_optimizer_swap_averages(const weft_optimizer *optimizer,
                                                  weft_state *state, weft_error *error);

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

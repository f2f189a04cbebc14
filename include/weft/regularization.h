/* Penalties on the size of variables, and constraints of it. Noise and dropout are in weft/random.h, weight
 * decay in weft/optim.h. */
#ifndef WEFT_REGULARIZATION_H
#define WEFT_REGULARIZATION_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_penalty_options {
    const char *name; /* scope of its nodes; NULL: "penalty" */
    double l1, l2;    /* factors, 0 or more */
    bool
        half_squares; /* l2 / 2 |w|^2, whose gradient is l2 w, PyTorch's weight_decay; Keras: l2 |w|^2 */
} weft_penalty_options;

/* l1 sum of |w| + l2 sum of w^2 over the elements of all variables, of rank 0: to be added to a loss. The
 * gradient of |w| at 0 is 0. variable NULL, count 0: all variables so far that are trainable and of rank 2 or
 * more, which leaves out biases and the scales of norms. Unlike weight decay it is part of the loss, and of
 * the gradients that are clipped. */
WEFT_API weft_value weft_penalty(weft_graph *graph, const weft_value *variable, int count,
                                 const weft_penalty_options *options);

typedef enum weft_constraint {
    WEFT_MAX_NORM = 0, /* w min(1, bound / (|w| + 1e-7)): Srivastava et al. 2014, section 5.1 */
    WEFT_UNIT_NORM     /* w / (|w| + 1e-7) */
} weft_constraint;

typedef struct weft_constrain_options {
    const char *name; /* NULL: "constrain" */
    weft_constraint kind;
    double bound; /* of WEFT_MAX_NORM; 0: 2 (Keras's) */
    /* The dimension of the units whose norms are meant, each over all other dimensions: from the end, 0: -1,
     * the outputs of convolutions and dense layers. -2 are those of transposed convolutions. */
    int axis;
    int micro_batches; /* those of the optimizer; 0: 1 */
} weft_constrain_options;

/* Scales each unit of a real variable to what the constraint allows, in train programs, after the updates that
 * the graph has so far: call it after weft_minimize. Returns the variable's new value. torch.renorm and Keras's
 * max_norm agree with the first but for rounding, Keras's unit_norm with the second. options may be NULL. */
WEFT_API weft_value weft_constrain(weft_value variable, const weft_constrain_options *options);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_penalty(graph, variable, count, ...)                                                  \
    (weft_penalty)(WEFT_GRAPH_HERE(graph), (variable), (count),                                    \
                   &(weft_penalty_options){__VA_ARGS__})
#define weft_constrain(variable, ...)                                                              \
    (weft_constrain)(WEFT_HERE(variable), &(weft_constrain_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

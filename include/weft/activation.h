/* Activation functions, elementwise on a real operand. */
#ifndef WEFT_ACTIVATION_H
#define WEFT_ACTIVATION_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* max(x, 0); its gradient at 0 is 0. NaN stays NaN. */
WEFT_API weft_value weft_relu(weft_value x);

/* min(max(x, 0), ceiling); its gradient at 0 and at the ceiling is 0. NaN stays NaN. A ceiling of 0 or
 * less is an error. */
WEFT_API weft_value weft_clipped_relu(weft_value x, double ceiling);
/* With a ceiling of 6; Howard et al. 2017, "MobileNets". */
WEFT_API weft_value weft_relu6(weft_value x);

typedef struct weft_leaky_relu_options {
    const char *name; /* NULL: "leaky_relu" */
    double slope;     /* 0: 0.01 */
} weft_leaky_relu_options;

/* x where x > 0, else slope * x; its gradient at 0 is slope. options may be NULL. */
WEFT_API weft_value weft_leaky_relu(weft_value x, const weft_leaky_relu_options *options);

/* 1 / (1 + exp(-x)). */
WEFT_API weft_value weft_sigmoid(weft_value x);
WEFT_API weft_value weft_tanh(weft_value x);
/* x * sigmoid(x), also called SiLU; Ramachandran, Zoph, Le 2017. */
WEFT_API weft_value weft_swish(weft_value x);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_relu(x) (weft_relu)(WEFT_HERE(x))
#define weft_clipped_relu(x, ceiling) (weft_clipped_relu)(WEFT_HERE(x), ceiling)
#define weft_relu6(x) (weft_relu6)(WEFT_HERE(x))
#define weft_leaky_relu(x, ...)                                                                    \
    (weft_leaky_relu)(WEFT_HERE(x), &(weft_leaky_relu_options){__VA_ARGS__})
#define weft_sigmoid(x) (weft_sigmoid)(WEFT_HERE(x))
#define weft_tanh(x) (weft_tanh)(WEFT_HERE(x))
#define weft_swish(x) (weft_swish)(WEFT_HERE(x))
#endif

#ifdef __cplusplus
}
#endif
#endif

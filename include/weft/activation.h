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
    double slope;     /* 0: 0.01, as of PyTorch; that of Keras's layer is 0.3 */
} weft_leaky_relu_options;

/* x where x > 0, else slope * x; its gradient at 0 is slope. options may be NULL. */
WEFT_API weft_value weft_leaky_relu(weft_value x, const weft_leaky_relu_options *options);

/* 1 / (1 + exp(-x)). */
WEFT_API weft_value weft_sigmoid(weft_value x);
WEFT_API weft_value weft_tanh(weft_value x);
/* x * sigmoid(x), also called SiLU; Ramachandran, Zoph, Le 2017. */
WEFT_API weft_value weft_swish(weft_value x);

/* x * sigmoid(beta x), with beta broadcast to x and learnt as it is: a scalar or one for each channel; the same
 * paper, section 4. */
WEFT_API weft_value weft_swish_beta(weft_value x, weft_value beta);
/* The halves a and b of x along the axis as a * sigmoid(b), whose extent must be even; Dauphin et al. 2017,
 * "Language modeling with gated convolutional networks". */
WEFT_API weft_value weft_glu(weft_value x, int axis);

/* x where x > 0, else slope * x, with the slope broadcast to x and learnt: [C] for each channel, or a scalar.
 * The gradient by x at 0 is slope. He et al. 2015, "Delving deep into rectifiers", who start at 0.25, as
 * PyTorch's PReLU does; Keras's starts at 0, and has a slope for each element but those of shared_axes. */
WEFT_API weft_value weft_prelu(weft_value x, weft_value slope);

typedef struct weft_elu_options {
    const char *name; /* NULL: "elu" */
    double alpha;     /* 0: 1 */
} weft_elu_options;

/* x where x > 0, else alpha (exp(x) - 1); its gradient at 0 is alpha. Clevert, Unterthiner, Hochreiter 2016. An
 * alpha of less than 0 is an error. options may be NULL, also below. */
WEFT_API weft_value weft_elu(weft_value x, const weft_elu_options *options);
/* 1.05070 times ELU with alpha = 1.67326, which keeps mean 0 and variance 1; Klambauer et al. 2017,
 * "Self-normalizing neural networks". */
WEFT_API weft_value weft_selu(weft_value x);

typedef struct weft_gelu_options {
    const char *name; /* NULL: "gelu", "gelu_tanh" */
    bool approximate; /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) instead */
} weft_gelu_options;

/* x times the probability that a standard normal number is less; Hendrycks, Gimpel 2016. Exact by default, as in
 * PyTorch and Keras, whose approximate forms are that of the option. */
WEFT_API weft_value weft_gelu(weft_value x, const weft_gelu_options *options);

typedef struct weft_softplus_options {
    const char *name; /* NULL: "softplus" */
    double beta;      /* 0: 1; above 0 */
} weft_softplus_options;

/* log(1 + exp(beta x)) / beta, without overflow; PyTorch takes x itself where beta x > 20, which differs by
 * 2e-9 / beta at most. */
WEFT_API weft_value weft_softplus(weft_value x, const weft_softplus_options *options);
/* x / (1 + |x|). */
WEFT_API weft_value weft_softsign(weft_value x);
/* x tanh(log(1 + exp(x))); Misra 2019, "Mish: a self regularized non-monotonic activation function". */
WEFT_API weft_value weft_mish(weft_value x);

typedef struct weft_hard_sigmoid_options {
    const char *name; /* NULL: "hard_sigmoid" */
    double
        slope; /* 0: 1/6, that of PyTorch, MobileNetV3 and Keras 3; Keras 1 and 2 and ONNX: 0.2 */
} weft_hard_sigmoid_options;

/* min(max(slope x + 1/2, 0), 1); its gradient is 0 where a piece ends. */
WEFT_API weft_value weft_hard_sigmoid(weft_value x, const weft_hard_sigmoid_options *options);

typedef struct weft_hard_tanh_options {
    const char *name; /* NULL: "hard_tanh" */
    double low, high; /* both 0: -1, 1 */
} weft_hard_tanh_options;

/* min(max(x, low), high); its gradient at low and high is 0 (as of PyTorch's Hardtanh), where that of weft_clip
 * is 1. */
WEFT_API weft_value weft_hard_tanh(weft_value x, const weft_hard_tanh_options *options);
/* x hard_sigmoid(x) with a slope of 1/6; its gradient at -3 is 0, at 3 it is 1 (PyTorch's is that of the piece
 * between: -1/2, 3/2). Howard et al. 2019, "Searching for MobileNetV3". */
WEFT_API weft_value weft_hard_swish(weft_value x);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
#define weft_relu(x) (weft_relu)(WEFT_HERE(x))
#define weft_clipped_relu(x, ceiling) (weft_clipped_relu)(WEFT_HERE(x), ceiling)
#define weft_relu6(x) (weft_relu6)(WEFT_HERE(x))
#define weft_leaky_relu(x, ...)                                                                    \
    (weft_leaky_relu)(WEFT_HERE(x), &(weft_leaky_relu_options){__VA_ARGS__})
#define weft_sigmoid(x) (weft_sigmoid)(WEFT_HERE(x))
#define weft_tanh(x) (weft_tanh)(WEFT_HERE(x))
#define weft_swish(x) (weft_swish)(WEFT_HERE(x))
#define weft_swish_beta(x, beta) (weft_swish_beta)(WEFT_HERE(x), beta)
#define weft_glu(x, axis) (weft_glu)(WEFT_HERE(x), axis)
#define weft_prelu(x, slope) (weft_prelu)(WEFT_HERE(x), slope)
#define weft_elu(x, ...) (weft_elu)(WEFT_HERE(x), &(weft_elu_options){__VA_ARGS__})
#define weft_selu(x) (weft_selu)(WEFT_HERE(x))
#define weft_gelu(x, ...) (weft_gelu)(WEFT_HERE(x), &(weft_gelu_options){__VA_ARGS__})
#define weft_softplus(x, ...) (weft_softplus)(WEFT_HERE(x), &(weft_softplus_options){__VA_ARGS__})
#define weft_softsign(x) (weft_softsign)(WEFT_HERE(x))
#define weft_mish(x) (weft_mish)(WEFT_HERE(x))
#define weft_hard_sigmoid(x, ...)                                                                  \
    (weft_hard_sigmoid)(WEFT_HERE(x), &(weft_hard_sigmoid_options){__VA_ARGS__})
#define weft_hard_tanh(x, ...)                                                                     \
    (weft_hard_tanh)(WEFT_HERE(x), &(weft_hard_tanh_options){__VA_ARGS__})
#define weft_hard_swish(x) (weft_hard_swish)(WEFT_HERE(x))
#endif

#ifdef __cplusplus
}
#endif
#endif

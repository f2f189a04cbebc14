/* An activation: a map of x whose gradient is a map of dy and y, or of dy and x. One declaration makes the ops of both,
 * their rules and their samples. */
#ifndef WEFT_OPS_ACTIVATION_H
#define WEFT_OPS_ACTIVATION_H

#include "ops/map.h"
#include "ops/ops.h"

typedef struct weft_activation {
    const weft_op *op, *gradient_op;
    weft_map_function function, gradient;
    /* What the gradient op takes beside dy: "y" where that will do, so that x need not be kept, else "x". */
    const char *taken;
    bool x_if_falling; /* "x", too, where a is not above 0 */
    /* By what the gradient op takes, call->input[1], its derivative times dy, where dy is the product of its own
     * and of the gradient that reaches it. NULL: it is constant in pieces. */
    weft_value (*second)(const weft_gradient_call *call, weft_value dy);
    /* Of the samples: */
    double parameters[3][2]; /* a and b of each; two samples, where a is 0 in the last */
    bool pieces;             /* it bends elsewhere than at 0 */
} weft_activation;

/* The node that makes y. name may be NULL. */
weft_value weft_activate(const weft_activation *f, weft_value x, double a, double b,
                         const char *name);
/* The node that makes x's gradient. */
weft_value weft_activation_slope(const weft_activation *f, weft_value dy, weft_value taken,
                                 double a, double b);

void weft_activation_gradient(const weft_activation *f, weft_gradient_call *call);
void weft_activation_second_gradient(const weft_activation *f, weft_gradient_call *call);
bool weft_activation_sample(const weft_activation *f, weft_sampler *sampler, int index);
bool weft_activation_gradient_sample(const weft_activation *f, weft_sampler *sampler, int index);

/* Defines weft_<title>_op, weft_<title>_gradient_op and <title>_activation, of: the title, the two maps, what is taken,
 * the two formulas and their source (for the ops' pages), then what else of weft_activation is not 0. With parameters,
 * before them: what a and b are called, and how labels show them. */
#define WEFT_ACTIVATION(title, ...)                                                                \
    WEFT_ACTIVATION_OPS(WEFT_FAMILY_ACTIVATION, NULL, NULL, title, __VA_ARGS__)
#define WEFT_ACTIVATION_WITH(names, format, title, ...)                                            \
    WEFT_MAP_LABEL(title##_label, format)                                                          \
    WEFT_ACTIVATION_OPS(WEFT_FAMILY_ACTIVATION, names, title##_label, title, __VA_ARGS__)

#define WEFT_ACTIVATION_OPS(of_family, names, labelled, title, FUNCTION, GRADIENT, takes, formula, \
                            slope, found_in, ...)                                                  \
    static const weft_activation title##_activation = {.op = &weft_##title##_op,                   \
                                                       .gradient_op = &weft_##title##_gradient_op, \
                                                       .function = WEFT_MAP_##FUNCTION,            \
                                                       .gradient = WEFT_MAP_##GRADIENT,            \
                                                       .taken = takes,                             \
                                                       __VA_ARGS__};                               \
    static void title##_gradient(weft_gradient_call *call)                                         \
    {                                                                                              \
        weft_activation_gradient(&title##_activation, call);                                       \
    }                                                                                              \
    static void title##_second_gradient(weft_gradient_call *call)                                  \
    {                                                                                              \
        weft_activation_second_gradient(&title##_activation, call);                                \
    }                                                                                              \
    static bool title##_sample(weft_sampler *sampler, int index)                                   \
    {                                                                                              \
        return weft_activation_sample(&title##_activation, sampler, index);                        \
    }                                                                                              \
    static bool title##_gradient_sample(weft_sampler *sampler, int index)                          \
    {                                                                                              \
        return weft_activation_gradient_sample(&title##_activation, sampler, index);               \
    }                                                                                              \
    const weft_op weft_##title##_op = {                                                            \
        .name = #title,                                                                            \
        .family = (of_family),                                                                     \
        WEFT_MAP_OP(1),                                                                            \
        .infer = weft_map_infer_equal,                                                             \
        .gradient = title##_gradient,                                                              \
        .label = (labelled),                                                                       \
        .sample = title##_sample,                                                                  \
        .summary = (formula),                                                                      \
        .shapes = "x [..] -> [..]",                                                                \
        .parameters = (names),                                                                     \
        .source = (found_in),                                                                      \
    };                                                                                             \
    const weft_op weft_##title##_gradient_op = {                                                   \
        .name = #title "_gradient",                                                                \
        .family = (of_family),                                                                     \
        WEFT_MAP_OP(2),                                                                            \
        .infer = weft_map_infer_equal,                                                             \
        .gradient = title##_second_gradient,                                                       \
        .label = (labelled),                                                                       \
        .sample = title##_gradient_sample,                                                         \
        .summary = (slope),                                                                        \
        .shapes = "dy [..], " takes " [..] -> [..]",                                               \
        .parameters = (names),                                                                     \
        .source = "chain rule of " #title,                                                         \
    }

#endif

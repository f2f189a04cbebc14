/* What batch normalization and its gradient share. */
#ifndef WEFT_OPS_BATCH_NORM_H
#define WEFT_OPS_BATCH_NORM_H

#include "kernels/batch_norm.h"
#include "ops/rules.h"
#include "weft/normalization.h"

typedef struct weft_batch_norm_attributes {
    double epsilon;
    int32_t mode; /* weft_mode_choice */
    int32_t unused;
} weft_batch_norm_attributes;

/* Whether the statistics are the batch's, in a program of that mode. */
static inline bool weft_batch_norm_trains(const void *attributes, weft_mode program)
{
    const weft_batch_norm_attributes *own = attributes;
    return weft_mode_of((weft_mode_choice)own->mode, program) == WEFT_TRAIN;
}

typedef struct weft_batch_norm_result {
    weft_value y, mean, variance;
} weft_batch_norm_result;

/* The op alone, without updates. mean and variance are what normalized. */
weft_batch_norm_result weft_batch_norm_apply(weft_value x, weft_value gamma, weft_value beta,
                                             weft_value running_mean, weft_value running_variance,
                                             const weft_batch_norm_attributes *attributes,
                                             const char *name);

typedef struct weft_batch_norm_gradients {
    weft_value x, gamma, beta;
} weft_batch_norm_gradients;

/* The gradients of gamma * (x - mean) / sqrt(variance + epsilon) + beta, in train mode also through mean
 * and variance where those are x's. */
weft_batch_norm_gradients
weft_batch_norm_gradient_apply(weft_value dy, weft_value x, weft_value gamma, weft_value mean,
                               weft_value variance, const weft_batch_norm_attributes *attributes);

/* Input `input`, called `what`, must be real and have one element for each channel of `image`. */
bool weft_batch_norm_infer_vector(const weft_infer *infer, int input, const char *what,
                                  weft_shape image);

/* Arguments of the kernels for operands with the extents of an image, cut into pieces; statistics: with
 * blocks of sums. */
weft_batch_norm_args weft_batch_norm_args_of(const void *attributes,
                                             const weft_tensor *const *image, int images,
                                             bool statistics);
/* Puts the numbers that the kernels keep for themselves (sums, and scale, slope and shift) into the
 * workspace, and binds the phases: sums (NULL: none), then finish, then apply. */
bool weft_batch_norm_bind(weft_bind *bind, weft_batch_norm_args *args, weft_piece_fn *sums,
                          weft_piece_fn *finish, weft_piece_fn *apply);

/* In batch_norm_coefficients.c: what the compiler replaces the two ops by when it fuses. */
struct weft_expansion;
weft_status weft_batch_norm_expand(struct weft_expansion *expansion, const weft_bind *bind);
weft_status weft_batch_norm_gradient_expand(struct weft_expansion *expansion,
                                            const weft_bind *bind);

void weft_batch_norm_label(const void *attributes, char *text, size_t size);

/* Sample case `index`: a shape, and attributes in every mode. */
bool weft_batch_norm_sample(weft_sampler *sampler, int index, weft_shape *shape,
                            weft_batch_norm_attributes *attributes);

#endif

/* What softmax and the losses built on it share. */
#ifndef WEFT_OPS_SOFTMAX_H
#define WEFT_OPS_SOFTMAX_H

#include "kernels/softmax.h"

/* y (dy - <dy, y>), with the inner product along the last dimension: the gradient of y = softmax(x). */
weft_value weft_softmax_gradient(weft_value y, weft_value dy);

/* Rows and classes of a tensor whose last dimension is the classes. */
weft_softmax_args weft_softmax_rows(const weft_tensor *x);
/* Binds one of the softmax kernels, whose operands are those of the node, to the rows of input 0. */
bool weft_softmax_bind(weft_bind *bind, weft_piece_fn *kernel);
/* The elements of a row of float64. */
double *weft_row_f64(const weft_tensor *tensor, int64_t row);
/* log(sum over k of exp(x[k])), in double. */
double weft_log_sum_exp_f64(const double *x, int64_t classes);
/* Softmax of a row into p, which may be x. */
void weft_softmax_row_f64(const double *x, int64_t classes, double *p);

/* Flops as of exponentials for each element of input 0, and all bytes. */
void weft_softmax_cost(const weft_bind *bind, weft_cost *cost);

/* For samples: a random shape and an input of it, with fewer classes than a vector has lanes, and more.
 * False past the last. */
bool weft_sample_classes(weft_sampler *sampler, int index, weft_shape *shape, weft_value *x);

#endif

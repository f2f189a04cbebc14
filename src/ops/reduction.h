/* What reductions over axes share: attributes, rules, plain forms, binding to their kernels. */
#ifndef WEFT_OPS_REDUCTION_H
#define WEFT_OPS_REDUCTION_H

#include "kernels/reduce.h"
#include "weft/reduction.h"

typedef struct weft_reduce_attributes {
    int32_t axis[WEFT_MAX_RANK];
    int32_t axes; /* 0: all */
    int32_t keep_dims;
    int32_t less; /* of a variance: how much less than the number of elements it is divided by */
    int32_t norm; /* weft_norm_kind */
} weft_reduce_attributes;

/* The attributes of these axes; on an error of theirs, which the graph keeps, `axes` is -1. */
weft_reduce_attributes weft_reduce_attributes_of(const weft_op *op, weft_value x,
                                                 const weft_reduce_options *options);
/* Applies the op, or returns a null value after such an error. name may be NULL. */
weft_value weft_reduce_apply(const weft_op *op, weft_value x,
                             const weft_reduce_attributes *attributes, const char *name);
/* Options of the same axes, which keep dimensions. */
weft_reduce_options weft_reduce_keeping(const weft_reduce_attributes *attributes);
/* Marks the dimensions that are reduced; false where an axis is unknown or given twice. */
bool weft_reduce_select(const weft_reduce_attributes *attributes, int rank, bool *reduced);

bool weft_reduce_infer(weft_infer *infer);
/* In a gradient rule, a value of the output's shape with the reduced dimensions put back, as 1. */
weft_value weft_reduce_with_dims(const weft_gradient_call *call, weft_value value);
/* The number of elements for each result. */
double weft_reduce_count(const weft_tensor *x, const weft_tensor *y);
/* Each result is `scale` times what `join` makes of `start` and of the elements in turn. */
void weft_reduce_f64(const weft_operands *operands, double start, double (*join)(double, double),
                     double scale);
double weft_larger_f64(double a, double b); /* NaN counts as larger */

/* Binds output 0 = the reduction of input 0 over the dimensions in `reduced`, scaled. to_stride: the
 * output's stride along each dimension of the input, read where it is not reduced. */
bool weft_bind_reduction(weft_bind *bind, weft_reduce_kind kind, double scale, const bool *reduced,
                         const int64_t *to_stride);
/* The same for an op with weft_reduce_attributes. */
bool weft_reduce_bind(weft_bind *bind, weft_reduce_kind kind, double scale);

void weft_reduce_cost(const weft_bind *bind, weft_cost *cost);
void weft_reduce_label(const void *attributes, char *text, size_t size);
/* Case `index` of all reductions: its input, all extents from `least` to `most`, and options. False past the last. */
bool weft_reduce_sample(weft_sampler *sampler, int index, weft_sample_kind kind, int64_t least,
                        int64_t most, weft_value *x, weft_reduce_options *options);

#define WEFT_REDUCTION(words) WEFT_REDUCTION_FLAGS(words, 0)
#define WEFT_REDUCTION_FLAGS(words, more_flags)                                                    \
    .name = words, .family = WEFT_FAMILY_REDUCTION, .min_inputs = 1, .max_inputs = 1,              \
    .outputs = 1, .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | (more_flags),        \
    .infer = weft_reduce_infer, .cost = weft_reduce_cost, .label = weft_reduce_label

/* x / (elements of like / elements of x - less): see weft_divide_by_count. */
weft_value weft_divide_by_count_less(weft_value x, weft_value like, int less);

#endif

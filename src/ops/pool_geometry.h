/* What the pooling ops share: attributes, shape rule, arguments of kernels, samples. "Fine" operands have
 * the extents of a pooling's input, "coarse" ones those of its output. */
#ifndef WEFT_OPS_POOL_GEOMETRY_H
#define WEFT_OPS_POOL_GEOMETRY_H

#include "kernels/pool.h"
#include "ops/rules.h"
#include "weft/pooling.h"

typedef struct weft_pool_attributes {
    int32_t window[3], stride[3], pad_low[3], pad_high[3]; /* 0 where there is no such dimension */
    int32_t padding, ceil_mode, count_include_pad;
} weft_pool_attributes;

/* Appends a pooling of x; options may be NULL, an error that the shape rule tells. */
weft_value weft_pool_apply(const weft_op *op, weft_value x, const weft_pool_options *options);

/* The coarse shape of a fine one; false, with a message, where the windows do not fit. */
bool weft_pool_infer_coarse(const weft_infer *infer, weft_shape fine, weft_shape *coarse);
/* The rule of a pooling: output 0 is input 0, coarse. */
bool weft_pool_infer(weft_infer *infer);
/* The rule of a gradient: input 0 is coarse, input 1 and output 0 are fine. */
bool weft_pool_infer_gradient(weft_infer *infer);

/* The dimension of a tensor of that rank that is axis `axis` (depth, height, width); 0 where there is none. */
int weft_pool_dimension(int rank, int axis);
weft_pool_steps weft_pool_steps_of(const weft_tensor *tensor);
/* Extents, windows and strides of the operands; fine has one or two tensors. */
weft_pool_args weft_pool_args_of(const void *attributes, const weft_tensor *const *fine,
                                 int fine_count, const weft_tensor *coarse);

/* Binds a kernel whose pieces are ranges of pixels, fine or coarse, each with `work` elements to read
 * for each of its channels. */
bool weft_pool_bind_pixels(weft_bind *bind, const weft_pool_args *args, bool fine, int64_t work,
                           weft_piece_fn *run);
/* Binds a kernel whose pieces are boxes of a fine operand. */
bool weft_pool_bind_boxes(weft_bind *bind, const weft_pool_args *args, weft_piece_fn *run);

/* Elements of a window. */
int64_t weft_pool_taps(const weft_pool_args *args);
/* One operation for each element of each window: windows are the elements of output 0, or of input 0. */
void weft_pool_cost_of_output(const weft_bind *bind, weft_cost *cost);
void weft_pool_cost_of_input(const weft_bind *bind, weft_cost *cost);
void weft_pool_label(const void *attributes, char *text, size_t size);

/* In max_pool_winners.c: what the compiler replaces max_pool_gradient by when it fuses. */
struct weft_expansion;
weft_status weft_max_pool_gradient_expand(struct weft_expansion *expansion, const weft_bind *bind);

/* Calls visit for each window of the float64 form: `range` is what of the input is within it. */
typedef void weft_pool_visit(const weft_pool_args *args, const weft_operands *operands,
                             int64_t image, const int64_t position[3],
                             const weft_pool_range range[3]);
void weft_pool_each_window(const weft_pool_args *args, const weft_operands *operands,
                           weft_pool_visit *visit);

/* Sample case `index`: an input and how it is pooled. Over one, two and three dimensions, every padding, overlapping
 * and apart, with and without ceil mode. */
bool weft_pool_sample(weft_sampler *sampler, int index, weft_sample_kind kind, weft_value *x,
                      weft_pool_options *options);

/* What the pooling ops have in common that users build or differentiate. */
#define WEFT_POOLING(title, arguments, more_flags)                                                 \
    .name = title,                                                                                 \
    .parameters = "window, stride, padding (kind or elements), ceil_mode, count_include_pad",      \
    .family = WEFT_FAMILY_POOLING, .min_inputs = arguments, .max_inputs = arguments, .outputs = 1, \
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | (more_flags),                      \
    .label = weft_pool_label

#endif

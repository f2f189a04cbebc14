/* What the four ops of the convolution family have in common: attributes, shape rules, label, cost.
 * Throughout, x is the convolution's input, w its filter and y its result, whichever of them an op
 * computes. */
#ifndef WEFT_OPS_CONVOLUTION_GEOMETRY_H
#define WEFT_OPS_CONVOLUTION_GEOMETRY_H

#include "kernels/convolution.h"
#include "ops/window.h"
#include "weft/convolution.h"
#include "weft/op.h"

/* Attributes of all four. Entries beyond `spatial` are 1 (extents, stride, dilation) or 0 (padding). */
typedef struct weft_convolution_attributes {
    int32_t spatial, groups, padding, flip_filter;
    int32_t kernel[WEFT_MAX_SPATIAL]; /* filter extents; 0 where they do not fit in 31 bits */
    int32_t stride[WEFT_MAX_SPATIAL], dilation[WEFT_MAX_SPATIAL];
    int32_t pad_low[WEFT_MAX_SPATIAL], pad_high[WEFT_MAX_SPATIAL];
    int32_t output_padding[WEFT_MAX_SPATIAL];
} weft_convolution_attributes;

/* Appends a node of the family with attributes made of options (NULL: defaults) and the filter's shape.
 * The second operand is a filter, and the bias of options, if any, the third. */
weft_value weft_convolution_build_biased(const weft_op *op, const weft_convolution_options *options,
                                         weft_value first, weft_value w);
/* The same for three operands; w is the one with the filter's shape. A bias is an error. */
weft_value weft_convolution_build_like(const weft_op *op, const weft_convolution_options *options,
                                       weft_value w, const weft_value *input);

/* For gradient rules: the family solved for y, x and w, with the attributes of the node whose rule it is.
 * The result has the shape of the value called like. */
weft_value weft_convolution_y(const weft_gradient_call *call, weft_value x, weft_value w);
weft_value weft_convolution_x(const weft_gradient_call *call, weft_value y, weft_value w,
                              weft_value like);
weft_value weft_convolution_w(const weft_gradient_call *call, weft_value x, weft_value y,
                              weft_value like);

/* The window of a spatial dimension. */
weft_window weft_convolution_window(const weft_convolution_attributes *attributes, int dimension);

/* Shape rules, in convolution_rules.c. Checks attributes, x and w, and writes the shape of y. x and w are numbers of inputs. */
bool weft_convolution_infer(const weft_infer *infer, int x, int w, weft_shape *y);
/* As above, and checks that input number y has that shape. */
bool weft_convolution_infer_result(const weft_infer *infer, int x, int w, int y);
/* Checks attributes, w and y, and writes the shape of x of a transposed convolution. */
bool weft_convolution_infer_transposed(const weft_infer *infer, int y, int w, weft_shape *x);
/* Checks that input number bias, if there is one, has one element for each of the channels. */
bool weft_convolution_infer_bias(const weft_infer *infer, int bias, int64_t channels);

/* Everything resolved for fixed extents: the problem that kernels solve. bias: whether there is one. */
weft_convolution_problem weft_convolution_resolve(const weft_convolution_attributes *attributes,
                                                  const weft_tensor *x, const weft_tensor *w,
                                                  const weft_tensor *y, bool bias);

/* The cost of any of them: products with padding zeros counted, as is usual. */
void weft_convolution_cost(const weft_bind *bind, const weft_tensor *x, const weft_tensor *w,
                           const weft_tensor *y, weft_cost *cost);

/* Binds the kernel of one pass. The filter is dense, as input (weft_op.dense) or as output. */
bool weft_convolution_bind(weft_bind *bind, weft_convolution_pass pass, const weft_tensor *x,
                           const weft_tensor *w, const weft_tensor *y, bool bias);

/* Of the ops one by one. */
extern const struct weft_fusion weft_convolution_fusion, weft_convolution_gradient_fusion,
    weft_transposed_convolution_fusion, weft_convolution_filter_fusion;

/* In convolution_distribute.c, entries of these (graph/fusion.h): of the forward pass, the input gradient and the
 * filter gradient, where x is in parts along the channels. */
struct weft_expansion;
int weft_convolution_in_parts(const weft_bind *bind);
int weft_convolution_gradient_in_parts(const weft_bind *bind);
int weft_convolution_filter_in_parts(const weft_bind *bind);
weft_status weft_convolution_distribute(struct weft_expansion *expansion, const weft_bind *bind,
                                        int first, int parts, const weft_tensor *part);
weft_status weft_convolution_gradient_distribute(struct weft_expansion *expansion,
                                                 const weft_bind *bind, int first, int parts,
                                                 const weft_tensor *part);
weft_status weft_convolution_filter_distribute(struct weft_expansion *expansion,
                                               const weft_bind *bind, int first, int parts,
                                               const weft_tensor *part);

/* In convolution_label.c: "3x3 /2 d2 g4 same" */
void weft_convolution_label(const void *attributes, char *text, size_t size);

#endif

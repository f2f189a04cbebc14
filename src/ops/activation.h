/* What the activations' files share: an activation is a map with a gradient that is a map, too. */
#ifndef WEFT_OPS_ACTIVATION_H
#define WEFT_OPS_ACTIVATION_H

#include "ops/map.h"

#define WEFT_ACTIVATION_OP(op_name, rules, inputs)                                                 \
    .name = op_name, .family = WEFT_FAMILY_ACTIVATION, WEFT_MAP_OP(inputs),                        \
    .infer = weft_map_infer_equal, .gradient = rules##_gradient, .sample = rules##_sample

/* The gradient op of an activation: dy, and the output or the input. */
weft_value weft_activation_gradient(const weft_op *op, weft_map_function function, double a,
                                    double b, weft_value dy, weft_value y);

/* The parameters a and b of a node. */
const weft_map_attributes *weft_activation_attributes(const void *attributes);

/* So many elements that not all are negative, whose ReLU would show nothing. */
weft_shape weft_activation_sample_shape(weft_sampler *sampler);

/* Two cases of a gradient op: two operands of one shape. */
bool weft_activation_sample_gradient(weft_sampler *sampler, int index, const weft_op *op,
                                     weft_map_function function, double a, double b);

#endif

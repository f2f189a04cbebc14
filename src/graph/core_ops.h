/* The ops that the graph itself needs; all others it knows only by their descriptor. */
#ifndef WEFT_GRAPH_CORE_OPS_H
#define WEFT_GRAPH_CORE_OPS_H

#include "weft/op.h"

extern const weft_op weft_input_op, weft_variable_op, weft_constant_op;
extern const weft_op weft_maps_op; /* fused maps without a kernel before them */
extern const weft_op weft_fill_op, weft_accumulate_op, weft_stop_gradient_op, weft_copy_op;

typedef struct weft_leaf_attributes {
    weft_shape shape;
    weft_dtype dtype;
    weft_initializer initializer; /* of a variable */
} weft_leaf_attributes;

/* A constant's elements follow its attributes. */
typedef struct weft_constant_attributes {
    weft_shape shape;
    double element[];
} weft_constant_attributes;

/* a + b, equal shapes, in place over a: how reverse mode adds up contributions. */
weft_value weft_accumulate(weft_value a, weft_value b);

static inline bool weft_is_leaf(const weft_op *op)
{
    return op == &weft_input_op || op == &weft_variable_op || op == &weft_constant_op;
}

#endif

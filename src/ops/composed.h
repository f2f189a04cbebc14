/* The gradient rule of a fused op, by way of other ops that compute the same. */
#ifndef WEFT_OPS_COMPOSED_H
#define WEFT_OPS_COMPOSED_H

#include "weft/op.h"

enum { WEFT_COMPOSED_VALUES = 8 }; /* inputs, and outputs, at most */

/* Appends ops that make the fused op's outputs from its inputs. */
typedef void weft_compose(const weft_value *in, const void *attributes, weft_value *out);

/* None of the inputs is null. */
void weft_composed_gradient(weft_gradient_call *call, weft_compose *compose, int inputs,
                            int outputs);

#endif

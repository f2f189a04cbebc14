/* What ops that move elements share: plain forms, binding to the copy kernel, cost. */
#ifndef WEFT_OPS_COPYING_H
#define WEFT_OPS_COPYING_H

#include "kernels/copy.h"

/* ---- Plain forms ---- */

/* Coordinates of the element with this row-major index. */
void weft_unravel(const weft_tensor *tensor, int64_t index, int64_t *coordinate);
/* Offset, in elements, of the element at these coordinates. */
int64_t weft_offset_at(const weft_tensor *tensor, const int64_t *coordinate);
/* Copies one element between tensors of one dtype; offsets count elements. */
void weft_copy_element(const weft_tensor *to, int64_t to_offset, const weft_tensor *from,
                       int64_t from_offset);

/* ---- Kernel ---- */

/* Arguments of the copy kernel with room for so many boxes; NULL when memory is short. Add the boxes,
 * whose operands count inputs, then outputs, then bind. */
weft_copy_args *weft_copying_begin(weft_bind *bind, int boxes);
bool weft_copying_bind(weft_bind *bind, const weft_copy_args *args);

/* No arithmetic, all bytes. */
void weft_copying_cost(const weft_bind *bind, weft_cost *cost);

#endif

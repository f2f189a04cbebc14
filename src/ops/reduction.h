/* Binding of reductions to their kernels, for every op that reduces. */
#ifndef WEFT_OPS_REDUCTION_H
#define WEFT_OPS_REDUCTION_H

#include "kernels/reduce.h"

/* Binds output 0 = scale * (the sum, or the largest, of input 0 over the dimensions in `reduced`).
 * to_stride: the output's stride along each dimension of the input, read where it is not reduced. */
bool weft_bind_reduction(weft_bind *bind, weft_reduce_kind kind, double scale, const bool *reduced,
                         const int64_t *to_stride);

#endif

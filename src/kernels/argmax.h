/* Position of the first largest or smallest element along one dimension; NaN counts as either. */
#ifndef WEFT_KERNELS_ARGMAX_H
#define WEFT_KERNELS_ARGMAX_H

#include "kernels/isa.h"
#include "weft/op.h"

/* Operands: 0 the floats, 1 the int32 positions. Places are walked in row-major order of `outer`, and at
 * each lie `columns` results side by side; columns is 1 where the searched dimension is the last. */
typedef struct weft_argmax_args {
    int outer_rank;
    int64_t outer; /* product of extents */
    int64_t extent[WEFT_MAX_RANK], from[WEFT_MAX_RANK], to[WEFT_MAX_RANK];
    int64_t columns;
    int64_t searched, stride; /* extent and stride of the searched dimension */
    int64_t outer_a_piece;
} weft_argmax_args;

typedef struct weft_argmax_kernels {
    weft_piece_fn *argmax, *argmin;
} weft_argmax_kernels;

WEFT_ISA_DECLARE(weft_argmax_kernels, weft_argmax_table);

#endif

/* Rows that are one value but in one place. */
#ifndef WEFT_KERNELS_ONE_HOT_H
#define WEFT_KERNELS_ONE_HOT_H

#include "weft/op.h"

/* Operands: 0 `rows` int32 positions, 1 as many rows of `depth` floats. A position outside names none. */
typedef struct weft_one_hot_args {
    int64_t rows, depth, rows_a_piece;
    float on, off;
} weft_one_hot_args;

/* Sets rows_a_piece; returns the number of pieces. */
int64_t weft_one_hot_cut(weft_one_hot_args *args);
weft_piece_fn weft_one_hot_run;

#endif

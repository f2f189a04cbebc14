/* Softmax over the classes of dense rows, and the losses and gradients that are built on it. */
#ifndef WEFT_KERNELS_SOFTMAX_H
#define WEFT_KERNELS_SOFTMAX_H

#include "kernels/isa.h"
#include "weft/op.h"

/* Rows of `classes` elements, dense; values a row (loss, its gradient, label) dense, too. */
typedef struct weft_softmax_args {
    int64_t rows, classes;
    int64_t rows_a_piece;
} weft_softmax_args;

/* Rows for each piece, from extents alone, and the number of pieces. */
int64_t weft_softmax_cut(weft_softmax_args *args);

/* The kernels, with their operands in order; args: weft_softmax_args. The result may lie over x, and
 * over either input of softmax_gradient. A label out of range makes NaN of its row. */
typedef struct weft_softmax_kernels {
    weft_piece_fn *softmax;                       /* x -> y */
    weft_piece_fn *softmax_gradient;              /* y, dy -> dx */
    weft_piece_fn *sparse_cross_entropy;          /* x, labels -> loss a row */
    weft_piece_fn *sparse_cross_entropy_gradient; /* x, labels, dloss a row -> dx */
    weft_piece_fn *cross_entropy;                 /* x, targets -> loss a row */
    weft_piece_fn *cross_entropy_gradient;        /* x, targets, dloss a row -> dx */
} weft_softmax_kernels;

WEFT_ISA_DECLARE(weft_softmax_kernels, weft_softmax_table);

#endif

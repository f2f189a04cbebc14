/* Products in which one matrix is a few rows thin, such as dense layers at small batches: all is bound by
 * reading or writing the large matrix once, in the order of memory, and nothing is packed. */
#ifndef WEFT_KERNELS_MATMUL_THIN_H
#define WEFT_KERNELS_MATMUL_THIN_H

#include "kernels/isa.h"
#include "kernels/matmul.h"

enum {
    WEFT_THIN = 8,         /* rows of A at most; half of it where B is transposed, or A */
    WEFT_THIN_SUMS = 4096, /* floats of a piece, at most */
    WEFT_THIN_MERGE = 256, /* columns of a piece that merges */
};

typedef struct weft_thin {
    weft_slots slots;
    weft_matmul_problem problem;
    int64_t block, blocks; /* of columns; of an outer product: of rows */
    /* Neither is transposed: of the inner dimension, so that pieces read long rows. If there are several, each has
     * sums of its own in the workspace, rows of blocks * block floats, which merge adds up in order. */
    int64_t splits;
} weft_thin;

/* A piece is a block of one matrix of the batch, and if there are splits, of one of these. */
typedef struct weft_thin_kernels {
    weft_piece_fn *rows;    /* neither is transposed: a few rows of A */
    weft_piece_fn *merge;   /* what follows it if there are splits */
    weft_piece_fn *columns; /* B is transposed: the same */
    weft_piece_fn *outer;   /* A is transposed: a few rows of A and B as they are stored */
} weft_thin_kernels;

WEFT_ISA_DECLARE(weft_thin_kernels, weft_matmul_thin);

/* True where the product is thin; then fills in what weft_matmul_plan does. */
bool weft_thin_plan(const weft_matmul_problem *problem, const weft_slots *slots,
                    weft_kernel_plan *plan);

#endif

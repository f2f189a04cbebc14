/* Copies between strided arrays: what transpose, slice, split, concat and pad run as where they are
 * not views. A copy is a list of boxes; each box is cut into pieces of some 16K elements. */
#ifndef WEFT_KERNELS_COPY_H
#define WEFT_KERNELS_COPY_H

#include "kernels/isa.h"
#include "weft/op.h"

/* One box: element (i0, i1, ...) of `from` goes to the element of the same place in `to`. */
typedef struct weft_copy_box {
    int from, to; /* operands of the call; from WEFT_COPY_FILL writes the fill value */
    int rank;     /* may be one more than that of a tensor */
    int64_t extent[WEFT_MAX_RANK + 1];
    int64_t from_stride[WEFT_MAX_RANK + 1], to_stride[WEFT_MAX_RANK + 1]; /* in elements */
    int64_t from_offset, to_offset;
} weft_copy_box;

enum { WEFT_COPY_FILL = -1 };

typedef enum weft_copy_form {
    WEFT_COPY_FORM_FILL,
    WEFT_COPY_FORM_RUNS,      /* columns contiguous on both sides */
    WEFT_COPY_FORM_TRANSPOSE, /* columns contiguous in `to`, rows contiguous in `from` */
    WEFT_COPY_FORM_STRIDED,
    WEFT_COPY_FORMS
} weft_copy_form;

/* A box made ready: dimensions merged, the two inner ones a matrix of rows and columns, which is cut
 * into blocks; a unit is one block at one place of the outer dimensions. */
typedef struct weft_copy_job {
    weft_copy_form form;
    int from, to;
    int64_t from_offset, to_offset;
    int outer_rank;
    int64_t outer_extent[WEFT_MAX_RANK], outer_from[WEFT_MAX_RANK], outer_to[WEFT_MAX_RANK];
    int64_t rows, row_from, row_to, row_block;
    int64_t columns, column_from, column_to, column_block;
    int64_t units, units_a_piece;
    int64_t first_piece, pieces;
} weft_copy_job;

/* The arguments of the copy kernel. */
typedef struct weft_copy_args {
    int64_t pieces;
    int element_bytes; /* 4 or 1 */
    float fill;
    int jobs;
    weft_copy_job job[];
} weft_copy_args;

/* Bytes of the arguments for so many boxes. */
size_t weft_copy_args_bytes(int boxes);

/* Adds a box; pieces grows. element_bytes must be set. */
void weft_copy_add(weft_copy_args *args, const weft_copy_box *box);

typedef struct weft_copy_kernels {
    weft_piece_fn *copy; /* args: weft_copy_args */
} weft_copy_kernels;

WEFT_ISA_DECLARE(weft_copy_kernels, weft_copy_table);

#endif

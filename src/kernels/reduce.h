/* Sums, extremes, norms and deviations over some dimensions of a strided array. Long reductions are cut into fixed slices,
 * which a second phase merges in order: the bits depend on extents only. */
#ifndef WEFT_KERNELS_REDUCE_H
#define WEFT_KERNELS_REDUCE_H

#include "kernels/isa.h"
#include "weft/op.h"

typedef enum weft_reduce_kind {
    WEFT_REDUCE_SUM,
    WEFT_REDUCE_SUM_MAGNITUDES,
    WEFT_REDUCE_ROOT_SUM_SQUARES, /* scaled before the root is taken */
    /* The squares of what elements differ from their mean by, added up. Slices are merged as in Chan,
     * Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances". */
    WEFT_REDUCE_SUM_DEVIATIONS,
    WEFT_REDUCE_MAX, /* NaN wins, also below */
    WEFT_REDUCE_MAX_MAGNITUDE,
    WEFT_REDUCE_MIN,
    WEFT_REDUCE_KINDS
} weft_reduce_kind;

/* What is to be reduced. to_stride is the output's stride along that dimension of the input, and not
 * read where the dimension is reduced. */
typedef struct weft_reduce_problem {
    weft_reduce_kind kind;
    float scale; /* the result is multiplied by it */
    int rank;
    int64_t extent[WEFT_MAX_RANK], from_stride[WEFT_MAX_RANK], to_stride[WEFT_MAX_RANK];
    bool reduced[WEFT_MAX_RANK];
} weft_reduce_problem;

/* Dimensions walked in row-major order. */
typedef struct weft_reduce_walk {
    int rank;
    int64_t count; /* product of extents */
    int64_t extent[WEFT_MAX_RANK], from[WEFT_MAX_RANK], to[WEFT_MAX_RANK];
} weft_reduce_walk;

/* The arguments of the kernels. Operands: 0 input, `output`, and the workspace after it: for
 * each slice the results, and then for each slice their means, of deviations. Where `run` is 0 the last kept dimension is contiguous: for each of the `kept` places, `columns`
 * elements lie side by side in input and output, and rows are added to them. Else the last dimension
 * is reduced: columns is 1, and each row is a run of that many contiguous elements. */
typedef struct weft_reduce_args {
    int output; /* set to 1 when planned: nodes with more inputs change it */
    float scale;
    weft_reduce_walk kept, rows;
    int64_t columns, column_block;
    int64_t run;
    int64_t kept_a_piece;
    int64_t units; /* what slices divide: rows, or parts of runs */
    int64_t slices;
} weft_reduce_args;

typedef struct weft_reduce_plan {
    weft_reduce_args args;
    int64_t pieces;         /* of the first phase */
    size_t workspace_bytes; /* 0: there is no second phase, which else has one piece */
} weft_reduce_plan;

weft_reduce_plan weft_reduce_make(const weft_reduce_problem *problem);

enum { WEFT_REDUCE_COLUMN_BLOCK = 512, WEFT_REDUCE_RUN_PART = 4096 };

typedef struct weft_reduce_kernels {
    weft_piece_fn *reduce[WEFT_REDUCE_KINDS]; /* args: weft_reduce_args */
    weft_piece_fn *merge[WEFT_REDUCE_KINDS];
} weft_reduce_kernels;

WEFT_ISA_DECLARE(weft_reduce_kernels, weft_reduce_table);

#endif

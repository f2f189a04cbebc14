/* Parts of an array gathered from positions along one dimension, and added up there. */
#ifndef WEFT_KERNELS_GATHER_H
#define WEFT_KERNELS_GATHER_H

#include "weft/op.h"

/* Dense arrays [outer, extent, inner] and [outer, positions, inner], and int32 indices: one for each
 * position, or `each`, one for each element of the second array. Indices outside of [0, extent) name
 * nothing. */
typedef struct weft_gather_args {
    int64_t outer, extent, positions, inner;
    bool each;
    int to;                 /* the output's number among the operands */
    int64_t rows_a_piece;   /* gathering: of [outer, positions] */
    int64_t ranges, blocks; /* adding: parts of extent and of inner */
} weft_gather_args;

/* Cuts the work, once extents and `each` are set; returns the number of pieces. */
int64_t weft_gather_cut(weft_gather_args *args);
int64_t weft_scatter_cut(weft_gather_args *args);

/* x [outer, extent, inner], indices, .. | y: what indices name, 0 where that is nothing. */
weft_piece_fn weft_gather_run;
/* x [outer, positions, inner], indices, .. | y: zeros, and each x added to where its index says. A piece is all
 * that is added to some elements, in the order of positions. */
weft_piece_fn weft_scatter_add_run;

#endif

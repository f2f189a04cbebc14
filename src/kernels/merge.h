/* Adds partial sums that pieces left in the workspace, in a fixed order: the last phase of a filter
 * gradient. */
#ifndef WEFT_KERNELS_MERGE_H
#define WEFT_KERNELS_MERGE_H

#include "kernels/isa.h"
#include "kernels/plan.h"

/* First in the arguments of a plan that merges. The output is rows of `width` contiguous elements: row r is
 * at r / group * outer + r % group * inner. The workspace begins with `copies` dense copies of it. */
typedef struct weft_merge {
    int64_t rows, width, group, outer, inner;
    int64_t copies, pieces;
    int output, workspace; /* places in weft_call.operand */
    int bias;              /* place of what every row begins with, or -1 */
} weft_merge;

typedef struct weft_merge_kernels {
    weft_piece_fn *run;
} weft_merge_kernels;

WEFT_ISA_DECLARE(weft_merge_kernels, weft_merge_copies);

/* Floats that the copies take of the workspace; what follows them is aligned as the workspace is. */
static inline int64_t weft_merge_floats(const weft_merge *merge)
{
    return (merge->rows * merge->width * merge->copies + 15) / 16 * 16;
}

/* Asks for the workspace of the copies and appends the phase. */
void weft_merge_plan(weft_merge *merge, weft_kernel_plan *plan);

#endif

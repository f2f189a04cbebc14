/* Micro-batches: a program that takes its batch in equal parts, one after the other, and what follows from all of them
 * once.
 *
 *     pass_micro_batch.c   finds out what runs for each part and what once, and whether that gives what the whole batch
 *                          would; puts the ops below in between
 *     micro_batch_ops.c    the mean over parts, and parts side by side
 *     choose_micro_batch.c how many parts, under a limit of memory */
#ifndef WEFT_GRAPH_MICRO_BATCH_H
#define WEFT_GRAPH_MICRO_BATCH_H

#include "graph/ir.h"

typedef struct weft_micro_batch_attributes {
    int32_t parts;
    double factor; /* of what is put side by side */
} weft_micro_batch_attributes;

/* mean(x): the sum over parts of x / parts, in a place that lasts for the whole run; the first part sets it. */
extern const weft_op weft_micro_batch_mean_op;
/* join(x): factor x at the place of its part, [parts N,..]. */
extern const weft_op weft_micro_batch_join_op;

/* True where what the op makes lasts from the first part to the end of the run. */
static inline bool weft_lasts(const weft_op *op)
{
    return op == &weft_micro_batch_mean_op || op == &weft_micro_batch_join_op;
}

#endif

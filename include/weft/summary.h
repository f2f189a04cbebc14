/* A table of a graph's layers. */
#ifndef WEFT_SUMMARY_H
#define WEFT_SUMMARY_H

#include <stdio.h>

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_summary {
    int64_t trainable;     /* elements of trainable variables that the forward part reads */
    int64_t not_trainable; /* of the others: running statistics, frozen layers */
    double multiply_adds; /* of convolutions and matrix products, for one sample, padding counted */
} weft_summary;

/* Adds up the forward part: neither gradients nor updates. The status is that of memory, or the graph's
 * own error. */
WEFT_API weft_status weft_summarize(const weft_graph *graph, weft_summary *summary);

/* Prints one line a layer: name, op, output shape, parameters, multiply-adds for one sample; then the
 * totals. A layer is what has variables in a scope of its own; nodes elsewhere have a line each. The
 * status is that of memory and of file, or the graph's own error. */
WEFT_API weft_status weft_print_summary(const weft_graph *graph, FILE *file);

#ifdef __cplusplus
}
#endif
#endif

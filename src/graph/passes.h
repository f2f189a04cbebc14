/* From a graph to a plan: all passes in their order. */
#ifndef WEFT_GRAPH_PASSES_H
#define WEFT_GRAPH_PASSES_H

#include "graph/ir.h"

/* To be planned; what lives as long as the program goes into `keep`. Its scratch is the caller's to release. */
weft_ir weft_passes_begin(weft_graph *graph, weft_state *state, const weft_compile_options *options,
                          int micro_batches, weft_pool *keep, weft_error *error);

/* Runs them. WEFT_ERROR_MEMORY also where the options' memory_limit cannot be kept, with the ir's least_limit. */
weft_status weft_passes_run(weft_ir *ir);

/* What a program would take. */
typedef struct weft_draft {
    int64_t arena_bytes;
    double cycles;       /* of a run, by prediction */
    int64_t least_limit; /* where the limit cannot be kept: the smallest that can; else 0 */
} weft_draft;

/* Runs them for so many micro-batches, and keeps nothing but the figures. Errors: those of weft_compile. */
weft_status weft_passes_draft(weft_graph *graph, weft_state *state,
                              const weft_compile_options *options, int micro_batches,
                              weft_draft *draft, weft_error *error);

/* choose_micro_batch.c: how many the options ask for. */
weft_status weft_choose_micro_batches(weft_graph *graph, weft_state *state,
                                      const weft_compile_options *options, int *count,
                                      weft_error *error);

#endif

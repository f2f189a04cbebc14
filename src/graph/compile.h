/* Compiling for a number of micro-batches, and choosing that number. */
#ifndef WEFT_GRAPH_COMPILE_H
#define WEFT_GRAPH_COMPILE_H

#include "weft/program.h"

/* What a program would take. */
typedef struct weft_draft {
    int64_t arena_bytes;
    double cycles;       /* of a run, by prediction */
    int64_t least_limit; /* where the limit cannot be kept: the smallest that can */
} weft_draft;

/* compile.c: runs the passes, and keeps nothing but the figures. Errors: those of weft_compile. */
weft_status weft_compile_draft(weft_graph *graph, weft_state *state,
                               const weft_compile_options *options, int micro_batches,
                               weft_draft *draft, weft_error *error);

/* choose_micro_batch.c: how many the options ask for. */
weft_status weft_choose_micro_batches(weft_graph *graph, weft_state *state,
                                      const weft_compile_options *options, int *count,
                                      weft_error *error);

#endif

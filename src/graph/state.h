/* The inside of a state, for the compiler. */
#ifndef WEFT_GRAPH_STATE_H
#define WEFT_GRAPH_STATE_H

#include "base/pool.h"
#include "weft/state.h"

struct weft_state {
    weft_graph *graph;
    weft_dtype dtype;
    uint64_t seed;
    int64_t step;
    uint64_t version; /* counts changes of the elements, from 1 */
    weft_pool pool;   /* the elements, unless they are in memory */
    char *memory;     /* the caller's; NULL: none */
    size_t memory_bytes, memory_used;
    bool hollow;    /* without elements, to compile on only */
    void **element; /* of each variable, in order of creation */
    size_t capacity;
    int variables;
};

/* A state without elements: for planning. */
weft_status weft_state_create_hollow(weft_graph *graph, weft_dtype dtype, weft_state **state,
                                     weft_error *error);

/* Adds the variables that the graph got since. On an error the state is as before. */
weft_status weft_state_extend(weft_state *state, weft_error *error);

/* The storage of the variable made by that node. */
weft_tensor weft_state_tensor_of(const weft_state *state, int32_t node);

#endif

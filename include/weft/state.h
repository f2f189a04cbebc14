/* A state is the storage of a graph's variables. Several programs share one: train and infer,
 * another batch or image size. It may grow when a program is compiled, and never moves. */
#ifndef WEFT_STATE_H
#define WEFT_STATE_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_state weft_state;

typedef struct weft_state_options {
    weft_dtype dtype; /* WEFT_FLOAT32 (also when zero) or WEFT_FLOAT64 */
    uint64_t seed;    /* of initializers and random ops */
    /* Where the elements shall lie; NULL: the context's allocator is asked. Aligned to 64 bytes, of
     * weft_state_memory_bytes(graph, dtype) at least; it stays the caller's and must outlive the state. A state
     * in it grows as long as there is room. */
    void *memory;
    size_t memory_bytes;
} weft_state_options;

/* Bytes of memory that a state of all variables which the graph has now needs; INT64_MAX where no machine has
 * as many. dtype WEFT_REAL: float32. */
WEFT_API int64_t weft_state_memory_bytes(const weft_graph *graph, weft_dtype dtype);

/* Makes the storage of all variables that the graph has now, initialized. Programs compiled on the
 * state add those made later. options may be NULL. The graph must outlive the state. On an error, *state is NULL:
 * WEFT_ERROR_DTYPE: dtype is another; WEFT_ERROR_ARGUMENT: memory is not aligned; WEFT_ERROR_MEMORY: there is too
 * little of it; or the graph's own. */
WEFT_API weft_status weft_state_create(weft_graph *graph, const weft_state_options *options,
                                       weft_state **state, weft_error *error);
/* Programs compiled on it must be gone. NULL is allowed. */
WEFT_API void weft_state_destroy(weft_state *state);

WEFT_API weft_graph *weft_state_graph(const weft_state *state);
WEFT_API weft_dtype weft_state_dtype(const weft_state *state);
WEFT_API uint64_t weft_state_seed(const weft_state *state);
WEFT_API int64_t weft_state_bytes(const weft_state *state);
/* Updates done so far: runs of train programs with updates, counted by weft_run. */
WEFT_API int64_t weft_state_step(const weft_state *state);
WEFT_API void weft_state_set_step(weft_state *state, int64_t step);

/* A variable's storage as a dense tensor, to read or write between runs; data NULL where value is
 * not a variable of the state's graph. Valid as long as the state. Programs may keep what they compute
 * from variables alone (packed filters) from run to run: whoever writes through the tensor after a run
 * that came after this call says so by weft_state_changed. */
WEFT_API weft_tensor weft_state_tensor(weft_state *state, weft_value variable);

/* Says that variables were changed through their tensors: the next run of each program computes anew what
 * it keeps. Everything else that changes variables (runs, weft_state_write, loading) does this itself. */
WEFT_API void weft_state_changed(weft_state *state);

/* Copies a variable out of or into the state as doubles. WEFT_ERROR_NOT_FOUND: it is not one of this state;
 * WEFT_ERROR_SHAPE: count is not its number of elements. Nothing is copied then. */
WEFT_API weft_status weft_state_read(const weft_state *state, weft_value variable, double *elements,
                                     int64_t count, weft_error *error);
WEFT_API weft_status weft_state_write(weft_state *state, weft_value variable,
                                      const double *elements, int64_t count, weft_error *error);

/* XXH3 of the elements of all trainable variables, in order of creation. */
WEFT_API uint64_t weft_state_hash(const weft_state *state);

#ifdef __cplusplus
}
#endif
#endif

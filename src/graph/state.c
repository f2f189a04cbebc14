#include "graph/state.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "graph/core_ops.h"
#include "graph/initializer.h"
#include "graph/node.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static weft_dtype storage_dtype(const weft_state *state, const weft_node *node)
{
    return node->dtype[0] == WEFT_REAL ? state->dtype : node->dtype[0];
}

static int64_t storage_bytes(const weft_state *state, const weft_node *node)
{
    return weft_shape_elements(node->shape[0]) *
           (int64_t)weft_dtype_bytes(storage_dtype(state, node));
}

static const weft_node *variable_node(const weft_state *state, int index)
{
    return weft_node_get(state->graph, state->graph->variable[index]);
}

/* Of the variables from `first` to `end` - 1, each rounded up to whole lines; INT64_MAX: they are too large. */
static int64_t elements_bytes(const weft_state *state, int first, int end)
{
    int64_t bytes = 0;
    for (int i = first; i < end; i++) {
        int64_t own = storage_bytes(state, variable_node(state, i));
        if (own > WEFT_MOST_BYTES - bytes)
            return INT64_MAX;
        bytes += weft_aligned(own);
    }
    return bytes;
}

static weft_status initialize(weft_state *state, const weft_node *node, void *elements,
                              weft_error *error)
{
    const weft_leaf_attributes *leaf = node->attributes;
    uint64_t key = XXH3_64bits_withSeed(node->name, strlen(node->name), state->seed);
    weft_error inner = {0};
    weft_status status = weft_initialize(state->graph->context, &leaf->initializer, leaf->shape,
                                         key, storage_dtype(state, node), elements, &inner);
    return status == WEFT_OK
               ? status
               : weft_error_set(error, status, "variable \"%s\": %s", node->name, inner.message);
}

/* Makes room for so many more bytes of elements. */
static weft_status reserve(weft_state *state, size_t bytes, weft_error *error)
{
    if (state->memory && bytes > state->memory_bytes - state->memory_used)
        return weft_error_set(error, WEFT_ERROR_MEMORY,
                              "the variables need %zu bytes, the state's memory has %zu",
                              state->memory_used + bytes, state->memory_bytes);
    if (!state->memory && !weft_pool_reserve(&state->pool, bytes))
        return weft_error_set(error, WEFT_ERROR_MEMORY,
                              "out of memory for the variables: %zu bytes", bytes);
    return WEFT_OK;
}

static void *place(weft_state *state, size_t bytes)
{
    if (!state->memory)
        return weft_pool_allocate(&state->pool, bytes);
    void *elements = state->memory + state->memory_used;
    state->memory_used += (size_t)weft_aligned((int64_t)bytes);
    return elements;
}

/* Gives the variables from state->variables to `end` - 1 their elements. */
static weft_status add_elements(weft_state *state, int end, weft_error *error)
{
    WEFT_TRY(reserve(state, (size_t)elements_bytes(state, state->variables, end), error));
    for (int i = state->variables; i < end; i++) {
        const weft_node *node = variable_node(state, i);
        size_t bytes = (size_t)storage_bytes(state, node);
        state->element[i] = place(state, bytes);
        if (!state->element[i])
            return weft_error_set(error, WEFT_ERROR_MEMORY,
                                  "out of memory for variable \"%s\": %zu bytes", node->name,
                                  bytes);
        WEFT_TRY(initialize(state, node, state->element[i], error));
    }
    return WEFT_OK;
}

weft_status weft_state_extend(weft_state *state, weft_error *error)
{
    weft_graph *graph = state->graph;
    int variables = graph->variables;
    if (elements_bytes(state, 0, variables) > WEFT_MOST_BYTES)
        return weft_error_set(error, WEFT_ERROR_MEMORY,
                              "the variables need more than %lld bytes of memory",
                              (long long)WEFT_MOST_BYTES);
    if (!weft_grow(graph->context, (void **)&state->element, &state->capacity, (size_t)variables,
                   sizeof(void *)))
        return weft_out_of_memory(error, (size_t)variables * sizeof(void *));
    weft_pool_mark filled = weft_pool_here(&state->pool);
    size_t used = state->memory_used;
    weft_status status = state->hollow ? WEFT_OK : add_elements(state, variables, error);
    if (status == WEFT_OK) {
        state->variables = variables;
    } else {
        weft_pool_rewind(&state->pool, filled);
        state->memory_used = used;
    }
    return status;
}

static weft_status check_options(const weft_graph *graph, const weft_state_options *options,
                                 weft_error *error)
{
    const weft_error *own = weft_graph_error(graph);
    if (own->status != WEFT_OK)
        return weft_error_set(error, own->status, "%s", own->message);
    if (options->dtype != WEFT_FLOAT32 && options->dtype != WEFT_FLOAT64)
        return weft_error_set(error, WEFT_ERROR_DTYPE, "a state is float32 or float64, not %s",
                              weft_dtype_name(options->dtype));
    if ((uintptr_t)options->memory % WEFT_ALIGNMENT)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "the state's memory is at %p, which is not a multiple of %d",
                              options->memory, WEFT_ALIGNMENT);
    return WEFT_OK;
}

static weft_status create(weft_graph *graph, const weft_state_options *options, bool hollow,
                          weft_state **result, weft_error *error)
{
    weft_state_options chosen = options ? *options : (weft_state_options){0};
    *result = NULL;
    if (chosen.dtype == WEFT_REAL)
        chosen.dtype = WEFT_FLOAT32;
    WEFT_TRY(check_options(graph, &chosen, error));
    weft_state *state = weft_allocate(graph->context, sizeof(*state));
    if (!state)
        return weft_out_of_memory(error, sizeof(*state));
    state->graph = graph;
    state->dtype = chosen.dtype;
    state->seed = chosen.seed;
    state->version = 1;
    state->pool = weft_pool_begin(graph->context);
    state->memory = chosen.memory;
    state->memory_bytes = chosen.memory_bytes;
    state->hollow = hollow;
    weft_status status = weft_state_extend(state, error);
    if (status != WEFT_OK)
        weft_state_destroy(state);
    else
        *result = state;
    return status;
}

weft_status weft_state_create(weft_graph *graph, const weft_state_options *options,
                              weft_state **result, weft_error *error)
{
    return create(graph, options, false, result, error);
}

weft_status weft_state_create_hollow(weft_graph *graph, weft_dtype dtype, weft_state **state,
                                     weft_error *error)
{
    return create(graph, &(weft_state_options){.dtype = dtype}, true, state, error);
}

int64_t weft_state_memory_bytes(const weft_graph *graph, weft_dtype dtype)
{
    weft_state state = {.graph = (weft_graph *)graph,
                        .dtype = dtype == WEFT_REAL ? WEFT_FLOAT32 : dtype};
    return elements_bytes(&state, 0, graph->variables);
}

void weft_state_destroy(weft_state *state)
{
    if (!state)
        return;
    weft_context *context = state->graph->context;
    weft_pool_release(&state->pool);
    weft_release_array(context, state->element, state->capacity, sizeof(void *));
    weft_release(context, state, sizeof(*state));
}

weft_graph *weft_state_graph(const weft_state *state)
{
    return state->graph;
}

weft_dtype weft_state_dtype(const weft_state *state)
{
    return state->dtype;
}

uint64_t weft_state_seed(const weft_state *state)
{
    return state->seed;
}

int64_t weft_state_bytes(const weft_state *state)
{
    int64_t bytes = 0;
    for (int i = 0; i < state->variables; i++)
        bytes += storage_bytes(state, variable_node(state, i));
    return bytes;
}

int64_t weft_state_step(const weft_state *state)
{
    return state->step;
}

void weft_state_set_step(weft_state *state, int64_t step)
{
    state->step = step;
}

weft_tensor weft_state_tensor_of(const weft_state *state, int32_t node_index)
{
    for (int i = 0; i < state->variables; i++) {
        if (state->graph->variable[i] != node_index)
            continue;
        const weft_node *node = variable_node(state, i);
        weft_tensor tensor = weft_tensor_make(storage_dtype(state, node), node->shape[0]);
        tensor.data = state->element[i];
        return tensor;
    }
    return (weft_tensor){0};
}

static weft_tensor variable_tensor(const weft_state *state, weft_value variable)
{
    if (variable.graph != state->graph || !weft_is_variable(variable))
        return (weft_tensor){0};
    return weft_state_tensor_of(state, variable.node);
}

weft_tensor weft_state_tensor(weft_state *state, weft_value variable)
{
    weft_state_changed(state); /* whoever asks may be about to write */
    return variable_tensor(state, variable);
}

void weft_state_changed(weft_state *state)
{
    state->version++;
}

/* The tensor of a variable that must have count elements. */
static weft_status checked_tensor(const weft_state *state, weft_value variable, int64_t count,
                                  weft_tensor *tensor, weft_error *error)
{
    *tensor = variable_tensor(state, variable);
    if (!tensor->data)
        return weft_error_set(error, WEFT_ERROR_NOT_FOUND, "\"%s\" is not a variable of this state",
                              weft_name_get(variable));
    if (weft_tensor_elements(tensor) != count)
        return weft_error_set(
            error, WEFT_ERROR_SHAPE, "variable \"%s\" has %lld elements, %lld were given",
            weft_name_get(variable), (long long)weft_tensor_elements(tensor), (long long)count);
    return WEFT_OK;
}

weft_status weft_state_read(const weft_state *state, weft_value variable, double *elements,
                            int64_t count, weft_error *error)
{
    weft_tensor tensor;
    WEFT_TRY(checked_tensor(state, variable, count, &tensor, error));
    for (int64_t i = 0; i < count; i++)
        elements[i] = tensor.dtype == WEFT_FLOAT64   ? ((const double *)tensor.data)[i]
                      : tensor.dtype == WEFT_FLOAT32 ? (double)((const float *)tensor.data)[i]
                                                     : (double)((const int32_t *)tensor.data)[i];
    return WEFT_OK;
}

weft_status weft_state_write(weft_state *state, weft_value variable, const double *elements,
                             int64_t count, weft_error *error)
{
    weft_tensor tensor;
    WEFT_TRY(checked_tensor(state, variable, count, &tensor, error));
    for (int64_t i = 0; i < count; i++)
        if (tensor.dtype == WEFT_FLOAT64)
            ((double *)tensor.data)[i] = elements[i];
        else if (tensor.dtype == WEFT_FLOAT32)
            ((float *)tensor.data)[i] = (float)elements[i];
        else
            ((int32_t *)tensor.data)[i] = (int32_t)elements[i];
    weft_state_changed(state);
    return WEFT_OK;
}

uint64_t weft_state_hash(const weft_state *state)
{
    uint64_t hash = 0;
    for (int i = 0; i < state->variables; i++) {
        const weft_node *node = variable_node(state, i);
        if (!node->frozen)
            hash =
                XXH3_64bits_withSeed(state->element[i], (size_t)storage_bytes(state, node), hash);
    }
    return hash;
}

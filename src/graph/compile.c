/* weft_compile: checks what is asked for, has it planned, and makes the program. */
#include "graph/passes.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/core_ops.h"
#include "graph/node.h"
#include "graph/program.h"

/* A real variable of rank 0 that nothing writes. */
static bool is_rate(const weft_graph *graph, weft_value value)
{
    return value.graph == graph && weft_is_variable(value) && weft_dtype_get(value) == WEFT_REAL &&
           weft_shape_get(value).rank == 0 && weft_same(weft_updated(value), value);
}

static weft_status check_options(weft_graph *graph, weft_state *state,
                                 const weft_compile_options *options, weft_error *error)
{
    int64_t batch = options->batch ? options->batch : 1;
    const weft_error *own = weft_graph_error(graph);
    if (own->status != WEFT_OK)
        return weft_error_set(error, own->status, "%s", own->message);
    if (state->graph != graph)
        return weft_error_set(error, WEFT_ERROR_GRAPH, "compile: the state is of another graph");
    if (options->batch < 0 || options->threads < 0 || options->fetches < 0 ||
        options->extent_count < 0 || options->frozen_count < 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "compile: batch, threads and counts must not be negative");
    if (options->memory_limit < 0 && options->memory_limit != WEFT_LEAST_MEMORY)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "compile: memory_limit is negative: %lld bytes",
                              (long long)options->memory_limit);
    if (options->micro_batches < 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "compile: micro_batches is negative: %d",
                              options->micro_batches);
    if (options->micro_batches > 1 && !options->micro_batching)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "compile: %d micro_batches, but micro_batching allows none",
                              options->micro_batches);
    if (options->micro_batches > 1 && batch % options->micro_batches)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "compile: a batch of %lld is not %d equal micro-batches",
                              (long long)batch, options->micro_batches);
    if (options->measure && !options->wisdom)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "compile: what is measured goes into wisdom, which is NULL");
    for (int i = 0; i < options->fetches; i++)
        if (weft_is_null(options->fetch[i]) || options->fetch[i].graph != graph)
            return weft_error_set(error, WEFT_ERROR_GRAPH,
                                  "compile: fetch %d is the null value or of another graph", i);
    for (int i = 0; i < options->extent_count; i++)
        if (options->extents[i].input.graph != graph || weft_is_null(options->extents[i].input) ||
            weft_node_get(graph, options->extents[i].input.node)->op != &weft_input_op)
            return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                                  "compile: extents %d are not for an input of this graph", i);
    for (int i = 0; i < options->frozen_count; i++)
        if (!is_rate(graph, options->frozen[i]))
            return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                                  "compile: frozen %d is not the rate of a group of this graph", i);
    return WEFT_OK;
}

weft_status weft_allocate_arena(weft_program *program, int64_t bytes, weft_error *error)
{
    size_t size = (size_t)bytes;
    if (!size)
        return WEFT_OK;
    program->arena = weft_allocate_large(program->context, &size);
    program->arena_allocated = size;
    if (program->arena)
        return WEFT_OK;
    return weft_error_set(error, WEFT_ERROR_MEMORY,
                          "compile: out of memory for the arena: %zu bytes", size);
}

void weft_release_arena(weft_program *program)
{
    if (program->arena_allocated)
        weft_release(program->context, program->arena, program->arena_allocated);
    program->arena = NULL;
    program->arena_allocated = 0;
}

static weft_status compile(weft_ir *ir, weft_program *program)
{
    WEFT_TRY(weft_passes_run(ir));
    if (ir->steps == 0 && ir->options->fetches == 0)
        return weft_error_set(ir->error, WEFT_ERROR_ARGUMENT,
                              "compile: nothing to run: no fetches%s",
                              ir->options->mode == WEFT_TRAIN ? " and no updates" : "");
    WEFT_TRY(weft_emit(ir, program));
    if (!ir->options->no_arena) {
        WEFT_TRY(weft_allocate_arena(program, ir->arena_bytes, ir->error));
        weft_address(program);
    }
    for (int i = 0; i < program->steps; i++) {
        program->updates |= program->step[i].op->family == WEFT_FAMILY_UPDATE;
        program->writes |= program->step[i].op->writes != 0;
    }
    return WEFT_OK;
}

weft_status weft_compile(weft_graph *graph, weft_state *state, const weft_compile_options *options,
                         weft_program **result, weft_error *error)
{
    int micro_batches;
    *result = NULL;
    WEFT_TRY(check_options(graph, state, options, error));
    WEFT_TRY(weft_choose_micro_batches(graph, state, options, &micro_batches, error));
    weft_program *program = weft_allocate(graph->context, sizeof(*program));
    if (!program)
        return weft_out_of_memory(error, sizeof(*program));
    program->context = graph->context;
    program->graph = graph;
    program->state = state;
    program->pool = weft_pool_begin(graph->context);
    program->real = state->dtype;
    program->mode = options->mode;
    program->batch = options->batch ? options->batch : 1;
    program->poison = options->poison;
    program->check_finite = options->check_finite;
    program->profile = options->profile;
    program->micro_batches = micro_batches;
    weft_ir ir = weft_passes_begin(graph, state, options, micro_batches, &program->pool, error);
    program->threads = ir.threads;
    weft_status status = compile(&ir, program);
    weft_pool_release(&ir.scratch);
    if (status != WEFT_OK)
        weft_program_destroy(program);
    else
        *result = program;
    return status;
}

void weft_program_destroy(weft_program *program)
{
    if (!program)
        return;
    weft_release_arena(program);
    weft_pool_release(&program->pool);
    weft_release(program->context, program, sizeof(*program));
}

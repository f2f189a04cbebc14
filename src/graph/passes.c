/* The list of passes that make a plan of a graph. */
#include "graph/passes.h"

#include "base/error.h"
#include "graph/node.h"
#include "graph/state.h"

static const struct pass {
    const char *name;
    weft_status (*run)(weft_ir *ir);
    int option; /* of weft_pass, where leaving it out means not calling it; -1: always called */
} passes[] = {
    {"prune", weft_ir_build, -1},
    {"bind", weft_pass_bind, -1},
    {"micro_batch", weft_pass_micro_batch, -1},
    {"cse", weft_pass_cse, WEFT_PASS_CSE},
    {"fold", weft_pass_fold, WEFT_PASS_FOLD},
    {"distribute", weft_pass_distribute, WEFT_PASS_DISTRIBUTE},
    {"view", weft_pass_view, -1},
    {"unview", weft_pass_unview, -1},
    {"expand", weft_pass_expand, WEFT_PASS_FUSE},
    {"recompute", weft_pass_recompute, WEFT_PASS_RECOMPUTE},
    {"fuse", weft_pass_fuse, WEFT_PASS_FUSE},
    {"hoist", weft_pass_hoist, -1},
    {"chain", weft_pass_chain, WEFT_PASS_CHAIN},
    {"select", weft_pass_select, -1},
    {"order", weft_pass_order, -1},
    {"rematerialize", weft_pass_rematerialize, WEFT_PASS_REMATERIALIZE},
    {"plan", weft_pass_plan, -1},
};

static weft_status run_all(weft_ir *ir)
{
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        const struct pass *pass = &passes[i];
        if (pass->option >= 0 && ir->options->without & 1u << pass->option)
            continue;
        WEFT_TRY(pass->run(ir));
        if (ir->options->trace)
            weft_ir_print(ir, pass->name, ir->options->trace);
    }
    return WEFT_OK;
}

weft_status weft_passes_run(weft_ir *ir)
{
    WEFT_TRY(weft_state_extend(ir->state, ir->error));
    WEFT_TRY(run_all(ir));
    if (ir->options->memory_limit > 0 && ir->arena_bytes > ir->options->memory_limit)
        return weft_ir_refuse_limit(ir, ir->arena_bytes);
    return WEFT_OK;
}

weft_ir weft_passes_begin(weft_graph *graph, weft_state *state, const weft_compile_options *options,
                          int micro_batches, weft_pool *keep, weft_error *error)
{
    int64_t batch = options->batch ? options->batch : 1;
    return (weft_ir){.graph = graph,
                     .state = state,
                     .options = options,
                     .real = state->dtype,
                     .threads =
                         options->threads ? options->threads : weft_context_threads(graph->context),
                     .micro_batches = micro_batches,
                     .batch = batch / micro_batches,
                     .error = error,
                     .scratch = weft_pool_begin(graph->context),
                     .keep = keep};
}

weft_status weft_passes_draft(weft_graph *graph, weft_state *state,
                              const weft_compile_options *options, int micro_batches,
                              weft_draft *draft, weft_error *error)
{
    weft_pool keep = weft_pool_begin(graph->context);
    weft_ir ir = weft_passes_begin(graph, state, options, micro_batches, &keep, error);
    weft_status status = weft_passes_run(&ir);
    *draft = (weft_draft){.arena_bytes = ir.arena_bytes, .least_limit = ir.least_limit};
    for (int i = 0; i < ir.steps && status == WEFT_OK; i++) {
        const weft_ir_node *node = &ir.node[ir.order[i]];
        draft->cycles += weft_ir_cycles(node) * (node->after ? 1 : micro_batches);
    }
    weft_pool_release(&ir.scratch);
    weft_pool_release(&keep);
    return status;
}

/* Chooses the kernel of each node: the op's own, or its plain form. */
#include "base/error.h"
#include "base/pool.h"
#include "graph/choose.h"
#include "graph/executes.h"
#include "graph/fused.h"

/* What weft_bind.internal points to. */
typedef struct binding {
    weft_ir *ir;
    weft_ir_node *node;
    const void *args; /* of the phases that follow */
    bool failed;
} binding;

void *weft_bind_args(weft_bind *bind, size_t bytes)
{
    binding *b = bind->internal;
    void *args = weft_pool_allocate(b->ir->keep, bytes);
    b->failed |= !args;
    b->args = args;
    return args;
}

void weft_bind_round(weft_bind *bind, weft_piece_fn *run, int64_t pieces, int64_t round)
{
    binding *b = bind->internal;
    weft_ir_node *node = b->node;
    if (node->phases < WEFT_PLAN_PHASES) {
        node->phase[node->phases] = (weft_phase){run, pieces, round};
        node->phase_args[node->phases] = b->args;
    }
    node->phases++;
}

void weft_bind_phase(weft_bind *bind, weft_piece_fn *run, int64_t pieces)
{
    weft_bind_round(bind, run, pieces, 0);
}

void weft_bind_workspace(weft_bind *bind, size_t bytes)
{
    ((binding *)bind->internal)->node->workspace_bytes = (int64_t)bytes;
}

void weft_bind_prepare(weft_bind *bind, int phases, uint32_t inputs, size_t bytes)
{
    weft_ir_node *node = ((binding *)bind->internal)->node;
    node->prepare_phases = phases;
    node->prepare_inputs = inputs;
    node->prepared_bytes = (int64_t)bytes;
}

void weft_bind_not_in_place(weft_bind *bind)
{
    ((binding *)bind->internal)->node->in_place = 0;
}

void weft_bind_cycles(weft_bind *bind, double cycles)
{
    ((binding *)bind->internal)->node->cycles = cycles;
}

bool weft_bind_choose_convolution(weft_bind *bind, const weft_convolution_problem *problem,
                                  weft_convolution_pass pass, const char **algorithm)
{
    binding *b = bind->internal;
    b->failed |= weft_choose_convolution(b->ir, problem, pass, algorithm) != WEFT_OK;
    return !b->failed;
}

void weft_bind_algorithm(weft_bind *bind, const char *name)
{
    ((binding *)bind->internal)->node->algorithm = name;
}

static weft_status check_phases(const weft_ir *ir, const weft_ir_node *node)
{
    if (node->phases >= 1 && node->phases <= WEFT_PLAN_PHASES)
        return WEFT_OK;
    return weft_error_set(ir->error, WEFT_ERROR_INTERNAL, "%s \"%s\": bound to %d phases",
                          node->op->name, node->name, node->phases);
}

static weft_status select_kernel(weft_ir *ir, weft_ir_node *node, weft_bind *bind)
{
    binding b = {.ir = ir, .node = node};
    bind->internal = &b;
    if (ir->real == WEFT_FLOAT32 && node->op->bind && node->op->bind(bind))
        return check_phases(ir, node);
    if (b.failed)
        return weft_ir_out_of_memory(ir);
    return weft_select_plain(ir, &ir->scratch, node);
}

/* ---- Fused nodes ---- */

static int slot_of(const weft_ir_node *node, int value)
{
    for (int k = node->own_inputs; k < node->inputs + node->outputs; k++) {
        int operand = k < node->inputs ? node->input[k] : node->output[k - node->inputs];
        if (operand == value)
            return weft_ir_slot(node, k);
    }
    return -1;
}

/* Maps alone: pieces of some pixels. */
static void bind_chain(weft_bind *bind, weft_epilogue *epilogue)
{
    enum { PIECE_ELEMENTS = 32768 };
    int64_t pixels = PIECE_ELEMENTS / epilogue->channels;
    epilogue->piece_pixels = pixels > 0 ? pixels : 1;
    int64_t pieces = (epilogue->pixels.count + epilogue->piece_pixels - 1) / epilogue->piece_pixels;
    ((binding *)bind->internal)->args = epilogue;
    size_t workspace = weft_epilogue_workspace(epilogue, pieces, 0);
    if (workspace)
        weft_bind_workspace(bind, workspace);
    weft_bind_phase(bind, weft_epilogue_table()->chain, pieces);
}

/* The phases of a node that is computed from sums which are now made. */
static bool bind_sums(weft_bind *bind, const weft_ir_node *node, const weft_fused_sums *sums,
                      const weft_epilogue *epilogue, const weft_epilogue_sums *where)
{
    const weft_ir *ir = ((binding *)bind->internal)->ir;
    const weft_ir_node *own = &sums->node;
    weft_tensor tensors[16];
    int slot[17];
    weft_bind of = weft_ir_operands(ir, own, tensors);
    for (int k = 0; k < own->inputs + own->outputs; k++)
        slot[k] = slot_of(node, k < own->inputs ? own->input[k] : own->output[k - own->inputs]);
    slot[own->inputs + own->outputs] = epilogue->workspace;
    of.slot = slot;
    of.internal = bind->internal;
    weft_partial partial = {
        .slot = epilogue->workspace, .offset = where->offset, .parts = epilogue->parts};
    return own->op->fusion->finish(&of, &partial);
}

static weft_status select_fused(weft_ir *ir, weft_ir_node *node, weft_bind *bind)
{
    weft_fused *fused = node->fused;
    binding b = {.ir = ir, .node = node};
    bind->internal = &b;
    bind->epilogue = fused->epilogue;
    bind->prologue = fused->prologue;
    bool bound = true;
    if (fused->kernel.op)
        bound = node->op->bind(bind);
    else
        bind_chain(bind, fused->epilogue);
    for (int i = 0; i < fused->sums && bound; i++)
        bound = bind_sums(bind, node, &fused->sum[i], fused->epilogue, &fused->epilogue->sum[i]);
    if (b.failed)
        return weft_ir_out_of_memory(ir);
    if (!bound)
        return weft_error_set(ir->error, WEFT_ERROR_INTERNAL, "%s \"%s\": has no fused kernel",
                              node->op->name, node->name);
    return check_phases(ir, node);
}

/* What is prepared from steady inputs is kept, and what prepares it is hoisted. */
static void give_workspace(weft_ir *ir, weft_ir_node *node)
{
    if (node->workspace_bytes)
        node->workspace = weft_ir_add_storage(ir, (weft_storage){.bytes = node->workspace_bytes});
    if (!node->prepare_phases)
        return;
    bool kept = !node->hoisted && !(ir->options->without & 1u << WEFT_PASS_HOIST) &&
                !(node->prepare_inputs & ~node->steady);
    node->prepared =
        weft_ir_add_storage(ir, (weft_storage){.bytes = node->prepared_bytes, .kept = kept});
}

weft_status weft_pass_select(weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        if (!weft_ir_executes(node))
            continue;
        weft_tensor *tensors =
            weft_pool_array(&ir->scratch, (size_t)(node->inputs + node->outputs), sizeof(*tensors));
        if (!tensors)
            return weft_ir_out_of_memory(ir);
        weft_bind bind = weft_ir_operands(ir, node, tensors);
        bind.steady = node->steady;
        WEFT_TRY(node->fused ? select_fused(ir, node, &bind) : select_kernel(ir, node, &bind));
        give_workspace(ir, node);
        node->cost = weft_ir_cost(ir, node, &bind);
    }
    return WEFT_OK;
}

/* Chooses the kernel of each node: the op's own, or its plain form. */
#include "base/error.h"
#include "base/pool.h"
#include "graph/core_ops.h"
#include "graph/ir.h"

/* What weft_bind.internal points to. */
typedef struct binding {
    weft_ir *ir;
    weft_ir_node *node;
    bool failed;
} binding;

void *weft_bind_args(weft_bind *bind, size_t bytes)
{
    binding *b = bind->internal;
    b->node->args = weft_pool_allocate(b->ir->keep, bytes);
    b->failed |= !b->node->args;
    return b->node->args;
}

void weft_bind_phase(weft_bind *bind, weft_piece_fn *run, int64_t pieces)
{
    weft_ir_node *node = ((binding *)bind->internal)->node;
    if (node->phases < WEFT_PLAN_PHASES)
        node->phase[node->phases] = (weft_phase){run, pieces};
    node->phases++;
}

void weft_bind_workspace(weft_bind *bind, size_t bytes)
{
    ((binding *)bind->internal)->node->workspace_bytes = (int64_t)bytes;
}

static weft_status select_kernel(weft_ir *ir, weft_ir_node *node, weft_bind *bind)
{
    binding b = {.ir = ir, .node = node};
    bind->internal = &b;
    if (ir->real == WEFT_FLOAT32 && node->op->bind && node->op->bind(bind)) {
        if (node->phases >= 1 && node->phases <= WEFT_PLAN_PHASES)
            return WEFT_OK;
        return weft_error_set(ir->error, WEFT_ERROR_INTERNAL, "%s \"%s\": bound to %d phases",
                              node->op->name, node->name, node->phases);
    }
    if (b.failed)
        return weft_ir_out_of_memory(ir);
    return weft_select_plain(ir, node);
}

static weft_cost default_cost(const weft_ir_node *node, const weft_bind *bind)
{
    weft_cost cost = {0};
    for (int k = 0; k < node->outputs; k++)
        cost.flops += (double)weft_tensor_elements(&bind->output[k]);
    return cost;
}

static double operand_bytes(const weft_ir_node *node, const weft_bind *bind)
{
    double bytes = 0;
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k))
            bytes += (double)weft_tensor_elements(&bind->input[k]) *
                     (double)weft_dtype_bytes(bind->input[k].dtype) *
                     (weft_ir_writes(node, k) ? 2 : 1);
    for (int k = 0; k < node->outputs; k++)
        bytes += (double)weft_tensor_elements(&bind->output[k]) *
                 (double)weft_dtype_bytes(bind->output[k].dtype);
    return bytes;
}

weft_status weft_pass_select(weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        if (node->gone || weft_is_leaf(node->op))
            continue;
        weft_tensor *tensors =
            weft_pool_array(&ir->scratch, (size_t)(node->inputs + node->outputs), sizeof(*tensors));
        if (!tensors)
            return weft_ir_out_of_memory(ir);
        weft_bind bind = weft_ir_operands(ir, node, tensors);
        WEFT_TRY(select_kernel(ir, node, &bind));
        node->cost = default_cost(node, &bind);
        node->cost.bytes = operand_bytes(node, &bind);
        if (node->op->cost)
            node->op->cost(&bind, &node->cost);
        if (node->workspace_bytes)
            node->workspace =
                weft_ir_add_storage(ir, (weft_storage){.bytes = node->workspace_bytes});
    }
    return WEFT_OK;
}

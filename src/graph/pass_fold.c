/* Constants are computed while compiling, and ops that change nothing are left out. */
#include "base/error.h"
#include "graph/core_ops.h"
#include "graph/executes.h"
#include "graph/ir.h"

#include <string.h>

/* Larger results are cheaper to compute in each run than to keep. */
enum { MOST_ELEMENTS = 4096 };

static bool is_constant(const weft_ir *ir, const weft_ir_node *node)
{
    if (weft_is_leaf(node->op) || node->op->flags & WEFT_OP_RANDOM || node->op->writes)
        return false;
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && !ir->value[node->input[k]].tensor.data)
            return false;
    for (int k = 0; k < node->outputs; k++)
        if (weft_tensor_elements(&ir->value[node->output[k]].tensor) > MOST_ELEMENTS)
            return false;
    return node->outputs > 0;
}

/* Runs the node in its plain form; its outputs become constants. */
static weft_status evaluate(weft_ir *ir, weft_ir_node *node)
{
    WEFT_TRY(weft_select_plain(ir, &ir->scratch, node));
    size_t operands = (size_t)(node->inputs + node->outputs) + 1;
    void **operand = weft_pool_array(&ir->scratch, operands, sizeof(void *));
    if (!operand)
        return weft_ir_out_of_memory(ir);
    for (int k = 0; k < node->inputs; k++)
        operand[k] = ir->value[node->input[k]].tensor.data;
    for (int k = 0; k < node->outputs; k++) {
        weft_tensor *tensor = &ir->value[node->output[k]].tensor;
        tensor->data = weft_pool_array(ir->keep, (size_t)weft_tensor_elements(tensor),
                                       weft_dtype_bytes(tensor->dtype));
        operand[node->inputs + k] = tensor->data;
        if (!tensor->data)
            return weft_ir_out_of_memory(ir);
    }
    operand[operands - 1] = weft_pool_allocate(&ir->scratch, (size_t)node->workspace_bytes);
    if (!operand[operands - 1])
        return weft_ir_out_of_memory(ir);
    weft_run_info info = {0};
    weft_call call = {.args = node->phase_args[0], .operand = operand, .info = &info};
    node->phase[0].run(&call, 0);
    node->gone = true;
    return WEFT_OK;
}

/* The input that output 0 is equal to, or -1. */
static int equal_input(const weft_ir *ir, const weft_ir_node *node, weft_tensor *tensors)
{
    if (!node->op->identity || node->outputs != 1)
        return -1;
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    int input = node->op->identity(&bind);
    if (input < 0 || input >= node->inputs)
        return -1;
    const weft_tensor *x = &bind.input[input], *y = &bind.output[0];
    bool same = x->rank == y->rank && x->dtype == y->dtype &&
                memcmp(x->extent, y->extent, sizeof(x->extent)) == 0;
    return same ? input : -1;
}

/* A fetch is of the variable before it is updated, and the variable itself is then read after that. */
static bool must_stay(const weft_ir *ir, const weft_ir_node *node, int input)
{
    const weft_ir_node *from = &ir->node[ir->value[node->input[input]].producer];
    return ir->value[node->output[0]].fetched && !node->op->writes &&
           (from->op == &weft_variable_op || from->op->writes) && weft_ir_writes_variables(ir);
}

weft_status weft_pass_fold(weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        for (int k = 0; k < node->inputs; k++)
            node->input[k] = weft_ir_resolve(ir, node->input[k]);
        if (!weft_ir_executes(node))
            continue;
        weft_tensor *tensors = weft_pool_array(&ir->scratch, (size_t)(node->inputs + node->outputs),
                                               sizeof(weft_tensor));
        if (!tensors)
            return weft_ir_out_of_memory(ir);
        int input = equal_input(ir, node, tensors);
        if (input >= 0 && !must_stay(ir, node, input)) {
            ir->forward[node->output[0]] = node->input[input];
            node->gone = true;
        } else if (is_constant(ir, node)) {
            WEFT_TRY(evaluate(ir, node));
        }
    }
    weft_ir_prune(ir);
    return WEFT_OK;
}

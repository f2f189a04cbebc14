/* What a node costs: operations and bytes of its op, and of the maps and sums that are fused with it. */
#include "graph/fused.h"

static double value_bytes(const weft_ir *ir, int value)
{
    return (double)weft_tensor_bytes(&ir->value[value].tensor);
}

/* One operation an element of the outputs, each operand once: for ops that do not say better. */
static weft_cost default_cost(const weft_ir *ir, const weft_ir_node *node)
{
    weft_cost cost = {0};
    for (int k = 0; k < node->own_inputs; k++)
        if (weft_ir_reads(node, k))
            cost.bytes += value_bytes(ir, node->input[k]) * (weft_ir_writes(node, k) ? 2 : 1);
    for (int k = 0; k < node->own_outputs; k++) {
        cost.flops += (double)weft_tensor_elements(&ir->value[node->output[k]].tensor);
        cost.bytes += value_bytes(ir, node->output[k]);
    }
    return cost;
}

static void add_fused(const weft_ir *ir, const weft_ir_node *node, weft_cost *cost)
{
    enum { SUM_FLOPS = 4 }; /* an element: a difference, a sum, a multiply-add */
    const weft_fused *fused = node->fused;
    double elements = (double)weft_tensor_elements(&ir->value[fused->reference].tensor);
    cost->flops += fused->map_flops + SUM_FLOPS * fused->sums * elements;
    for (int k = node->own_inputs; k < node->inputs; k++)
        cost->bytes += value_bytes(ir, node->input[k]);
    for (int k = node->own_outputs; k < node->outputs; k++)
        cost->bytes += value_bytes(ir, node->output[k]);
}

weft_cost weft_ir_cost(const weft_ir *ir, const weft_ir_node *node, const weft_bind *bind)
{
    weft_cost cost = default_cost(ir, node);
    if (node->op->cost)
        node->op->cost(bind, &cost);
    if (node->fused)
        add_fused(ir, node, &cost);
    return cost;
}

double weft_ir_cycles(const weft_ir_node *node)
{
    /* Where no cost model says better: bytes moved, and what starting a step takes. Measured with all cores of a
     * desktop processor, whose memory moves about 4 bytes a cycle of one of them. */
    const double cycles_a_byte = 0.22, cycles_a_step = 20000;
    double memory = cycles_a_byte * node->cost.bytes;
    return (node->cycles > memory ? node->cycles : memory) + cycles_a_step;
}

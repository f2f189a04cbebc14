#include "graph/expansion.h"

#include <string.h>

weft_expansion weft_expansion_begin(weft_ir *ir, int index, const int *more, int count)
{
    weft_expansion expansion = {.ir = ir, .node = index};
    const weft_ir_node *node = &ir->node[index];
    for (int k = 0; k < node->inputs; k++)
        expansion.value[expansion.values++] = node->input[k];
    for (int k = 0; k < node->outputs; k++)
        expansion.value[expansion.values++] = node->output[k];
    for (int k = 0; k < count; k++)
        expansion.value[expansion.values++] = more[k];
    return expansion;
}

weft_status weft_expand_node(weft_expansion *expansion, const weft_expand_call *call, int *first)
{
    weft_ir *ir = expansion->ir;
    const weft_ir_node *from = &ir->node[expansion->node];
    const weft_ir_node *place = from;
    void *attributes = weft_pool_allocate(ir->keep, call->attribute_bytes + 1);
    int *operand =
        weft_pool_array(&ir->scratch, (size_t)(call->inputs + call->outputs), sizeof(int));
    if (!attributes || !operand)
        return weft_ir_out_of_memory(ir);
    if (call->early)
        place = &ir->node[ir->value[expansion->value[call->input[0]]].producer];
    if (call->attribute_bytes)
        memcpy(attributes, call->attributes, call->attribute_bytes);
    weft_ir_node node = {.op = call->op,
                         .attributes = attributes,
                         .attribute_bytes = call->attribute_bytes,
                         .name = place->name,
                         .graph_node = place->graph_node,
                         .after = from->after,
                         .inputs = call->inputs,
                         .outputs = call->outputs,
                         .own_inputs = call->inputs,
                         .own_outputs = call->outputs,
                         .input = operand,
                         .output = operand + call->inputs,
                         .in_place = call->op->in_place,
                         .workspace = -1,
                         .prepared = -1};
    for (int k = 0; k < call->inputs; k++)
        node.input[k] = expansion->value[call->input[k]];
    *first = expansion->values;
    for (int k = 0; k < call->outputs; k++) {
        int value = call->as[k] >= 0 ? expansion->value[from->inputs + call->as[k]]
                                     : weft_ir_add_value(ir, call->like[k]);
        ir->value[value].producer = ir->nodes;
        node.output[k] = value;
        expansion->value[expansion->values++] = value;
    }
    ir->node[ir->nodes++] = node;
    return WEFT_OK;
}

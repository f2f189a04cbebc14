/* Replaces nodes by simpler ones, before fusing: every node whose op has weft_fusion.expand. */
#include "graph/core_ops.h"
#include "graph/expansion.h"

enum { MOST_NODES = 3, MOST_VALUES = 16 }; /* of an expansion */

static weft_status expand(weft_ir *ir, int index)
{
    weft_tensor tensors[MOST_VALUES];
    weft_expansion expansion = weft_expansion_begin(ir, index, NULL, 0);
    int nodes = ir->nodes;
    weft_bind bind = weft_ir_operands(ir, &ir->node[index], tensors);
    weft_status status = ir->node[index].op->fusion->expand(&expansion, &bind);
    ir->node[index].gone = ir->nodes > nodes;
    return status;
}

static bool expands(const weft_ir_node *node)
{
    return !node->gone && node->op->fusion && node->op->fusion->expand;
}

weft_status weft_pass_expand(weft_ir *ir)
{
    if (ir->real != WEFT_FLOAT32)
        return WEFT_OK;
    int count = 0, nodes = ir->nodes;
    for (int i = 0; i < nodes; i++)
        count += expands(&ir->node[i]);
    weft_status status = weft_ir_reserve(ir, MOST_NODES * count, MOST_VALUES * count);
    for (int i = 0; i < nodes && status == WEFT_OK; i++)
        if (expands(&ir->node[i]))
            status = expand(ir, i);
    return status;
}

/* Which nodes of the intermediate form become steps. */
#ifndef WEFT_GRAPH_EXECUTES_H
#define WEFT_GRAPH_EXECUTES_H

#include "graph/core_ops.h"
#include "graph/ir.h"

/* True where the node is left, and computes something. */
static inline bool weft_ir_executes(const weft_ir_node *node)
{
    return !node->gone && !weft_is_leaf(node->op);
}

#endif

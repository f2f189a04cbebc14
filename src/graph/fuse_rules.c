/* Which nodes may take part in fusing. */
#include "graph/fuse.h"

#include "graph/executes.h"

bool weft_fuse_is_map(const weft_ir *ir, const weft_ir_node *node, const weft_tensor *like,
                      weft_map *map)
{
    if (!weft_ir_executes(node) || node->fused || !node->op->map || node->outputs != 1 ||
        node->op->shape_only || node->inputs > WEFT_MAP_INPUTS)
        return false;
    const weft_tensor *out = &ir->value[node->output[0]].tensor;
    if (weft_fused_shape_of(out, like ? like : out) != WEFT_FUSED_WHOLE)
        return false;
    for (int k = 0; k < node->inputs; k++)
        if (weft_fused_shape_of(&ir->value[node->input[k]].tensor, out) == WEFT_FUSED_NONE)
            return false;
    return node->op->map(node->attributes, map);
}

bool weft_fuse_is_function(const weft_ir *ir, const weft_ir_node *node, weft_map_function function,
                           weft_map *map)
{
    return weft_fuse_is_map(ir, node, NULL, map) &&
           map->row == weft_map_kernel_table()->row[function];
}

/* Whether a kernel takes part in fusing: `takes` is an entry of the op's weft_fusion. */
static bool is_kernel(const weft_ir *ir, const weft_ir_node *node,
                      bool (*takes)(const weft_bind *bind))
{
    if (!takes || node->outputs != 1 || !weft_ir_executes(node))
        return false;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    const weft_tensor *out = &bind.output[0];
    return weft_fused_shape_of(out, out) == WEFT_FUSED_WHOLE && takes(&bind);
}

bool weft_fuse_takes_epilogue(const weft_ir *ir, const weft_ir_node *node)
{
    return node->op->fusion && is_kernel(ir, node, node->op->fusion->epilogue);
}

bool weft_fuse_takes_prologue(const weft_ir *ir, const weft_ir_node *node)
{
    return node->op->fusion && is_kernel(ir, node, node->op->fusion->prologue);
}

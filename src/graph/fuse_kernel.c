/* What a kernel does by itself to the numbers that it reads and makes: the form of weft_finish. */
#include "graph/fuse.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

/* ---- What the kernel itself does ---- */

/* True where the group's first map is of this function, and alone reads what the kernel makes. */
static bool begins_with(const weft_fuser *f, const weft_fuse_group *g, weft_map_function function)
{
    const weft_fused_map *first = &g->fused.map[0];
    int raw = g->fused.raw;
    return g->fused.maps > 0 && f->uses[raw] == 1 && (first->in[0] == raw || first->in[1] == raw) &&
           first->map.row == weft_map_kernel_table()->row[function];
}

/* True where operand k of the first map takes part in this shape. */
static bool has_shape(const weft_fuser *f, const weft_fuse_group *g, int k, weft_fused_shape shape)
{
    const weft_tensor *like = &f->ir->value[g->fused.reference].tensor;
    return weft_fused_shape_of(&f->ir->value[g->fused.map[0].in[k]].tensor, like) == shape;
}

static void drop_first(weft_fuse_group *g)
{
    weft_fused *fused = &g->fused;
    fused->raw = fused->map[0].out;
    fused->maps--;
    memmove(fused->map, fused->map + 1, (size_t)fused->maps * sizeof(*fused->map));
}

bool weft_fuse_leave_to_kernel(const weft_fuser *f, weft_fuse_group *g)
{
    weft_fused *fused = &g->fused;
    const weft_fused_map *first = &fused->map[0];
    int maps = fused->maps;
    if (fused->raw < 0)
        return false;
    if (begins_with(f, g, WEFT_MAP_NORMALIZE) && first->in[0] == fused->raw &&
        has_shape(f, g, 1, WEFT_FUSED_CHANNELS) && has_shape(f, g, 2, WEFT_FUSED_CHANNELS) &&
        has_shape(f, g, 3, WEFT_FUSED_CHANNELS)) {
        fused->finish.center = first->in[1];
        fused->finish.slope = first->in[2];
        fused->finish.shift = first->in[3];
        drop_first(g);
    }
    int other = fused->maps ? first->in[0] == fused->raw : 0;
    if (begins_with(f, g, WEFT_MAP_ADD) && has_shape(f, g, other, WEFT_FUSED_WHOLE)) {
        fused->finish.addend = first->in[other];
        drop_first(g);
    }
    if (begins_with(f, g, WEFT_MAP_RELU)) {
        fused->finish.ceiling = INFINITY;
        drop_first(g);
    } else if (begins_with(f, g, WEFT_MAP_CLIPPED_RELU)) {
        fused->finish.ceiling = first->map.a;
        drop_first(g);
    }
    return fused->maps < maps;
}

/* ---- What the kernel does as it reads ---- */

/* Takes in the map that makes the value, if it is of this function and nobody else reads it; NULL if not. */
static const weft_ir_node *take_before(weft_fuser *f, weft_fuse_group *g, int value,
                                       weft_map_function function, weft_map *map)
{
    const weft_ir *ir = f->ir;
    int producer = ir->value[value].producer;
    const weft_ir_node *node = &ir->node[producer];
    if (f->uses[value] != 1 || f->owner[producer] != producer ||
        !weft_fuse_is_function(ir, node, function, map))
        return NULL;
    const weft_tensor *like = &ir->value[value].tensor;
    if (weft_fused_shape_of(&ir->value[node->input[0]].tensor, like) != WEFT_FUSED_WHOLE)
        return NULL;
    for (int k = 1; k < node->inputs; k++)
        if (weft_fused_shape_of(&ir->value[node->input[k]].tensor, like) != WEFT_FUSED_CHANNELS)
            return NULL;
    weft_tensor tensors[WEFT_MAP_INPUTS + 1];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    g->fused.map_flops += weft_ir_cost(ir, node, &bind).flops;
    g->before[g->befores++] = producer;
    return node;
}

weft_status weft_fuse_take_prologue(weft_fuser *f, weft_fuse_group *g)
{
    weft_ir *ir = f->ir;
    weft_ir_node *kernel = &g->fused.kernel;
    int read = kernel->input[0];
    weft_map map;
    const weft_ir_node *node = take_before(f, g, read, WEFT_MAP_RELU, &map);
    if (node) {
        g->fused.before.ceiling = INFINITY;
    } else if ((node = take_before(f, g, read, WEFT_MAP_CLIPPED_RELU, &map))) {
        g->fused.before.ceiling = map.a;
    }
    read = node ? node->input[0] : read;
    if ((node = take_before(f, g, read, WEFT_MAP_NORMALIZE, &map))) {
        g->fused.before.center = node->input[1];
        g->fused.before.slope = node->input[2];
        g->fused.before.shift = node->input[3];
        read = node->input[0];
    }
    if (!g->befores)
        return WEFT_OK;
    int *inputs = weft_pool_array(&ir->scratch, (size_t)kernel->inputs, sizeof(int));
    if (!inputs)
        return weft_ir_out_of_memory(ir);
    memcpy(inputs, kernel->input, (size_t)kernel->inputs * sizeof(int));
    inputs[0] = read;
    kernel->input = inputs;
    return WEFT_OK;
}

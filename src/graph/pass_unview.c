/* Takes back views that hold much more than they show for long: of a value whose parts are views, the part that is read
 * long after all others becomes a copy, and the place of the whole is free once the others are read. So it is with the
 * gradient of a concat over a long connection, as in a U-Net: one part goes down at once, the other waits for the same
 * depth on the way back. Orders are not known yet: this goes by that of creation. A copy takes time, so it is made only where
 * memory has a limit. */
#include "base/error.h"
#include "graph/lives.h"

/* A view straight of a value that fills the storage: that value; else -1. */
static int whole_of(const weft_ir *ir, int part)
{
    const weft_ir_value *value = &ir->value[part];
    const weft_ir_node *node = &ir->node[value->producer];
    if (value->storage < 0 || value->placed || value->fetched || !node->alias || !node->op->view)
        return -1;
    const weft_ir_value *whole = &ir->value[node->input[0]];
    const weft_storage *storage = &ir->storage[value->storage];
    bool fills = whole->storage == value->storage && !whole->placed &&
                 !ir->node[whole->producer].gone &&
                 (int64_t)weft_tensor_bytes(&whole->tensor) == storage->bytes;
    return fills && storage->place == WEFT_PLACE_ARENA ? node->input[0] : -1;
}

/* The last place in the graph where anything of the whole but the part is read; -1: not known, as it has views of views. */
static int last_of_others(const weft_ir *ir, const weft_lives *l, int whole, int part)
{
    int last = ir->node[ir->value[whole].producer].graph_node;
    for (int v = 0; v < ir->values; v++) {
        if (v == part || ir->value[v].storage != ir->value[whole].storage)
            continue;
        if ((v != whole && whole_of(ir, v) != whole) || ir->value[v].fetched)
            return -1;
        last = l->last[v] > last ? l->last[v] : last;
    }
    return last;
}

/* Where the copy is made up for: it takes a small part of what is computed while it waits, and frees much. */
static bool pays(const weft_ir *ir, const weft_lives *l, int whole, int part)
{
    const double most_of_whole = 0.75;
    int64_t bytes = ir->storage[ir->value[whole].storage].bytes;
    int others = last_of_others(ir, l, whole, part);
    return others >= 0 && l->last[part] >= 0 &&
           (double)weft_lives_between(l, others, l->first[part]) > weft_long_wait * (double)bytes &&
           (double)weft_tensor_bytes(&ir->value[part].tensor) < most_of_whole * (double)bytes;
}

static weft_status copy_part(weft_ir *ir, int part)
{
    int nodes = ir->nodes;
    int copy = weft_ir_append_dense_copy(ir, &ir->node[ir->value[part].producer], part);
    if (copy < 0)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < nodes; i++)
        for (int k = 0; k < ir->node[i].inputs; k++)
            if (ir->node[i].input[k] == part)
                ir->node[i].input[k] = copy;
    return WEFT_OK;
}

weft_status weft_pass_unview(weft_ir *ir)
{
    weft_lives l;
    if (!ir->options->memory_limit)
        return WEFT_OK;
    int *part = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(int)), parts = 0;
    if (!part)
        return weft_ir_out_of_memory(ir);
    WEFT_TRY(weft_lives_find(ir, &l));
    for (int v = 0; v < ir->values; v++) {
        int whole = whole_of(ir, v);
        if (whole >= 0 && pays(ir, &l, whole, v))
            part[parts++] = v;
    }
    if (parts)
        WEFT_TRY(weft_ir_reserve(ir, parts, parts));
    for (int i = 0; i < parts; i++)
        WEFT_TRY(copy_part(ir, part[i]));
    return WEFT_OK;
}

/* Common subexpressions: one node for equal op, attributes and inputs. */
#include "graph/core_ops.h"
#include "graph/ir.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static bool may_merge(const weft_ir_node *node)
{
    return !node->gone && node->op != &weft_input_op && node->op != &weft_variable_op &&
           !(node->op->flags & WEFT_OP_RANDOM) && !node->op->writes && node->outputs > 0;
}

/* Shapes of shape-only inputs are part of a computation, their values are not; hashing the value is
 * stricter, never wrong. */
static uint64_t hash_node(const weft_ir_node *node)
{
    uint64_t hash = XXH3_64bits(&node->op, sizeof(node->op));
    hash = XXH3_64bits_withSeed(node->attributes, node->attribute_bytes, hash);
    return XXH3_64bits_withSeed(node->input, (size_t)node->inputs * sizeof(int), hash);
}

static bool same_node(const weft_ir_node *a, const weft_ir_node *b)
{
    return a->op == b->op && a->attribute_bytes == b->attribute_bytes && a->inputs == b->inputs &&
           a->outputs == b->outputs && a->after == b->after &&
           (a->attribute_bytes == 0 ||
            memcmp(a->attributes, b->attributes, a->attribute_bytes) == 0) &&
           (a->inputs == 0 || memcmp(a->input, b->input, (size_t)a->inputs * sizeof(int)) == 0);
}

weft_status weft_pass_cse(weft_ir *ir)
{
    size_t capacity = 64;
    while (capacity < 2 * (size_t)ir->nodes)
        capacity *= 2;
    int *table = weft_pool_array(&ir->scratch, capacity, sizeof(int)); /* node + 1 */
    if (!table)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        for (int k = 0; k < node->inputs; k++)
            node->input[k] = weft_ir_resolve(ir, node->input[k]);
        if (!may_merge(node))
            continue;
        size_t at = hash_node(node) & (capacity - 1);
        while (table[at] && !same_node(&ir->node[table[at] - 1], node))
            at = (at + 1) & (capacity - 1);
        if (!table[at]) {
            table[at] = i + 1;
            continue;
        }
        for (int k = 0; k < node->outputs; k++)
            ir->forward[node->output[k]] = ir->node[table[at] - 1].output[k];
    }
    weft_ir_prune(ir);
    return WEFT_OK;
}

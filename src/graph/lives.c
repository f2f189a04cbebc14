#include "graph/lives.h"

#include "graph/node.h"

weft_status weft_lives_find(weft_ir *ir, weft_lives *l)
{
    int32_t places = ir->graph->nodes + 1;
    l->first = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(int));
    l->last = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(int));
    l->made = weft_pool_array(&ir->scratch, (size_t)places, sizeof(int64_t));
    if (!l->first || !l->last || !l->made)
        return weft_ir_out_of_memory(ir);
    for (int v = 0; v < ir->values; v++) {
        l->first[v] = places;
        l->last[v] = -1;
    }
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        int place = node->graph_node;
        for (int k = 0; k < node->inputs && !node->gone; k++) {
            int v = node->input[k];
            if (!weft_ir_reads(node, k))
                continue;
            l->first[v] = place < l->first[v] ? place : l->first[v];
            l->last[v] = place > l->last[v] ? place : l->last[v];
        }
        for (int k = 0; k < node->outputs && !node->gone; k++)
            l->made[place] += (int64_t)weft_tensor_bytes(&ir->value[node->output[k]].tensor);
    }
    for (int32_t place = 1; place < places; place++)
        l->made[place] += l->made[place - 1];
    return WEFT_OK;
}

int64_t weft_lives_between(const weft_lives *l, int from, int to)
{
    return to > from ? l->made[to - 1] - l->made[from] : 0;
}

/* What depends on variables and constants alone is the same in each run until the state changes: such nodes
 * are hoisted, to run first and only then, and what others read of them is kept. In a program that changes
 * variables itself nothing is. Which inputs are steady is found also where nothing is to be hoisted, since
 * kernels may choose by it: the pass does not change a bit. */
#include "base/error.h"
#include "graph/executes.h"
#include "graph/ir.h"

/* A larger result that is larger than what it is made of (a fill, a broadcast) is cheaper to make than to
 * keep. */
enum { MOST_BYTES = 64 * 1024 };

static bool reads_steady(const weft_ir *ir, const bool *steady, const weft_ir_node *node, int input)
{
    return weft_ir_reads(node, input) && steady[ir->value[node->input[input]].storage];
}

static bool worth_keeping(const weft_ir *ir, const weft_ir_node *node)
{
    int64_t read = 0, made = 0;
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k))
            read += ir->storage[ir->value[node->input[k]].storage].bytes;
    for (int k = 0; k < node->outputs; k++)
        made += ir->storage[ir->value[node->output[k]].storage].bytes;
    return made <= read || made <= MOST_BYTES;
}

/* Given which storages are steady: all that it reads, and all that shares its outputs' storages. */
static bool is_steady(const weft_ir *ir, const bool *steady, const weft_ir_node *node)
{
    if (node->op->flags & WEFT_OP_RANDOM || !worth_keeping(ir, node))
        return false;
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && !reads_steady(ir, steady, node, k))
            return false;
    for (int k = 0; k < node->outputs; k++)
        if (!steady[ir->value[node->output[k]].storage])
            return false;
    return true;
}

/* Starts from all storages but feeds, and takes out what cannot be, until nothing changes: values share
 * storages, through views and concats, so that what is made last may decide about what is made first. */
static void find_steady(const weft_ir *ir, bool *steady)
{
    for (int s = 0; s < ir->storages; s++)
        steady[s] = ir->storage[s].place != WEFT_PLACE_FEED;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < ir->nodes; i++) {
            const weft_ir_node *node = &ir->node[i];
            if (!weft_ir_executes(node) || is_steady(ir, steady, node))
                continue;
            for (int k = 0; k < node->outputs; k++) {
                bool *output = &steady[ir->value[node->output[k]].storage];
                changed |= *output;
                *output = false;
            }
        }
    }
}

static void hoist(weft_ir *ir, const bool *steady)
{
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        node->hoisted = weft_ir_executes(node) && is_steady(ir, steady, node);
    }
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; weft_ir_executes(node) && !node->hoisted && k < node->inputs; k++) {
            weft_storage *storage = &ir->storage[ir->value[node->input[k]].storage];
            if (reads_steady(ir, steady, node, k) && storage->place == WEFT_PLACE_ARENA)
                storage->kept = true;
        }
    }
    for (int v = 0; v < ir->values; v++) {
        int storage = ir->value[v].storage;
        if (ir->value[v].fetched && storage >= 0 && steady[storage] &&
            ir->storage[storage].place == WEFT_PLACE_ARENA)
            ir->storage[storage].kept = true;
    }
}

weft_status weft_pass_hoist(weft_ir *ir)
{
    if (weft_ir_writes_variables(ir))
        return WEFT_OK;
    bool *steady = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(bool));
    if (!steady)
        return weft_ir_out_of_memory(ir);
    find_steady(ir, steady);
    for (int i = 0; i < ir->nodes; i++) {
        weft_ir_node *node = &ir->node[i];
        for (int k = 0; weft_ir_executes(node) && k < node->inputs && k < 32; k++)
            if (reads_steady(ir, steady, node, k))
                node->steady |= WEFT_INPUT(k);
    }
    if (!(ir->options->without & 1u << WEFT_PASS_HOIST))
        hoist(ir, steady);
    return WEFT_OK;
}

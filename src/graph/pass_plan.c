/* The memory plan: which storages outputs may take over from dying inputs, how long each storage lives,
 * and where in the arena it lies. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/core_ops.h"
#include "graph/ir.h"
#include "graph/pack.h"

#include <string.h>

static bool in_arena(const weft_ir *ir, int storage)
{
    return storage >= 0 && ir->storage[storage].place == WEFT_PLACE_ARENA;
}

static void touch(weft_ir *ir, int storage, int step)
{
    if (storage < 0)
        return;
    weft_storage *s = &ir->storage[storage];
    if (!s->used)
        s->first = step;
    s->used = true;
    s->last = step;
}

/* First and last step of every storage; those fetched or kept live to the end. */
static void find_lifetimes(weft_ir *ir)
{
    for (int i = 0; i < ir->storages; i++)
        ir->storage[i].used = false;
    for (int step = 0; step < ir->steps; step++) {
        const weft_ir_node *node = &ir->node[ir->order[step]];
        for (int k = 0; k < node->outputs; k++)
            touch(ir, ir->value[node->output[k]].storage, step);
        for (int k = 0; k < node->inputs; k++)
            if (weft_ir_reads(node, k))
                touch(ir, ir->value[node->input[k]].storage, step);
        touch(ir, node->workspace, step);
        touch(ir, node->prepared, step);
    }
    for (int i = 0; i < ir->storages; i++)
        if (ir->storage[i].used && weft_storage_stays(&ir->storage[i]))
            touch(ir, i, ir->steps);
    for (int v = 0; v < ir->values; v++)
        if (ir->value[v].fetched)
            touch(ir, ir->value[v].storage, ir->steps);
}

/* ---- In place ---- */

bool weft_ir_fits_over(const weft_ir *ir, const weft_ir_node *node, int k)
{
    const weft_ir_value *x = &ir->value[node->input[k]], *y = &ir->value[node->output[0]];
    if (!in_arena(ir, x->storage) || !weft_ir_same_layout(&x->tensor, &y->tensor) ||
        x->offset != 0 || y->offset != 0 ||
        ir->storage[x->storage].bytes != ir->storage[y->storage].bytes)
        return false;
    for (int j = 0; j < node->inputs; j++) {
        const weft_ir_value *other = &ir->value[node->input[j]];
        if (j != k && weft_ir_reads(node, j) && other->storage == x->storage &&
            (other->offset != x->offset || !weft_ir_same_layout(&other->tensor, &x->tensor) ||
             !(j < 32 && node->in_place & WEFT_INPUT(j))))
            return false;
    }
    for (int j = 1; j < node->outputs; j++)
        if (ir->value[node->output[j]].storage == x->storage)
            return false;
    return true;
}

/* True where input k, which fits, dies at this step. */
static bool may_overwrite(const weft_ir *ir, const weft_ir_node *node, int k, int step)
{
    int storage = ir->value[node->input[k]].storage;
    return in_arena(ir, storage) && ir->storage[storage].last == step &&
           ir->storage[storage].first < step && weft_ir_fits_over(ir, node, k);
}

static void take_over(weft_ir *ir, int from, int to)
{
    for (int v = 0; v < ir->values; v++)
        if (ir->value[v].storage == from)
            ir->value[v].storage = to;
    if (ir->storage[from].last > ir->storage[to].last)
        ir->storage[to].last = ir->storage[from].last;
    ir->storage[to].kept |= ir->storage[from].kept;
    ir->storage[to].lasting |= ir->storage[from].lasting;
    ir->storage[from].used = false;
}

static void place_outputs_over_inputs(weft_ir *ir)
{
    for (int step = 0; step < ir->steps; step++) {
        const weft_ir_node *node = &ir->node[ir->order[step]];
        if (!node->in_place || !node->outputs || node->op->writes)
            continue;
        int output = ir->value[node->output[0]].storage;
        if (!in_arena(ir, output) || ir->storage[output].first != step)
            continue;
        for (int k = 0; k < node->inputs && k < 32; k++)
            if (node->in_place & WEFT_INPUT(k) && weft_ir_reads(node, k) &&
                may_overwrite(ir, node, k, step)) {
                take_over(ir, output, ir->value[node->input[k]].storage);
                break;
            }
    }
}

/* ---- Offsets ---- */

/* What stays lies at the start of the arena, side by side: what is kept, then what lasts for a run. */
static void place_what_stays(weft_ir *ir)
{
    for (int lasting = 0; lasting < 2; lasting++)
        for (int i = 0; i < ir->storages; i++) {
            weft_storage *s = &ir->storage[i];
            int64_t *bytes = lasting ? &ir->lasting_bytes : &ir->kept_bytes;
            if (!s->used || !weft_storage_stays(s) || s->kept == lasting)
                continue;
            s->first = 0;
            s->offset = ir->kept_bytes + ir->lasting_bytes;
            *bytes += weft_aligned(s->bytes);
        }
}

weft_status weft_pass_plan(weft_ir *ir)
{
    find_lifetimes(ir);
    if (!(ir->options->without & 1u << WEFT_PASS_IN_PLACE))
        place_outputs_over_inputs(ir);
    place_what_stays(ir);
    int *source = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(int));
    weft_interval *interval =
        weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(*interval));
    if (!source || !interval)
        return weft_ir_out_of_memory(ir);
    int count = 0;
    for (int i = 0; i < ir->storages; i++) {
        const weft_storage *s = &ir->storage[i];
        if (!s->used || weft_storage_stays(s) || s->place != WEFT_PLACE_ARENA)
            continue;
        source[count] = i;
        interval[count++] = (weft_interval){.first = s->first, .last = s->last, .bytes = s->bytes};
    }
    weft_packing packing;
    if (!weft_pack(ir->scratch.context, interval, count,
                   ir->options->without & 1u << WEFT_PASS_REUSE, &packing))
        return weft_ir_out_of_memory(ir);
    int64_t stays = ir->kept_bytes + ir->lasting_bytes;
    for (int i = 0; i < count; i++)
        ir->storage[source[i]].offset = stays + interval[i].offset;
    ir->arena_bytes = stays + packing.bytes;
    ir->bound_bytes = stays + packing.bound;
    return WEFT_OK;
}

/* Does without a concat over a long connection, as in a U-Net, in programs that differentiate: convolutions of it become
 * sums of convolutions of its parts. The concat would hold the part that is made late from the moment on when the early
 * one is, and both for the backward pass, though the early one is kept or made again for others anyway. Likewise a
 * gradient of which one part goes on at once and another waits is made in parts. Sums are rounded differently, so it is
 * done whatever limit memory has: that no bit changes with a limit. */
#include "base/error.h"
#include "graph/core_ops.h"
#include "graph/expansion.h"
#include "graph/lives.h"
#include "graph/node.h"

enum { MOST_PARTS = WEFT_EXPAND_OPERANDS, MOST_OPERANDS = 64 };

/* A node, of which one operand is these values one after the other along the last axis. */
typedef struct site {
    int node;
    int other; /* node that joins them, or cuts the operand into them; it is not needed any more */
    int parts, part[MOST_PARTS];
} site;

typedef struct sites {
    weft_ir *ir;
    weft_lives lives;
    site *site;
    int count;
} sites;

/* ---- Parts along the last axis ---- */

/* True where the part begins after so many channels of the whole, which it is added to. */
static bool follows(const weft_tensor *part, const weft_tensor *whole, int64_t offset,
                    int64_t *channels)
{
    bool fits = part->rank == whole->rank && part->rank > 1 && offset == *channels;
    for (int d = 0; d < whole->rank - 1; d++)
        fits = fits && part->extent[d] == whole->extent[d];
    *channels += part->extent[part->rank - 1];
    return fits;
}

static bool has_room(const weft_ir_node *node, int parts)
{
    return parts >= 2 && parts <= MOST_PARTS && node->inputs + node->outputs <= MOST_OPERANDS;
}

/* True where the node puts its inputs side by side. */
static bool joins(const weft_ir *ir, const weft_ir_node *node, site *s)
{
    weft_tensor tensors[MOST_OPERANDS];
    int64_t channels = 0;
    if (node->gone || !node->op->place || node->outputs != 1 || !has_room(node, node->inputs))
        return false;
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    for (int k = 0; k < node->inputs; k++) {
        weft_tensor view = bind.input[k];
        int64_t offset;
        if (!node->op->place(&bind, k, &view, &offset) ||
            !follows(&bind.input[k], &bind.output[0], offset, &channels))
            return false;
        s->part[k] = node->input[k];
    }
    s->parts = node->inputs;
    return true;
}

/* True where the outputs of the node are all of its first input, side by side. */
static bool cuts(const weft_ir *ir, const weft_ir_node *node, site *s)
{
    weft_tensor tensors[MOST_OPERANDS];
    int64_t channels = 0;
    if (node->gone || !node->op->view || !has_room(node, node->outputs))
        return false;
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    for (int k = 0; k < node->outputs; k++) {
        weft_tensor view = bind.output[k];
        int64_t offset;
        if (!node->op->view(&bind, k, &view, &offset) ||
            !follows(&bind.output[k], &bind.input[0], offset, &channels))
            return false;
        s->part[k] = node->output[k];
    }
    s->parts = node->outputs;
    return channels == bind.input[0].extent[bind.input[0].rank - 1];
}

/* ---- Readers ---- */

/* True where the node takes that operand (inputs, then outputs) in parts. */
static bool takes_parts(const weft_ir *ir, const weft_ir_node *node, int operand)
{
    weft_tensor tensors[MOST_OPERANDS];
    if (node->gone || !node->op->fusion || !node->op->fusion->in_parts ||
        node->inputs + node->outputs > MOST_OPERANDS)
        return false;
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    return node->op->fusion->in_parts(&bind) == operand;
}

static bool all_readers_take_parts(const weft_ir *ir, int value)
{
    for (int i = 0; i < ir->nodes; i++) {
        int input, reads = ir->node[i].gone ? 0 : weft_ir_count_reads(&ir->node[i], value, &input);
        if (reads > 1 || (reads == 1 && !takes_parts(ir, &ir->node[i], input)))
            return false;
    }
    return true;
}

/* The node that alone reads the value, once; -1: there is none. */
static int sole_reader(const weft_ir *ir, int value)
{
    int reader = -1, input;
    for (int i = 0; i < ir->nodes; i++) {
        int reads = ir->node[i].gone ? 0 : weft_ir_count_reads(&ir->node[i], value, &input);
        if (reads > 1 || (reads == 1 && reader >= 0))
            return -1;
        if (reads == 1)
            reader = i;
    }
    return reader;
}

/* ---- Long connections ---- */

static double bytes_of(const weft_ir *ir, int value)
{
    return (double)weft_tensor_bytes(&ir->value[value].tensor);
}

/* One of the parts was made long before the value, which the backward pass reads again. */
static bool connects(const sites *all, int value, const site *s)
{
    const weft_ir *ir = all->ir;
    const weft_lives *l = &all->lives;
    double wait = weft_long_wait * bytes_of(ir, value);
    bool early = false;
    for (int k = 0; k < s->parts; k++) {
        const weft_ir_node *maker = &ir->node[ir->value[s->part[k]].producer];
        early |= !weft_is_leaf(maker->op) &&
                 (double)weft_lives_between(l, maker->graph_node, l->first[value]) > wait;
    }
    return early && l->last[value] >= 0 && weft_node_get(ir->graph, l->last[value])->backward;
}

/* One of the parts is read long after all the others. */
static bool waits(const sites *all, int value, const site *s)
{
    const weft_lives *l = &all->lives;
    double wait = weft_long_wait * bytes_of(all->ir, value);
    for (int k = 0; k < s->parts; k++) {
        int others = l->last[value];
        for (int j = 0; j < s->parts; j++)
            others = j != k && l->last[s->part[j]] > others ? l->last[s->part[j]] : others;
        if (l->last[s->part[k]] >= 0 &&
            (double)weft_lives_between(l, others, l->first[s->part[k]]) > wait)
            return true;
    }
    return false;
}

/* ---- Finding and replacing ---- */

static void add_readers(sites *all, int value, site *s)
{
    int input;
    for (int i = 0; i < all->ir->nodes; i++)
        if (!all->ir->node[i].gone && weft_ir_count_reads(&all->ir->node[i], value, &input)) {
            s->node = i;
            all->site[all->count++] = *s;
        }
}

static void find(sites *all, int index)
{
    const weft_ir *ir = all->ir;
    const weft_ir_node *node = &ir->node[index];
    site s = {.node = index, .other = index};
    if (node->outputs != 1 || ir->value[node->output[0]].fetched)
        return;
    int value = node->output[0];
    if (joins(ir, node, &s)) {
        if (connects(all, value, &s) && all_readers_take_parts(ir, value))
            add_readers(all, value, &s);
    } else if (takes_parts(ir, node, node->inputs)) {
        s.other = sole_reader(ir, value);
        if (s.other >= 0 && cuts(ir, &ir->node[s.other], &s) && waits(all, value, &s))
            all->site[all->count++] = s;
    }
}

static weft_status replace(weft_ir *ir, const site *s)
{
    weft_tensor tensors[MOST_OPERANDS], part[MOST_PARTS];
    weft_expansion expansion = weft_expansion_begin(ir, s->node, s->part, s->parts);
    const weft_ir_node *node = &ir->node[s->node];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    for (int k = 0; k < s->parts; k++)
        part[k] = ir->value[s->part[k]].tensor;
    WEFT_TRY(node->op->fusion->distribute(&expansion, &bind, node->inputs + node->outputs, s->parts,
                                          part));
    ir->node[s->node].gone = ir->node[s->other].gone = true;
    return WEFT_OK;
}

weft_status weft_pass_distribute(weft_ir *ir)
{
    enum { NODES_A_PART = 3 };
    sites all = {.ir = ir,
                 .site = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(*all.site))};
    if (!all.site)
        return weft_ir_out_of_memory(ir);
    WEFT_TRY(weft_lives_find(ir, &all.lives));
    for (int i = 0; i < ir->nodes; i++)
        find(&all, i);
    if (all.count == 0)
        return WEFT_OK;
    int more = NODES_A_PART * MOST_PARTS * all.count;
    WEFT_TRY(weft_ir_reserve(ir, more, more));
    for (int i = 0; i < all.count; i++)
        WEFT_TRY(replace(ir, &all.site[i]));
    return WEFT_OK;
}

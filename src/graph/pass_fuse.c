/* Puts elementwise maps, and sums of channels, into the kernel that makes what they read, or into one
 * loop over memory where there is no such kernel. Some nodes were replaced by simpler ones that fuse
 * with their neighbours (a batch normalization by its coefficients, from sums, and a map). Every
 * kernel that takes an epilogue, and after them every map, is the head of a group, which grows along what
 * reads its last result. */
#include "graph/fuse.h"

#include "base/error.h"
#include "graph/core_ops.h"
#include "graph/executes.h"

#include <stdio.h>
#include <string.h>

static weft_status begin(weft_fuser *f)
{
    weft_ir *ir = f->ir;
    size_t reads = 0, entry = 0, nodes = (size_t)ir->nodes, values = (size_t)ir->values;
    for (int i = 0; i < ir->nodes; i++)
        reads += (size_t)ir->node[i].inputs;
    f->readers.first = weft_pool_array(&ir->scratch, values, sizeof(int));
    f->readers.next = weft_pool_array(&ir->scratch, reads, sizeof(int));
    f->readers.node = weft_pool_array(&ir->scratch, reads, sizeof(int));
    f->uses = weft_pool_array(&ir->scratch, values, sizeof(int));
    f->owner = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    f->stamp = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    f->stored = weft_pool_array(&ir->scratch, values, sizeof(bool));
    f->order = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    if (!f->readers.first || !f->readers.next || !f->readers.node || !f->uses || !f->owner ||
        !f->stamp || !f->stored || !f->order)
        return weft_ir_out_of_memory(ir);
    memset(f->readers.first, -1, values * sizeof(int));
    for (int i = ir->nodes - 1; i >= 0; i--) {
        const weft_ir_node *node = &ir->node[i];
        f->owner[i] = i;
        for (int k = 0; (weft_ir_executes(node) || node->alias) && k < node->inputs; k++) {
            if (!weft_ir_reads(node, k))
                continue;
            int value = node->input[k];
            f->uses[value]++;
            f->readers.node[entry] = i;
            f->readers.next[entry] = f->readers.first[value];
            f->readers.first[value] = (int)entry++;
        }
    }
    for (int v = 0; v < ir->values; v++)
        f->uses[v] += ir->value[v].fetched;
    return WEFT_OK;
}

/* ---- Dependencies ---- */

static bool is_member(const weft_fuse_group *g, int node)
{
    for (int i = 0; i < g->members; i++)
        if (g->member[i] == node)
            return true;
    return false;
}

static bool depends_on_node(weft_fuser *f, const weft_fuse_group *g, int node);

static bool depends_on_value(weft_fuser *f, const weft_fuse_group *g, int value)
{
    return depends_on_node(f, g, f->owner[f->ir->value[value].producer]);
}

/* An update comes after all that read what the variable held before. */
static bool update_depends(weft_fuser *f, const weft_fuse_group *g, const weft_ir_node *update)
{
    const weft_ir *ir = f->ir;
    for (int k = 0; k < update->inputs; k++)
        for (int i = 0; weft_ir_writes(update, k) && i < ir->nodes; i++)
            for (int j = 0; weft_ir_executes(&ir->node[i]) && j < ir->node[i].inputs; j++)
                if (ir->value[ir->node[i].input[j]].storage ==
                        ir->value[update->input[k]].storage &&
                    depends_on_node(f, g, f->owner[i]))
                    return true;
    return false;
}

/* True where the node reads, through any others, what a member of the group makes, or is a member. */
static bool depends_on_node(weft_fuser *f, const weft_fuse_group *g, int node)
{
    if (is_member(g, node))
        return true;
    if (f->stamp[node] == f->stamps)
        return false;
    f->stamp[node] = f->stamps;
    const weft_ir_node *n = &f->ir->node[node];
    for (int k = 0; k < n->inputs; k++)
        if (weft_ir_reads(n, k) && depends_on_value(f, g, n->input[k]))
            return true;
    return n->op->writes && weft_ir_executes(n) && update_depends(f, g, n);
}

/* True where the value is there before the group runs. */
static bool is_ready(weft_fuser *f, const weft_fuse_group *g, int value)
{
    f->stamps++;
    return !depends_on_value(f, g, value);
}

static bool made_by(const weft_fuse_group *g, int value)
{
    if (value == g->fused.raw)
        return true;
    for (int i = 0; i < g->fused.maps; i++)
        if (g->fused.map[i].out == value)
            return true;
    return false;
}

/* ---- Growing ---- */

/* Uses of a value by nodes that are not of the group. */
static int uses_outside(const weft_fuser *f, const weft_fuse_group *g, int value)
{
    int uses = f->uses[value];
    for (int i = 0; i < g->members; i++) {
        const weft_ir_node *node = &f->ir->node[g->member[i]];
        for (int k = 0; k < node->inputs; k++)
            uses -= weft_ir_reads(node, k) && node->input[k] == value;
    }
    return uses;
}

/* Lays the group out as a node; false where it does not fit. */
static bool lay_out(weft_fuser *f, const weft_fuse_group *g, weft_ir_node *node,
                    weft_epilogue *epilogue)
{
    if (g->fused.raw >= 0)
        f->stored[g->fused.raw] = uses_outside(f, g, g->fused.raw) > 0;
    for (int i = 0; i < g->fused.maps; i++) {
        int value = g->fused.map[i].out;
        f->stored[value] = uses_outside(f, g, value) > 0;
    }
    return weft_fused_lay_out(f->ir, &g->fused, f->stored, node, epilogue);
}

static bool fits(weft_fuser *f, const weft_fuse_group *g)
{
    int operands[2][WEFT_FUSED_OPERANDS];
    weft_ir_node node = {.input = operands[0], .output = operands[1]};
    weft_epilogue epilogue;
    return g->fused.maps <= WEFT_EPILOGUE_MAPS && lay_out(f, g, &node, &epilogue);
}

static void append_map(const weft_ir *ir, weft_fuse_group *g, int index, const weft_map *map)
{
    const weft_ir_node *node = &ir->node[index];
    weft_tensor tensors[WEFT_MAP_INPUTS + 1];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    weft_fused_map *to = &g->fused.map[g->fused.maps++];
    *to = (weft_fused_map){.map = *map, .inputs = node->inputs, .out = node->output[0]};
    memcpy(to->in, node->input, (size_t)node->inputs * sizeof(int));
    g->fused.map_flops += weft_ir_cost(ir, node, &bind).flops;
    g->member[g->members++] = index;
    g->tail = node->output[0];
}

/* True where another kernel makes an input that only this map reads, and will take the map in itself. */
static bool is_of_other_kernel(weft_fuser *f, const weft_ir_node *map)
{
    const weft_ir *ir = f->ir;
    for (int k = 0; k < map->inputs; k++) {
        int value = map->input[k], producer = f->owner[ir->value[value].producer];
        if (f->uses[value] != 1 || ir->node[producer].fused ||
            !weft_fuse_takes_epilogue(ir, &ir->node[producer]))
            continue;
        const weft_fuse_group other = {.member = {producer}, .members = 1};
        bool ready = true;
        for (int j = 0; j < map->inputs && ready; j++)
            ready = j == k || is_ready(f, &other, map->input[j]);
        if (ready)
            return true;
    }
    return false;
}

/* Takes in a map all of whose inputs are of the group, ready, or themselves made by maps that nobody else
 * reads, which are taken in first. The group is as before where that fails. */
static bool take_map(weft_fuser *f, weft_fuse_group *g, int index, int depth)
{
    enum { MOST_DEPTH = 3 };
    const weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[index];
    weft_map map;
    weft_fuse_group before = *g;
    if (is_member(g, index) || g->fused.maps == WEFT_EPILOGUE_MAPS ||
        node->after != ir->node[g->head].after ||
        !weft_fuse_is_map(ir, node, &ir->value[g->fused.reference].tensor, &map))
        return false;
    for (int k = 0; k < node->inputs; k++) {
        int value = node->input[k], producer = f->owner[ir->value[value].producer];
        if (made_by(g, value))
            continue;
        bool only = f->uses[value] == 1 && depth < MOST_DEPTH &&
                    !(g->fused.kernel.op && is_of_other_kernel(f, &ir->node[producer])) &&
                    take_map(f, g, producer, depth + 1);
        if (!only && !is_ready(f, g, value)) {
            *g = before;
            return false;
        }
    }
    if (g->fused.maps < WEFT_EPILOGUE_MAPS) {
        append_map(ir, g, index, &map);
        if (fits(f, g))
            return true;
    }
    *g = before;
    return false;
}

static bool is_reduction(const weft_ir *ir, const weft_ir_node *node, weft_reduction *reduction)
{
    if (!weft_ir_executes(node) || node->fused || !node->op->fusion || !node->op->fusion->reduce)
        return false;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    return node->op->fusion->reduce(&bind, reduction);
}

/* Takes in a node that is computed from sums of what the group makes. */
static bool take_sums(weft_fuser *f, weft_fuse_group *g, int index)
{
    const weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[index];
    const weft_tensor *like = &ir->value[g->fused.reference].tensor;
    weft_fused_sums *sums = &g->fused.sum[g->fused.sums];
    if (is_member(g, index) || g->fused.sums == WEFT_EPILOGUE_SUMS ||
        node->after != ir->node[g->head].after || !is_reduction(ir, node, &sums->reduction))
        return false;
    for (int k = 0; k < WEFT_CHANNEL_OPERANDS; k++) {
        int value = node->input[sums->reduction.input[k]];
        if (weft_fused_shape_of(&ir->value[value].tensor, like) < WEFT_FUSED_WHOLE ||
            weft_fused_shape_of(&ir->value[value].tensor, like) > WEFT_FUSED_CHANNELS)
            return false;
    }
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && !made_by(g, node->input[k]) &&
            !is_ready(f, g, node->input[k]))
            return false;
    sums->node = *node;
    g->fused.sums++;
    g->member[g->members++] = index;
    if (fits(f, g))
        return true;
    g->fused.sums--;
    g->members--;
    return false;
}

static void grow(weft_fuser *f, weft_fuse_group *g)
{
    const weft_readers *r = &f->readers;
    for (bool more = true; more;) {
        more = false;
        int tail = g->tail;
        for (int e = r->first[tail]; e >= 0 && !more; e = r->next[e])
            more = take_map(f, g, f->owner[r->node[e]], 0);
        if (!more)
            for (int e = r->first[tail]; e >= 0; e = r->next[e])
                take_sums(f, g, f->owner[r->node[e]]);
    }
}

/* ---- Making one node of a group ---- */

/* Node i of those that the group stands for, in the order in which they are computed. */
static const weft_ir_node *part_of(const weft_ir *ir, const weft_fuse_group *g, int i)
{
    return &ir->node[i < g->befores ? g->before[g->befores - 1 - i] : g->member[i - g->befores]];
}

/* "convolution + normalize + relu"; of neighbours of one op "2 normalize". Lives as long as the program. */
static char *write_label(weft_ir *ir, const weft_fuse_group *g)
{
    enum { SIZE = 128 };
    int parts = g->befores + g->members;
    char *label = weft_pool_allocate(ir->keep, SIZE);
    for (int i = 0, at = 0, times; label && i < parts && at < SIZE; i += times) {
        const weft_op *op = part_of(ir, g, i)->op;
        char count[16] = "";
        for (times = 1; i + times < parts && part_of(ir, g, i + times)->op == op;)
            times++;
        if (times > 1)
            snprintf(count, sizeof(count), "%d ", times);
        at += snprintf(label + at, (size_t)(SIZE - at), "%s%s%s", i ? " + " : "", count, op->name);
    }
    return label;
}

static weft_status finish(weft_fuser *f, weft_fuse_group *g)
{
    weft_ir *ir = f->ir;
    weft_fused *fused = weft_pool_allocate(&ir->scratch, sizeof(*fused));
    weft_epilogue *epilogue = weft_pool_allocate(ir->keep, sizeof(*epilogue));
    int *operands = weft_pool_array(&ir->scratch, 2 * (size_t)WEFT_FUSED_OPERANDS, sizeof(int));
    weft_ir_node node = ir->node[g->head];
    node.label = write_label(ir, g);
    if (!fused || !epilogue || !operands || !node.label)
        return weft_ir_out_of_memory(ir);
    node.input = operands;
    node.output = operands + WEFT_FUSED_OPERANDS;
    if (!g->fused.kernel.op)
        node.op = &weft_maps_op;
    weft_fuse_group with = *g;
    bool less = weft_fuse_leave_to_kernel(f, &with) && lay_out(f, &with, &node, epilogue);
    *fused = less ? with.fused : g->fused;
    fused->epilogue = epilogue;
    if (!less && !lay_out(f, g, &node, epilogue))
        return weft_error_set(ir->error, WEFT_ERROR_INTERNAL, "fuse: \"%s\" does not fit",
                              node.name);
    node.fused = fused;
    if (g->befores) {
        fused->prologue = weft_pool_allocate(ir->keep, sizeof(*fused->prologue));
        if (!fused->prologue)
            return weft_ir_out_of_memory(ir);
        *fused->prologue = weft_fused_slots(&fused->before, &node);
    }
    for (int i = 0; i < g->members + g->befores; i++) {
        int index = i < g->members ? g->member[i] : g->before[i - g->members];
        ir->node[index].gone = true;
        f->owner[index] = g->head;
    }
    ir->node[g->head] = node;
    for (int k = 0; k < node.outputs; k++)
        ir->value[node.output[k]].producer = g->head;
    return WEFT_OK;
}

static weft_status fuse_from(weft_fuser *f, int head, bool kernel)
{
    weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[head];
    const weft_fused_finish nothing = {.center = -1, .slope = -1, .shift = -1, .addend = -1};
    weft_fuse_group g = {.head = head, .fused = {.raw = -1, .finish = nothing, .before = nothing}};
    if (kernel) {
        g.fused.kernel = *node;
        g.fused.raw = g.fused.reference = g.tail = node->output[0];
        g.member[g.members++] = head;
        if (weft_fuse_takes_prologue(ir, node))
            WEFT_TRY(weft_fuse_take_prologue(f, &g));
    } else {
        weft_reduction reduction;
        weft_map map;
        if (weft_fuse_is_map(ir, node, NULL, &map)) {
            g.fused.reference = node->output[0];
            if (!take_map(f, &g, head, 0))
                return WEFT_OK;
        } else if (is_reduction(ir, node, &reduction)) {
            g.fused.reference = node->input[reduction.input[0]];
            g.tail = g.fused.reference;
            take_sums(f, &g, head);
            return g.members ? finish(f, &g) : WEFT_OK;
        } else {
            return WEFT_OK;
        }
    }
    if (!kernel || weft_fuse_takes_epilogue(ir, node))
        grow(f, &g);
    /* A map alone has a kernel of its own. */
    bool worth = g.members > 1 || g.befores > 0 || (!kernel && g.fused.sums > 0);
    return worth ? finish(f, &g) : WEFT_OK;
}

weft_status weft_pass_fuse(weft_ir *ir)
{
    if (ir->real != WEFT_FLOAT32)
        return WEFT_OK;
    weft_fuser f = {.ir = ir};
    WEFT_TRY(begin(&f));
    WEFT_TRY(weft_ir_sort(ir, f.order));
    for (int i = 0; i < ir->nodes; i++)
        if (weft_fuse_takes_epilogue(ir, &ir->node[f.order[i]]) ||
            weft_fuse_takes_prologue(ir, &ir->node[f.order[i]]))
            WEFT_TRY(fuse_from(&f, f.order[i], true));
    for (int i = 0; i < ir->nodes; i++)
        if (weft_ir_executes(&ir->node[f.order[i]]) && !ir->node[f.order[i]].fused)
            WEFT_TRY(fuse_from(&f, f.order[i], false));
    return WEFT_OK;
}

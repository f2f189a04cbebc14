/* Puts elementwise maps, and sums of channels, into the kernel that makes what they read, or into one
 * loop over memory where there is no such kernel. First some nodes are replaced by simpler ones that fuse
 * with their neighbours (a batch normalization by its coefficients, from sums, and a map). Then every
 * kernel that takes an epilogue, and after them every map, is the head of a group, which grows along what
 * reads its last result. */
#include "graph/fused.h"

#include "base/error.h"
#include "graph/core_ops.h"
#include "graph/expand.h"
#include "kernels/map.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The nodes that read values, as lists: entry e is of node[e], next in next[e]. */
typedef struct readers {
    int *first, *next, *node;
} readers;

typedef struct fuser {
    weft_ir *ir;
    readers readers;
    int *uses;  /* of each value: inputs of nodes that are left, and one for a fetch */
    int *owner; /* of each node: the node that it is part of now */
    int *stamp; /* scratch of the search for dependencies */
    int stamps;
    bool *stored; /* scratch of laying out */
    int *order;   /* nodes, each after those that it reads from */
} fuser;

/* A group while it grows. */
typedef struct group {
    weft_fused fused;
    int head;
    int member[WEFT_EPILOGUE_MAPS + WEFT_EPILOGUE_SUMS + 1], members;
    int before[2], befores; /* maps that the kernel does as it reads, last one first */
    int tail;               /* value that the group makes last */
} group;

static bool executes(const weft_ir_node *node)
{
    return !node->gone && !weft_is_leaf(node->op);
}

static weft_status begin(fuser *f)
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
        for (int k = 0; (executes(node) || node->alias) && k < node->inputs; k++) {
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

static bool is_member(const group *g, int node)
{
    for (int i = 0; i < g->members; i++)
        if (g->member[i] == node)
            return true;
    return false;
}

static bool depends_on_node(fuser *f, const group *g, int node);

static bool depends_on_value(fuser *f, const group *g, int value)
{
    return depends_on_node(f, g, f->owner[f->ir->value[value].producer]);
}

/* An update comes after all that read what the variable held before. */
static bool update_depends(fuser *f, const group *g, const weft_ir_node *update)
{
    const weft_ir *ir = f->ir;
    for (int k = 0; k < update->inputs; k++)
        for (int i = 0; weft_ir_writes(update, k) && i < ir->nodes; i++)
            for (int j = 0; executes(&ir->node[i]) && j < ir->node[i].inputs; j++)
                if (ir->value[ir->node[i].input[j]].storage ==
                        ir->value[update->input[k]].storage &&
                    depends_on_node(f, g, f->owner[i]))
                    return true;
    return false;
}

/* True where the node reads, through any others, what a member of the group makes, or is a member. */
static bool depends_on_node(fuser *f, const group *g, int node)
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
    return n->op->writes && executes(n) && update_depends(f, g, n);
}

/* True where the value is there before the group runs. */
static bool is_ready(fuser *f, const group *g, int value)
{
    f->stamps++;
    return !depends_on_value(f, g, value);
}

static bool made_by(const group *g, int value)
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
static int uses_outside(const fuser *f, const group *g, int value)
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
static bool lay_out(fuser *f, const group *g, weft_ir_node *node, weft_epilogue *epilogue)
{
    if (g->fused.raw >= 0)
        f->stored[g->fused.raw] = uses_outside(f, g, g->fused.raw) > 0;
    for (int i = 0; i < g->fused.maps; i++) {
        int value = g->fused.map[i].out;
        f->stored[value] = uses_outside(f, g, value) > 0;
    }
    return weft_fused_lay_out(f->ir, &g->fused, f->stored, node, epilogue);
}

static bool fits(fuser *f, const group *g)
{
    int operands[2][WEFT_FUSED_OPERANDS];
    weft_ir_node node = {.input = operands[0], .output = operands[1]};
    weft_epilogue epilogue;
    return g->fused.maps <= WEFT_EPILOGUE_MAPS && lay_out(f, g, &node, &epilogue);
}

static bool is_map(const weft_ir *ir, const weft_ir_node *node, const weft_tensor *like,
                   weft_map *map)
{
    if (!executes(node) || node->fused || !node->op->map || node->outputs != 1 ||
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

static void append_map(const weft_ir *ir, group *g, int index, const weft_map *map)
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

static bool takes_epilogue(const weft_ir *ir, const weft_ir_node *node)
{
    if (!executes(node) || !node->op->fusion || !node->op->fusion->epilogue || node->outputs != 1)
        return false;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    const weft_tensor *out = &bind.output[0];
    return weft_fused_shape_of(out, out) == WEFT_FUSED_WHOLE && node->op->fusion->epilogue(&bind);
}

/* True where another kernel makes an input that only this map reads, and will take the map in itself. */
static bool is_of_other_kernel(fuser *f, const weft_ir_node *map)
{
    const weft_ir *ir = f->ir;
    for (int k = 0; k < map->inputs; k++) {
        int value = map->input[k], producer = f->owner[ir->value[value].producer];
        if (f->uses[value] != 1 || ir->node[producer].fused ||
            !takes_epilogue(ir, &ir->node[producer]))
            continue;
        const group other = {.member = {producer}, .members = 1};
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
static bool take_map(fuser *f, group *g, int index, int depth)
{
    enum { MOST_DEPTH = 3 };
    const weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[index];
    weft_map map;
    group before = *g;
    if (is_member(g, index) || g->fused.maps == WEFT_EPILOGUE_MAPS ||
        !is_map(ir, node, &ir->value[g->fused.reference].tensor, &map))
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
    if (!executes(node) || node->fused || !node->op->fusion || !node->op->fusion->reduce)
        return false;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    return node->op->fusion->reduce(&bind, reduction);
}

/* Takes in a node that is computed from sums of what the group makes. */
static bool take_sums(fuser *f, group *g, int index)
{
    const weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[index];
    const weft_tensor *like = &ir->value[g->fused.reference].tensor;
    weft_fused_sums *sums = &g->fused.sum[g->fused.sums];
    if (is_member(g, index) || g->fused.sums == WEFT_EPILOGUE_SUMS ||
        !is_reduction(ir, node, &sums->reduction))
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

static void grow(fuser *f, group *g)
{
    const readers *r = &f->readers;
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
static const weft_ir_node *part_of(const weft_ir *ir, const group *g, int i)
{
    return &ir->node[i < g->befores ? g->before[g->befores - 1 - i] : g->member[i - g->befores]];
}

/* "convolution + normalize + relu"; of neighbours of one op "2 normalize". */
static char *write_label(weft_ir *ir, const group *g)
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

/* ---- What the kernel itself does ---- */

/* True where the group's first map is of this function, and alone reads what the kernel makes. */
static bool begins_with(const fuser *f, const group *g, weft_map_function function)
{
    const weft_fused_map *first = &g->fused.map[0];
    int raw = g->fused.raw;
    return g->fused.maps > 0 && f->uses[raw] == 1 && (first->in[0] == raw || first->in[1] == raw) &&
           first->map.row == weft_map_kernel_table()->row[function];
}

/* True where operand k of the first map takes part in this shape. */
static bool has_shape(const fuser *f, const group *g, int k, weft_fused_shape shape)
{
    const weft_tensor *like = &f->ir->value[g->fused.reference].tensor;
    return weft_fused_shape_of(&f->ir->value[g->fused.map[0].in[k]].tensor, like) == shape;
}

static void drop_first(group *g)
{
    weft_fused *fused = &g->fused;
    fused->raw = fused->map[0].out;
    fused->maps--;
    memmove(fused->map, fused->map + 1, (size_t)fused->maps * sizeof(*fused->map));
}

/* Turns the first maps of the group, as far as they are of the form of weft_finish, into the kernel's. */
static bool leave_to_kernel(const fuser *f, group *g)
{
    weft_fused *fused = &g->fused;
    const weft_fused_map *first = &fused->map[0];
    int maps = fused->maps;
    if (fused->raw < 0)
        return false;
    if (begins_with(f, g, WEFT_MAP_NORMALIZE) && first->in[0] == fused->raw &&
        has_shape(f, g, 1, WEFT_FUSED_CHANNELS) && has_shape(f, g, 2, WEFT_FUSED_CHANNELS) &&
        has_shape(f, g, 3, WEFT_FUSED_CHANNELS)) {
        fused->center = first->in[1];
        fused->slope = first->in[2];
        fused->shift = first->in[3];
        drop_first(g);
    }
    int other = fused->maps ? first->in[0] == fused->raw : 0;
    if (begins_with(f, g, WEFT_MAP_ADD) && has_shape(f, g, other, WEFT_FUSED_WHOLE)) {
        fused->addend = first->in[other];
        drop_first(g);
    }
    if (begins_with(f, g, WEFT_MAP_RELU)) {
        fused->ceiling = INFINITY;
        drop_first(g);
    } else if (begins_with(f, g, WEFT_MAP_CLIPPED_RELU)) {
        fused->ceiling = first->map.a;
        drop_first(g);
    }
    return fused->maps < maps;
}

/* ---- What the kernel does as it reads ---- */

/* Takes in the map that makes the value, if it is of this function and nobody else reads it; NULL if not. */
static const weft_ir_node *take_before(fuser *f, group *g, int value, weft_map_function function,
                                       weft_map *map)
{
    const weft_ir *ir = f->ir;
    int producer = ir->value[value].producer;
    const weft_ir_node *node = &ir->node[producer];
    if (f->uses[value] != 1 || f->owner[producer] != producer || !is_map(ir, node, NULL, map) ||
        map->row != weft_map_kernel_table()->row[function])
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

/* A normalization and a ReLU, or one of them, which only the kernel reads. */
static weft_status take_prologue(fuser *f, group *g)
{
    weft_ir *ir = f->ir;
    weft_ir_node *kernel = &g->fused.kernel;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, kernel, tensors);
    if (!kernel->op->fusion->prologue || !kernel->op->fusion->prologue(&bind))
        return WEFT_OK;
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
    int *inputs = weft_pool_array(&ir->scratch, (size_t)kernel->inputs, sizeof(int));
    if (!inputs)
        return weft_ir_out_of_memory(ir);
    memcpy(inputs, kernel->input, (size_t)kernel->inputs * sizeof(int));
    inputs[0] = read;
    kernel->input = inputs;
    return WEFT_OK;
}

static weft_status finish(fuser *f, group *g)
{
    weft_ir *ir = f->ir;
    weft_fused *fused = weft_pool_allocate(&ir->scratch, sizeof(*fused));
    weft_epilogue *epilogue = weft_pool_allocate(ir->keep, sizeof(*epilogue));
    weft_prologue *prologue = weft_pool_allocate(ir->keep, sizeof(*prologue));
    int *operands = weft_pool_array(&ir->scratch, 2 * (size_t)WEFT_FUSED_OPERANDS, sizeof(int));
    g->fused.label = write_label(ir, g);
    if (!fused || !epilogue || !prologue || !operands || !g->fused.label)
        return weft_ir_out_of_memory(ir);
    weft_ir_node node = ir->node[g->head];
    node.input = operands;
    node.output = operands + WEFT_FUSED_OPERANDS;
    if (!g->fused.kernel.op)
        node.op = &weft_maps_op;
    group with = *g;
    bool less = leave_to_kernel(f, &with) && lay_out(f, &with, &node, epilogue);
    *fused = less ? with.fused : g->fused;
    fused->epilogue = epilogue;
    if (!less && !lay_out(f, g, &node, epilogue))
        return weft_error_set(ir->error, WEFT_ERROR_INTERNAL, "fuse: \"%s\" does not fit",
                              node.name);
    node.fused = fused;
    if (g->befores) {
        *prologue = weft_fused_prologue(fused, &node);
        fused->prologue = prologue;
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

static weft_status fuse_from(fuser *f, int head, bool kernel)
{
    weft_ir *ir = f->ir;
    const weft_ir_node *node = &ir->node[head];
    group g = {.head = head,
               .fused = {.raw = -1,
                         .center = -1,
                         .slope = -1,
                         .shift = -1,
                         .addend = -1,
                         .before = {.center = -1, .slope = -1, .shift = -1}}};
    if (kernel) {
        g.fused.kernel = *node;
        g.fused.raw = g.fused.reference = g.tail = node->output[0];
        g.member[g.members++] = head;
        WEFT_TRY(take_prologue(f, &g));
    } else {
        weft_reduction reduction;
        weft_map map;
        if (is_map(ir, node, NULL, &map)) {
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
    grow(f, &g);
    /* A map alone has a kernel of its own. */
    bool worth = g.members > 1 || g.befores > 0 || (!kernel && g.fused.sums > 0);
    return worth ? finish(f, &g) : WEFT_OK;
}

weft_status weft_pass_fuse(weft_ir *ir)
{
    if (ir->real != WEFT_FLOAT32)
        return WEFT_OK;
    WEFT_TRY(weft_expand_all(ir));
    fuser f = {.ir = ir};
    WEFT_TRY(begin(&f));
    WEFT_TRY(weft_ir_sort(ir, f.order));
    for (int i = 0; i < ir->nodes; i++)
        if (takes_epilogue(ir, &ir->node[f.order[i]]))
            WEFT_TRY(fuse_from(&f, f.order[i], true));
    for (int i = 0; i < ir->nodes; i++)
        if (executes(&ir->node[f.order[i]]) && !ir->node[f.order[i]].fused)
            WEFT_TRY(fuse_from(&f, f.order[i], false));
    return WEFT_OK;
}

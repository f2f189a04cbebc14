/* The order of execution: topological, updates after every reader of their variable, and among those
 * orders one that needs little memory. Two are tried, the order of creation and a greedy one that frees
 * memory as soon as it can; the one with the smaller peak is kept. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/executes.h"
#include "graph/ir.h"

#include <string.h>

/* Edges between executable nodes, as lists: edge e goes to edge_to[e], next in next[e]. */
typedef struct dependencies {
    weft_ir *ir;
    int *first, *next, *to;
    int edges, capacity;
    int *waiting; /* for each node: edges into it */
    int *stamp;   /* scratch of the walk through aliases */
    int stamps;
    bool failed;
} dependencies;

static void add_edge(dependencies *d, int from, int to)
{
    if (from == to)
        return;
    if (d->edges == d->capacity) {
        int wider = d->capacity * 2;
        int *next = weft_pool_array(&d->ir->scratch, (size_t)wider, sizeof(int));
        int *target = weft_pool_array(&d->ir->scratch, (size_t)wider, sizeof(int));
        if (!next || !target) {
            d->failed = true;
            return;
        }
        memcpy(next, d->next, (size_t)d->edges * sizeof(int));
        memcpy(target, d->to, (size_t)d->edges * sizeof(int));
        d->next = next;
        d->to = target;
        d->capacity = wider;
    }
    int edge = d->edges++;
    d->to[edge] = to;
    d->next[edge] = d->first[from];
    d->first[from] = edge;
    d->waiting[to]++;
}

/* Edges from whatever writes the value to the node, through views and placed concats. */
static void depend_on(dependencies *d, int value, int node)
{
    const weft_ir *ir = d->ir;
    int producer = ir->value[value].producer;
    const weft_ir_node *from = &ir->node[producer];
    if (weft_ir_executes(from)) {
        add_edge(d, producer, node);
        return;
    }
    if (!from->alias || d->stamp[producer] == d->stamps)
        return;
    d->stamp[producer] = d->stamps;
    for (int k = 0; k < from->inputs; k++)
        if (weft_ir_reads(from, k))
            depend_on(d, from->input[k], node);
}

/* True where the node reads the storage as it is before the writer; `over`: inputs that it writes over itself count, too. */
static bool reads_before(const weft_ir *ir, const weft_ir_node *node, int storage,
                         const weft_ir_node *writer, bool over)
{
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && ir->value[node->input[k]].storage == storage &&
            (over || !weft_ir_writes(node, k)) && !weft_ir_is_after(ir, node->input[k], writer))
            return true;
    return false;
}

/* A writer comes after every other node that reads the old contents of the variable; two that both would write over them
 * follow the order of creation. */
static void order_writes(dependencies *d, int writer)
{
    weft_ir *ir = d->ir;
    const weft_ir_node *node = &ir->node[writer];
    for (int k = 0; k < node->inputs; k++) {
        if (!weft_ir_writes(node, k))
            continue;
        int storage = ir->value[node->input[k]].storage;
        for (int i = 0; i < ir->nodes; i++)
            if (i != writer && weft_ir_executes(&ir->node[i]) &&
                reads_before(ir, &ir->node[i], storage, node, i < writer))
                add_edge(d, i, writer);
    }
}

static weft_status find_dependencies(weft_ir *ir, dependencies *d)
{
    size_t nodes = (size_t)ir->nodes;
    *d = (dependencies){.ir = ir, .capacity = 4 * ir->nodes + 16};
    d->first = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    d->next = weft_pool_array(&ir->scratch, (size_t)d->capacity, sizeof(int));
    d->to = weft_pool_array(&ir->scratch, (size_t)d->capacity, sizeof(int));
    d->waiting = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    d->stamp = weft_pool_array(&ir->scratch, nodes, sizeof(int));
    if (!d->first || !d->next || !d->to || !d->waiting || !d->stamp)
        return weft_ir_out_of_memory(ir);
    memset(d->first, -1, nodes * sizeof(int));
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; weft_ir_executes(node) && k < node->inputs; k++)
            if (weft_ir_reads(node, k)) {
                d->stamps++;
                depend_on(d, node->input[k], i);
            }
        if (weft_ir_executes(node) && node->op->writes)
            order_writes(d, i);
    }
    return d->failed ? weft_ir_out_of_memory(ir) : WEFT_OK;
}

/* ---- Memory of an order ---- */

/* Which storages live while an order is built up. What is kept from run to run always does. */
typedef struct simulation {
    weft_ir *ir;
    int *uses; /* operands of nodes that are still to run, and one for a fetch */
    bool *live;
    int64_t now, peak; /* as the plan counts them, in lines of 64 */
} simulation;

static bool in_arena(const weft_ir *ir, int value)
{
    int storage = ir->value[value].storage;
    return storage >= 0 && ir->storage[storage].place == WEFT_PLACE_ARENA &&
           !weft_storage_stays(&ir->storage[storage]);
}

static int64_t bytes_of(const weft_ir *ir, int storage)
{
    return weft_aligned(ir->storage[storage].bytes);
}

static weft_status begin_simulation(weft_ir *ir, simulation *s)
{
    *s = (simulation){.ir = ir};
    s->uses = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(int));
    s->live = weft_pool_array(&ir->scratch, (size_t)ir->storages, sizeof(bool));
    if (!s->uses || !s->live)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; weft_ir_executes(node) && k < node->inputs; k++)
            if (weft_ir_reads(node, k) && in_arena(ir, node->input[k]))
                s->uses[ir->value[node->input[k]].storage]++;
        for (int k = 0; weft_ir_executes(node) && k < node->outputs; k++)
            if (in_arena(ir, node->output[k]))
                s->uses[ir->value[node->output[k]].storage]++;
    }
    for (int v = 0; v < ir->values; v++)
        if (ir->value[v].fetched && in_arena(ir, v))
            s->uses[ir->value[v].storage]++;
    for (int i = 0; i < ir->storages; i++)
        s->now += weft_storage_stays(&ir->storage[i]) ? bytes_of(ir, i) : 0;
    s->peak = s->now;
    return WEFT_OK;
}

static int64_t workspace_of(const weft_ir *ir, const weft_ir_node *node)
{
    bool prepares = node->prepared >= 0 && !ir->storage[node->prepared].kept;
    return weft_aligned(node->workspace_bytes) +
           (prepares ? weft_aligned(node->prepared_bytes) : 0);
}

/* True where output 0 may take the place of input k, which is not used any more. */
static bool takes_place_of(const weft_ir *ir, const weft_ir_node *node, int k)
{
    return k < 32 && k < node->inputs && node->in_place & WEFT_INPUT(k) && node->outputs &&
           !node->op->writes && !(ir->options->without & 1u << WEFT_PASS_IN_PLACE) &&
           weft_ir_fits_over(ir, node, k);
}

/* Bytes that the node would free and take. With `commit`, it runs. */
static int64_t step_change(simulation *s, const weft_ir_node *node, bool commit)
{
    weft_ir *ir = s->ir;
    int64_t taken = 0, freed = 0, reused = 0;
    for (int k = 0; k < node->outputs; k++) {
        int storage = ir->value[node->output[k]].storage;
        if (!in_arena(ir, node->output[k]) || s->live[storage])
            continue;
        taken += bytes_of(ir, storage);
        s->live[storage] = commit;
    }
    int operands = node->inputs + node->outputs;
    for (int k = 0; k < operands; k++) {
        int value = k < node->inputs ? node->input[k] : node->output[k - node->inputs];
        if ((k < node->inputs && !weft_ir_reads(node, k)) || !in_arena(ir, value))
            continue;
        int storage = ir->value[value].storage;
        if (--s->uses[storage] == 0) {
            freed += bytes_of(ir, storage);
            if (takes_place_of(ir, node, k))
                reused = bytes_of(ir, storage);
            s->live[storage] = commit ? false : s->live[storage];
        }
    }
    if (commit) {
        int64_t during =
            s->now + taken + workspace_of(ir, node) - (reused < taken ? reused : taken);
        s->peak = during > s->peak ? during : s->peak;
        s->now += taken - freed;
        return taken - freed;
    }
    for (int k = 0; k < operands; k++) {
        int value = k < node->inputs ? node->input[k] : node->output[k - node->inputs];
        if ((k < node->inputs && !weft_ir_reads(node, k)) || !in_arena(ir, value))
            continue;
        s->uses[ir->value[value].storage]++;
    }
    return taken - freed;
}

/* ---- Two ways to order ---- */

static int64_t key_of_creation(simulation *s, const weft_ir_node *node, int rank)
{
    (void)s;
    (void)node;
    return rank;
}

/* Nodes that free at least what they take come first, then the order of creation. */
static int64_t key_of_memory(simulation *s, const weft_ir_node *node, int rank)
{
    int64_t change = step_change(s, node, false);
    return change <= 0 ? change - 1 : rank;
}

typedef int64_t key_function(simulation *s, const weft_ir_node *node, int rank);

static weft_status make_order(const dependencies *d, const int *rank, key_function *key, int *order,
                              int *steps, int64_t *peak)
{
    weft_ir *ir = d->ir;
    simulation s;
    WEFT_TRY(begin_simulation(ir, &s));
    int *waiting = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    int *ready = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    if (!waiting || !ready)
        return weft_ir_out_of_memory(ir);
    memcpy(waiting, d->waiting, (size_t)ir->nodes * sizeof(int));
    int count = 0, total = 0;
    for (int i = 0; i < ir->nodes; i++) {
        total += weft_ir_executes(&ir->node[i]);
        if (weft_ir_executes(&ir->node[i]) && waiting[i] == 0)
            ready[count++] = i;
    }
    *steps = ir->hoisted = 0;
    while (count) {
        int best = 0;
        int64_t best_key = INT64_MAX;
        for (int r = 0; r < count; r++) {
            const weft_ir_node *candidate = &ir->node[ready[r]];
            int64_t value = candidate->hoisted ? INT64_MIN
                            : candidate->after ? INT64_MAX
                                               : key(&s, candidate, rank[ready[r]]);
            if (value < best_key || (value == best_key && rank[ready[r]] < rank[ready[best]])) {
                best = r;
                best_key = value;
            }
        }
        int node = ready[best];
        ready[best] = ready[--count];
        order[(*steps)++] = node;
        ir->hoisted += ir->node[node].hoisted;
        step_change(&s, &ir->node[node], true);
        for (int e = d->first[node]; e >= 0; e = d->next[e])
            if (--waiting[d->to[e]] == 0)
                ready[count++] = d->to[e];
    }
    *peak = s.peak;
    if (*steps != total)
        return weft_error_set(ir->error, WEFT_ERROR_UNSUPPORTED,
                              "compile: what reads a variable as it was before an update depends "
                              "on that update");
    return WEFT_OK;
}

weft_status weft_pass_order(weft_ir *ir)
{
    dependencies d;
    WEFT_TRY(find_dependencies(ir, &d));
    int *rank = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    int *greedy = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    if (!rank || !greedy)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++)
        rank[i] = ir->node[i].graph_node;
    int64_t peak, greedy_peak;
    WEFT_TRY(make_order(&d, rank, key_of_creation, ir->order, &ir->steps, &peak));
    ir->creation_bound_bytes = peak;
    if (ir->options->without & 1u << WEFT_PASS_ORDER)
        return WEFT_OK;
    WEFT_TRY(make_order(&d, rank, key_of_memory, greedy, &ir->steps, &greedy_peak));
    if (greedy_peak < peak)
        memcpy(ir->order, greedy, (size_t)ir->steps * sizeof(int));
    return WEFT_OK;
}

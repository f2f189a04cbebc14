/* Makes one node of convolutions of which each alone reads what the one before it makes, where it takes less to
 * compute them together, strip by strip (kernels/convolution_strips.h): what lies between them is then never stored.
 * No bit changes. In programs that change no variable: there, what a filter is packed into is kept. */
#include "base/error.h"
#include "graph/choose.h"
#include "graph/executes.h"
#include "graph/fused.h"
#include "kernels/convolution_strips.h"

#include <stdio.h>
#include <string.h>

enum { X, FILTER, BIAS };

enum { MOST_INPUTS = 1 + WEFT_STRIPS_LINKS * 6 };

/* What the node of a chain is told as its attributes. */
typedef struct chain {
    weft_strips_problem problem; /* slots are those of the node */
    double flops;
} chain;

/* A chain while it is looked at. */
typedef struct candidate {
    chain chain;
    int node[WEFT_STRIPS_LINKS];
    int input[MOST_INPUTS], inputs; /* values */
    uint32_t steady;
} candidate;

typedef struct reads {
    int *uses;   /* of each value, and one for a fetch */
    int *reader; /* a node that reads it */
} reads;

static weft_status count_reads(weft_ir *ir, reads *r)
{
    r->uses = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(int));
    r->reader = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(int));
    if (!r->uses || !r->reader)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; (weft_ir_executes(node) || node->alias) && k < node->inputs; k++) {
            r->uses[node->input[k]]++;
            r->reader[node->input[k]] = i;
        }
    }
    for (int v = 0; v < ir->values; v++)
        r->uses[v] += ir->value[v].fetched;
    return WEFT_OK;
}

/* ---- Links ---- */

/* The slot of a value among the chain's inputs; -1 for none. */
static int add_input(candidate *c, int value, bool steady)
{
    int i = 0;
    if (value < 0)
        return -1;
    while (i < c->inputs && c->input[i] != value)
        i++;
    if (i == c->inputs)
        c->input[c->inputs++] = value;
    if (steady)
        c->steady |= WEFT_INPUT(i);
    return i;
}

static bool is_steady(const weft_ir_node *node, int value)
{
    for (int k = 0; k < node->inputs && k < 32; k++)
        if (node->input[k] == value)
            return node->steady >> k & 1;
    return false;
}

/* Nothing follows the kernel but what it does itself before it stores a result. */
static bool is_plain(const weft_ir_node *node)
{
    const weft_fused *f = node->fused;
    return !f || (f->kernel.op && !f->prologue && !f->maps && !f->sums);
}

/* Appends node `index` as link i; *is_link false where it cannot be one. */
static weft_status add_link(weft_ir *ir, candidate *c, int i, int index, bool *is_link)
{
    const weft_ir_node *node = &ir->node[index];
    *is_link = false;
    if (!weft_ir_executes(node) || node->hoisted || !node->op->fusion ||
        !node->op->fusion->convolution || node->outputs != 1 || !is_plain(node))
        return WEFT_OK;
    weft_tensor tensors[16];
    weft_bind bind = weft_ir_operands(ir, node, tensors);
    bind.steady = node->steady;
    weft_strips_part *part = &c->chain.problem.part[i];
    const weft_fused_finish nothing = {.center = -1, .slope = -1, .shift = -1, .addend = -1};
    const weft_fused_finish *finish = node->fused ? &node->fused->finish : &nothing;
    if (!node->op->fusion->convolution(&bind, &part->problem))
        return WEFT_OK;
    WEFT_TRY(
        weft_choose_convolution(ir, &part->problem, WEFT_CONVOLUTION_FORWARD, &part->algorithm));
    const int value[] = {part->problem.bias ? node->input[BIAS] : -1, finish->center, finish->slope,
                         finish->shift, finish->addend};
    int *const slot[] = {&part->bias, &part->center, &part->slope, &part->shift, &part->addend};
    if (i == 0)
        c->chain.problem.input = add_input(c, node->input[X], is_steady(node, node->input[X]));
    part->filter = add_input(c, node->input[FILTER], is_steady(node, node->input[FILTER]));
    for (int k = 0; k < (int)(sizeof(value) / sizeof(*value)); k++)
        *slot[k] = add_input(c, value[k], is_steady(node, value[k]));
    part->ceiling = finish->ceiling;
    c->chain.flops += weft_ir_cost(ir, node, &bind).flops;
    c->chain.problem.links = i + 1;
    c->node[i] = index;
    *is_link = true;
    return WEFT_OK;
}

/* The node that alone reads what link i makes, as its x; -1: there is none. */
static int next_link(const weft_ir *ir, const reads *r, const candidate *c, int i)
{
    int value = ir->node[c->node[i]].output[0], next = r->reader[value];
    bool only = r->uses[value] == 1 && c->chain.problem.part[i].addend < 0;
    return only && ir->node[next].input[X] == value ? next : -1;
}

/* ---- The node ---- */

/* False when memory is short. */
static bool bind_chain(weft_bind *bind)
{
    const chain *c = bind->attributes;
    weft_strips *strips = weft_bind_args(bind, sizeof(*strips));
    if (!strips)
        return false;
    weft_kernel_plan plan;
    weft_strips_plan(&c->problem, bind->threads, strips, &plan);
    weft_bind_algorithm(bind, plan.algorithm);
    weft_bind_cycles(bind, plan.cycles);
    weft_bind_workspace(bind, plan.workspace);
    if (plan.prepare_phases)
        weft_bind_prepare(bind, plan.prepare_phases, plan.prepare_inputs, plan.prepared);
    for (int i = 0; i < plan.phases; i++)
        weft_bind_phase(bind, plan.phase[i].run, plan.phase[i].pieces);
    return true;
}

/* Of the links; bytes stay those of the operands. */
static void cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = ((const chain *)bind->attributes)->flops;
}

static const weft_op chain_op = {
    .name = "convolution", .family = WEFT_FAMILY_CONVOLUTION, .bind = bind_chain, .cost = cost};

static void place_operands(candidate *c)
{
    weft_strips_problem *p = &c->chain.problem;
    p->output = c->inputs;
    p->workspace = c->inputs + 1;
    p->prepared = c->inputs + 2;
}

static double gain_of(candidate *c, int threads)
{
    weft_strips strips;
    weft_kernel_plan plan;
    place_operands(c);
    return weft_strips_plan(&c->chain.problem, threads, &strips, &plan);
}

/* The labels of all links. Lives as long as the program. */
static char *write_label(weft_ir *ir, const candidate *c)
{
    enum { SIZE = 256 };
    char *label = weft_pool_allocate(ir->keep, SIZE);
    for (int i = 0, at = 0; label && i < c->chain.problem.links && at < SIZE; i++) {
        const weft_ir_node *node = &ir->node[c->node[i]];
        at += snprintf(label + at, (size_t)(SIZE - at), "%s%s", i ? " + " : "",
                       node->label ? node->label : node->op->name);
    }
    return label;
}

/* The node has the name of the first link and stands where the last one does. */
static weft_status make_node(weft_ir *ir, const candidate *c)
{
    const weft_ir_node *first = &ir->node[c->node[0]];
    weft_ir_node *last = &ir->node[c->node[c->chain.problem.links - 1]];
    chain *attributes = weft_pool_allocate(&ir->scratch, sizeof(*attributes));
    int *input = weft_pool_array(&ir->scratch, (size_t)c->inputs, sizeof(int));
    char *label = write_label(ir, c);
    if (!attributes || !input || !label)
        return weft_ir_out_of_memory(ir);
    *attributes = c->chain;
    memcpy(input, c->input, (size_t)c->inputs * sizeof(int));
    for (int i = 0; i + 1 < c->chain.problem.links; i++)
        ir->node[c->node[i]].gone = true;
    weft_ir_node node = *last;
    node.op = &chain_op;
    node.attributes = attributes;
    node.attribute_bytes = sizeof(*attributes);
    node.name = first->name;
    node.label = label;
    node.input = input;
    node.inputs = node.own_inputs = c->inputs;
    node.own_outputs = 1;
    node.in_place = 0; /* the addend of one strip may be the input of another */
    node.fused = NULL;
    node.steady = c->steady;
    *last = node;
    return WEFT_OK;
}

/* The longest chain from this node on of those that gain the most, if any does. */
static weft_status chain_from(weft_ir *ir, const reads *r, int head)
{
    candidate c = {0}, best = {0};
    double most = 0;
    bool is_link = true;
    int index = head;
    for (int i = 0; i < WEFT_STRIPS_LINKS && index >= 0; i++) {
        WEFT_TRY(add_link(ir, &c, i, index, &is_link));
        if (!is_link)
            break;
        double gain = i ? gain_of(&c, ir->threads) : 0;
        if (gain > most) {
            most = gain;
            best = c;
        }
        index = next_link(ir, r, &c, i);
    }
    return most > 0 ? make_node(ir, &best) : WEFT_OK;
}

weft_status weft_pass_chain(weft_ir *ir)
{
    reads r;
    if (ir->real != WEFT_FLOAT32 || weft_ir_writes_variables(ir))
        return WEFT_OK;
    WEFT_TRY(count_reads(ir, &r));
    for (int i = 0; i < ir->nodes; i++)
        WEFT_TRY(chain_from(ir, &r, i));
    return WEFT_OK;
}

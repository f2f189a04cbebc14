/* Lets what costs next to nothing be computed again by those that read it, so that nobody keeps it: the
 * normalization, and the ReLU after it, of what has to be kept in any case, because its own statistics were
 * needed first. The nodes are repeated, one time for each reader; the fuse pass then puts each into the kernel
 * that reads it (as its prologue), or the map. These readers can take it in:
 *
 *     convolution, filter gradient     from x, what it reads is relu((x - mean) * slope + shift)
 *     relu_gradient(dy, relu(z))       as relu_gradient(dy, z): both ask whether z is positive
 *
 * Where all can, nobody stores it. Where others read it too, it is stored for these, and taken in only by the gradient of
 * its own ReLU, the last to read it; by the kernels, too, if all read it long after these, as over a connection of a U-Net. */
#include "graph/fuse.h"

#include "base/error.h"
#include "graph/executes.h"
#include "graph/lives.h"
#include "graph/node.h"

#include <math.h>
#include <string.h>

/* What is computed again. */
typedef struct cheap {
    int value;           /* that is read */
    int readers;         /* of it */
    int relu, normalize; /* nodes that make it; relu -1: none */
    float ceiling;       /* of the ReLU; INFINITY: none */
    bool stored;         /* for readers that cannot take it in */
    bool late;           /* others than these, and its ReLU's gradient, read it long after these */
} cheap;

/* True for the gradient of a ReLU that gives the same for z as for what c's ReLU makes of it. */
static bool is_mask(const weft_ir *ir, const weft_ir_node *node, const cheap *c)
{
    weft_map map;
    return weft_fuse_is_function(ir, node, WEFT_MAP_RELU_GRADIENT, &map) ||
           (weft_fuse_is_function(ir, node, WEFT_MAP_CLIPPED_RELU_GRADIENT, &map) &&
            map.a <= c->ceiling);
}

static bool can_take_in(const weft_ir *ir, const weft_ir_node *node, int input, const cheap *c)
{
    return (input == 0 && weft_fuse_takes_prologue(ir, node)) ||
           (input == 1 && c->relu >= 0 && is_mask(ir, node, c));
}

static bool takes_in(const weft_ir *ir, const weft_ir_node *node, int input, const cheap *c)
{
    return can_take_in(ir, node, input, c) && (!c->stored || c->late || input == 1);
}

static bool is_reader(const weft_ir_node *node)
{
    return weft_ir_executes(node) || node->alias;
}

/* Number of nodes that read the value. */
static int count_readers(const weft_ir *ir, int value)
{
    int readers = 0, input;
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        readers += is_reader(node) && weft_ir_count_reads(node, value, &input) > 0;
    }
    return readers;
}

/* Finds out who cannot take it in, and how much later kernels that can read it. */
static void find_others(const weft_ir *ir, const weft_lives *lives, cheap *c)
{
    const weft_ir_value *value = &ir->value[c->value];
    bool stays = value->fetched || value->placed;
    int input, last = 0, next = ir->graph->nodes;
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        int reads = is_reader(node) ? weft_ir_count_reads(node, c->value, &input) : 0;
        if (reads == 0)
            continue;
        bool can = reads == 1 && can_take_in(ir, node, input, c);
        c->stored |= !can;
        stays |= node->alias;
        if (!can && node->graph_node > last)
            last = node->graph_node;
        if (can && input == 0 && node->graph_node < next)
            next = node->graph_node;
    }
    c->stored |= stays;
    c->late = !stays && (double)weft_lives_between(lives, last, next) >
                            weft_long_wait * (double)weft_tensor_bytes(&value->tensor);
}

/* Number of readers that take it in. */
static int count_takers(const weft_ir *ir, const cheap *c)
{
    int takers = 0, input;
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        takers += is_reader(node) && weft_ir_count_reads(node, c->value, &input) == 1 &&
                  takes_in(ir, node, input, c);
    }
    return takers;
}

/* True where x is complete, and so stored, before it can be normalized. */
static bool waits_for_statistics(const weft_ir *ir, const weft_ir_node *normalize)
{
    const weft_ir_node *coefficients = &ir->node[ir->value[normalize->input[2]].producer];
    int input;
    return weft_ir_executes(coefficients) && coefficients->op->fusion &&
           coefficients->op->fusion->reduce &&
           weft_ir_count_reads(coefficients, normalize->input[0], &input) > 0;
}

/* Finds out whether the node makes such a value. */
static bool find(const weft_ir *ir, const weft_lives *lives, int index, cheap *c)
{
    const weft_ir_node *node = &ir->node[index];
    weft_map map;
    *c = (cheap){.relu = -1, .normalize = index, .ceiling = INFINITY};
    if (!weft_ir_executes(node) || node->outputs != 1)
        return false;
    c->value = node->output[0];
    bool clipped = weft_fuse_is_function(ir, node, WEFT_MAP_CLIPPED_RELU, &map);
    if (clipped)
        c->ceiling = map.a;
    if (clipped || weft_fuse_is_function(ir, node, WEFT_MAP_RELU, &map)) {
        int before = node->input[0];
        c->relu = index;
        c->normalize = ir->value[before].producer;
        if (ir->value[before].fetched || count_readers(ir, before) != 1)
            return false;
    }
    c->readers = count_readers(ir, c->value);
    if (c->readers < 2 ||
        !weft_fuse_is_function(ir, &ir->node[c->normalize], WEFT_MAP_NORMALIZE, &map) ||
        !waits_for_statistics(ir, &ir->node[c->normalize]))
        return false;
    find_others(ir, lives, c);
    return count_takers(ir, c) > 0;
}

/* Appends a node like that one, which reads `input` first; its output is the result, -1: no memory. */
static int repeat(weft_ir *ir, int node, int input)
{
    weft_ir_node copy = ir->node[node];
    int *operand = weft_pool_array(&ir->scratch, (size_t)copy.inputs + 1, sizeof(int));
    if (!operand)
        return -1;
    memcpy(operand, copy.input, (size_t)copy.inputs * sizeof(int));
    operand[0] = input;
    copy.input = operand;
    copy.output = operand + copy.inputs;
    copy.output[0] = weft_ir_add_value(ir, &ir->value[ir->node[node].output[0]].tensor);
    ir->value[copy.output[0]].producer = ir->nodes;
    ir->node[ir->nodes++] = copy;
    return copy.output[0];
}

/* Gives the reader a computation of its own. */
static weft_status take_in(weft_ir *ir, const cheap *c, int reader, int input)
{
    weft_ir_node *node = &ir->node[reader];
    int value = repeat(ir, c->normalize, ir->node[c->normalize].input[0]);
    int *inputs = weft_pool_array(&ir->scratch, (size_t)node->inputs, sizeof(int));
    if (value >= 0 && c->relu >= 0 && !is_mask(ir, node, c))
        value = repeat(ir, c->relu, value);
    if (value < 0 || !inputs)
        return weft_ir_out_of_memory(ir);
    memcpy(inputs, node->input, (size_t)node->inputs * sizeof(int));
    inputs[input] = value;
    node->input = inputs;
    return WEFT_OK;
}

static double flops_of(const weft_ir *ir, int node)
{
    weft_tensor tensors[WEFT_MAP_INPUTS + 1];
    weft_bind bind = weft_ir_operands(ir, &ir->node[node], tensors);
    return weft_ir_cost(ir, &ir->node[node], &bind).flops;
}

/* Unless it is stored, the first of the readers would have computed it in any case. */
static void count_flops(weft_ir *ir, const cheap *c, int takers, int masks)
{
    int first = !c->stored;
    ir->recomputed_flops += (takers - first) * flops_of(ir, c->normalize);
    if (c->relu >= 0)
        ir->recomputed_flops += (takers - masks - first) * flops_of(ir, c->relu);
}

static weft_status recompute(weft_ir *ir, const cheap *c)
{
    int input = 0, nodes = ir->nodes, takers = 0, masks = 0;
    for (int i = 0; i < nodes; i++) {
        if (!is_reader(&ir->node[i]) || weft_ir_count_reads(&ir->node[i], c->value, &input) != 1 ||
            !takes_in(ir, &ir->node[i], input, c))
            continue;
        takers++;
        masks += c->relu >= 0 && is_mask(ir, &ir->node[i], c);
        WEFT_TRY(take_in(ir, c, i, input));
    }
    count_flops(ir, c, takers, masks);
    if (c->stored)
        return WEFT_OK;
    ir->node[c->normalize].gone = true;
    if (c->relu >= 0)
        ir->node[c->relu].gone = true;
    return WEFT_OK;
}

weft_status weft_pass_recompute(weft_ir *ir)
{
    if (ir->real != WEFT_FLOAT32 || ir->options->without & 1u << WEFT_PASS_FUSE)
        return WEFT_OK;
    cheap *found = weft_pool_array(&ir->scratch, (size_t)ir->nodes + 1, sizeof(*found));
    if (!found)
        return weft_ir_out_of_memory(ir);
    weft_lives lives;
    int count = 0, copies = 0;
    WEFT_TRY(weft_lives_find(ir, &lives));
    for (int i = 0; i < ir->nodes; i++)
        if (find(ir, &lives, i, &found[count]))
            copies += 2 * found[count++].readers;
    WEFT_TRY(weft_ir_reserve(ir, copies, copies));
    for (int i = 0; i < count; i++)
        WEFT_TRY(recompute(ir, &found[i]));
    return WEFT_OK;
}

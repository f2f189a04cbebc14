/* Lets what costs next to nothing be computed again by each of those that read it, so that nobody keeps it: the
 * normalization, and the ReLU after it, of what has to be kept in any case, because its own statistics were
 * needed first. The nodes are repeated, one time for each reader; the fuse pass then puts each into the kernel
 * that reads it (as its prologue), or the map. Done where every reader can take it in:
 *
 *     convolution, filter gradient     from x, what it reads is relu((x - mean) * slope + shift)
 *     relu_gradient(dy, relu(z))       as relu_gradient(dy, z): both ask whether z is positive */
#include "graph/fuse.h"

#include "base/error.h"
#include "kernels/map.h"

#include <string.h>

/* What is computed again. */
typedef struct cheap {
    int value;           /* that is read */
    int relu, normalize; /* nodes that make it; relu -1: none */
} cheap;

static bool is_function(const weft_ir *ir, int node, weft_map_function function)
{
    weft_map map;
    return weft_fuse_is_map(ir, &ir->node[node], NULL, &map) &&
           map.row == weft_map_kernel_table()->row[function];
}

/* Number of the input that the node reads the value by, if it is one; -1 if not. */
static int only_input(const weft_ir_node *node, int value)
{
    int input = -1;
    for (int k = 0; k < node->inputs; k++)
        if (node->input[k] == value && weft_ir_reads(node, k)) {
            if (input >= 0)
                return -1;
            input = k;
        }
    return input;
}

static bool is_mask(const weft_ir *ir, int node)
{
    return is_function(ir, node, WEFT_MAP_RELU_GRADIENT) ||
           is_function(ir, node, WEFT_MAP_CLIPPED_RELU_GRADIENT);
}

static bool takes_in(const weft_ir *ir, int node, const cheap *c)
{
    int input = only_input(&ir->node[node], c->value);
    return (input == 0 && weft_fuse_takes_prologue(ir, &ir->node[node])) ||
           (input == 1 && c->relu >= 0 && is_mask(ir, node));
}

static bool reads(const weft_ir_node *node, int value)
{
    for (int k = 0; k < node->inputs; k++)
        if (node->input[k] == value && weft_ir_reads(node, k))
            return true;
    return false;
}

/* Number of the value's readers; -1 where one of them cannot take it in. c NULL: they only are counted. */
static int count_readers(const weft_ir *ir, int value, const cheap *c)
{
    int readers = 0;
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        if (!(weft_fuse_executes(node) || node->alias) || !reads(node, value))
            continue;
        if (c && !takes_in(ir, i, c))
            return -1;
        readers++;
    }
    return readers;
}

/* True where x is complete, and so stored, before it can be normalized. */
static bool waits_for_statistics(const weft_ir *ir, const weft_ir_node *normalize)
{
    const weft_ir_node *coefficients = &ir->node[ir->value[normalize->input[2]].producer];
    return weft_fuse_executes(coefficients) && coefficients->op->fusion &&
           coefficients->op->fusion->reduce && reads(coefficients, normalize->input[0]);
}

/* Finds out whether the node makes such a value. */
static bool find(const weft_ir *ir, int node, cheap *c)
{
    *c = (cheap){.relu = -1, .normalize = node};
    if (!weft_fuse_executes(&ir->node[node]) || ir->node[node].outputs != 1)
        return false;
    c->value = ir->node[node].output[0];
    if (is_function(ir, node, WEFT_MAP_RELU) || is_function(ir, node, WEFT_MAP_CLIPPED_RELU)) {
        int before = ir->node[node].input[0];
        c->relu = node;
        c->normalize = ir->value[before].producer;
        if (ir->value[before].fetched || count_readers(ir, before, NULL) != 1)
            return false;
    }
    return !ir->value[c->value].fetched && !ir->value[c->value].placed &&
           is_function(ir, c->normalize, WEFT_MAP_NORMALIZE) &&
           waits_for_statistics(ir, &ir->node[c->normalize]) && count_readers(ir, c->value, c) > 1;
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
static weft_status take_in(weft_ir *ir, const cheap *c, int reader)
{
    int value = repeat(ir, c->normalize, ir->node[c->normalize].input[0]);
    weft_ir_node *node = &ir->node[reader];
    int input = only_input(node, c->value);
    int *inputs = weft_pool_array(&ir->scratch, (size_t)node->inputs, sizeof(int));
    if (value >= 0 && c->relu >= 0 && !is_mask(ir, reader))
        value = repeat(ir, c->relu, value);
    if (value < 0 || !inputs)
        return weft_ir_out_of_memory(ir);
    memcpy(inputs, node->input, (size_t)node->inputs * sizeof(int));
    inputs[input] = value;
    node->input = inputs;
    return WEFT_OK;
}

static weft_status recompute(weft_ir *ir, const cheap *c)
{
    int nodes = ir->nodes;
    for (int i = 0; i < nodes; i++)
        if (weft_fuse_executes(&ir->node[i]) && reads(&ir->node[i], c->value))
            WEFT_TRY(take_in(ir, c, i));
    ir->node[c->normalize].gone = true;
    if (c->relu >= 0)
        ir->node[c->relu].gone = true;
    return WEFT_OK;
}

weft_status weft_pass_recompute(weft_ir *ir)
{
    if (ir->real != WEFT_FLOAT32 || ir->options->without & 1u << WEFT_PASS_FUSE)
        return WEFT_OK;
    int nodes = ir->nodes, copies = 0;
    cheap c;
    for (int i = 0; i < nodes; i++)
        if (find(ir, i, &c))
            copies += 2 * count_readers(ir, c.value, &c);
    WEFT_TRY(weft_ir_reserve(ir, copies, copies));
    for (int i = 0; i < nodes && copies > 0; i++)
        if (find(ir, i, &c))
            WEFT_TRY(recompute(ir, &c));
    return WEFT_OK;
}

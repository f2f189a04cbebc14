/* The intermediate form: made from a graph, pruned, printed. */
#include "graph/ir.h"

#include "base/error.h"
#include "base/tensor.h"
#include "graph/core_ops.h"
#include "graph/executes.h"
#include "graph/node.h"

#include <string.h>

weft_status weft_ir_out_of_memory(weft_ir *ir)
{
    return weft_error_set(ir->error, WEFT_ERROR_MEMORY, "compile: out of memory");
}

bool weft_ir_reads(const weft_ir_node *node, int input)
{
    return input >= 32 || input >= node->own_inputs || !(node->op->shape_only & WEFT_INPUT(input));
}

int weft_ir_count_reads(const weft_ir_node *node, int value, int *input)
{
    int reads = 0;
    *input = 0;
    for (int k = 0; k < node->inputs; k++)
        if (node->input[k] == value && weft_ir_reads(node, k)) {
            *input = k;
            reads++;
        }
    return reads;
}

bool weft_ir_writes(const weft_ir_node *node, int input)
{
    return input < 32 && input < node->own_inputs && node->op->writes & WEFT_INPUT(input);
}

bool weft_ir_is_after(const weft_ir *ir, int value, const weft_ir_node *writer)
{
    while (!writer->outputs || value != writer->output[0]) {
        const weft_ir_node *from = &ir->node[ir->value[value].producer];
        if (from->alias)
            value = from->input[0];
        else if (from->op->writes && value == from->output[0])
            value = from->input[__builtin_ctz(from->op->writes)];
        else
            return false;
    }
    return true;
}

int weft_ir_slot(const weft_ir_node *node, int k)
{
    int own = node->own_inputs + node->own_outputs;
    if (k < node->own_inputs)
        return k;
    if (k < node->inputs)
        return own + 2 + (k - node->own_inputs);
    k -= node->inputs;
    if (k < node->own_outputs)
        return node->own_inputs + k;
    return own + 2 + (node->inputs - node->own_inputs) + (k - node->own_outputs);
}

int weft_ir_resolve(const weft_ir *ir, int value)
{
    while (ir->forward[value] != value)
        value = ir->forward[value];
    return value;
}

int weft_ir_add_storage(weft_ir *ir, weft_storage storage)
{
    ir->storage[ir->storages] = storage;
    return ir->storages++;
}

static weft_tensor dense_like(const weft_tensor *like)
{
    return weft_tensor_make(like->dtype, weft_shape_make(like->rank, like->extent));
}

int weft_ir_add_value(weft_ir *ir, const weft_tensor *like)
{
    int value = ir->values++;
    weft_tensor tensor = dense_like(like);
    int64_t bytes = (int64_t)weft_tensor_bytes(&tensor);
    int storage = weft_ir_add_storage(ir, (weft_storage){.bytes = bytes});
    ir->value[value] =
        (weft_ir_value){.tensor = tensor, .storage = storage, .graph_node = -1, .needed = true};
    ir->forward[value] = value;
    return value;
}

int weft_ir_append(weft_ir *ir, const weft_op *op, const weft_ir_node *place, int value)
{
    weft_ir_node *node = &ir->node[ir->nodes];
    int *operand = weft_pool_array(&ir->scratch, 2, sizeof(int));
    int made = ir->values;
    if (!operand)
        return -1;
    operand[0] = value;
    operand[1] = made;
    *node = (weft_ir_node){.op = op,
                           .name = place->name,
                           .graph_node = place->graph_node,
                           .after = place->after,
                           .inputs = 1,
                           .outputs = 1,
                           .own_inputs = 1,
                           .own_outputs = 1,
                           .input = operand,
                           .output = operand + 1,
                           .workspace = -1,
                           .prepared = -1};
    ir->value[made] = ir->value[value];
    ir->value[made].producer = ir->nodes++;
    ir->value[made].fetched = false;
    ir->value[made].needed = true;
    ir->forward[made] = made;
    ir->values++;
    return made;
}

int weft_ir_append_copy(weft_ir *ir, const weft_ir_node *place, int value)
{
    return weft_ir_append(ir, &weft_copy_op, place, value);
}

int weft_ir_append_dense_copy(weft_ir *ir, const weft_ir_node *place, int value)
{
    int copy = weft_ir_append_copy(ir, place, value);
    if (copy < 0)
        return -1;
    weft_ir_value *made = &ir->value[copy];
    made->tensor = dense_like(&made->tensor);
    made->storage =
        weft_ir_add_storage(ir, (weft_storage){.bytes = (int64_t)weft_tensor_bytes(&made->tensor)});
    made->offset = 0;
    return copy;
}

weft_bind weft_ir_operands(const weft_ir *ir, const weft_ir_node *node, weft_tensor *tensors)
{
    for (int i = 0; i < node->own_inputs; i++)
        tensors[i] = ir->value[node->input[i]].tensor;
    for (int i = 0; i < node->own_outputs; i++)
        tensors[node->own_inputs + i] = ir->value[node->output[i]].tensor;
    return (weft_bind){
        .op = node->op,
        .attributes = node->attributes,
        .mode = ir->options->mode,
        .no_winograd = ir->options->no_winograd,
        .threads = ir->threads,
        .inputs = node->own_inputs,
        .input = tensors,
        .outputs = node->own_outputs,
        .output = tensors + node->own_inputs,
    };
}

/* ---- Room ---- */

static bool widen(weft_ir *ir, void **array, size_t element, int used, int capacity)
{
    void *wider = weft_pool_array(&ir->scratch, (size_t)capacity, element);
    if (!wider)
        return false;
    memcpy(wider, *array, (size_t)used * element);
    *array = wider;
    return true;
}

weft_status weft_ir_reserve(weft_ir *ir, int nodes, int values)
{
    int node_capacity = ir->nodes + nodes, value_capacity = ir->values + values;
    int storage_capacity = ir->storages + 2 * node_capacity + value_capacity;
    if (!widen(ir, (void **)&ir->node, sizeof(*ir->node), ir->nodes, node_capacity) ||
        !widen(ir, (void **)&ir->order, sizeof(int), 0, node_capacity) ||
        !widen(ir, (void **)&ir->value, sizeof(*ir->value), ir->values, value_capacity) ||
        !widen(ir, (void **)&ir->forward, sizeof(int), ir->values, value_capacity) ||
        !widen(ir, (void **)&ir->storage, sizeof(*ir->storage), ir->storages, storage_capacity))
        return weft_ir_out_of_memory(ir);
    ir->node_capacity = node_capacity;
    ir->value_capacity = value_capacity;
    ir->storage_capacity = storage_capacity;
    return WEFT_OK;
}

weft_status weft_ir_sort(weft_ir *ir, int *order)
{
    int *first = weft_pool_array(&ir->scratch, (size_t)ir->graph->nodes + 1, sizeof(int));
    int *next = weft_pool_array(&ir->scratch, (size_t)ir->nodes, sizeof(int));
    if (!first || !next)
        return weft_ir_out_of_memory(ir);
    for (int i = ir->nodes - 1; i >= 0; i--) { /* lists of node + 1 */
        next[i] = first[ir->node[i].graph_node];
        first[ir->node[i].graph_node] = i + 1;
    }
    for (int32_t g = 0, count = 0; g <= ir->graph->nodes; g++)
        for (int i = first[g]; i; i = next[i - 1])
            order[count++] = i - 1;
    return WEFT_OK;
}

/* ---- Building ---- */

/* Which graph nodes the program needs, for their value or only for their shape. */
static bool *mark_needed(weft_ir *ir)
{
    const weft_graph *graph = ir->graph;
    const weft_compile_options *options = ir->options;
    bool *needed = weft_pool_array(&ir->scratch, (size_t)graph->nodes + 1, sizeof(bool));
    if (!needed)
        return NULL;
    for (int i = 0; i < options->fetches; i++)
        needed[options->fetch[i].node] = true;
    for (int32_t i = graph->nodes; i >= 1; i--) {
        const weft_node *node = weft_node_get(graph, i);
        if (node->op->writes && options->mode == WEFT_TRAIN && !options->no_writes)
            needed[i] = true;
        for (int k = 0; needed[i] && k < node->inputs; k++)
            needed[node->input[k].node] = true;
    }
    return needed;
}

static weft_status allocate(weft_ir *ir, const bool *needed)
{
    size_t nodes = 0, values = 0;
    for (int32_t i = 1; i <= ir->graph->nodes; i++) {
        nodes += needed[i];
        values += needed[i] ? (size_t)weft_node_get(ir->graph, i)->outputs : 0;
    }
    ir->node_capacity = (int)nodes;
    ir->value_capacity = (int)values;
    ir->storage_capacity = 2 * ir->node_capacity + ir->value_capacity;
    ir->node = weft_pool_array(&ir->scratch, (size_t)ir->node_capacity, sizeof(*ir->node));
    ir->value = weft_pool_array(&ir->scratch, (size_t)ir->value_capacity, sizeof(*ir->value));
    ir->storage = weft_pool_array(&ir->scratch, (size_t)ir->storage_capacity, sizeof(*ir->storage));
    ir->forward = weft_pool_array(&ir->scratch, (size_t)ir->value_capacity, sizeof(int));
    ir->order = weft_pool_array(&ir->scratch, (size_t)ir->node_capacity, sizeof(int));
    if (!ir->node || !ir->value || !ir->storage || !ir->forward || !ir->order)
        return weft_ir_out_of_memory(ir);
    return WEFT_OK;
}

static weft_status add_node(weft_ir *ir, int32_t graph_node, int *first_value)
{
    const weft_node *from = weft_node_get(ir->graph, graph_node);
    weft_ir_node *node = &ir->node[ir->nodes];
    *node = (weft_ir_node){
        .op = from->op,
        .attributes = from->attributes,
        .attribute_bytes = from->attribute_bytes,
        .name = from->name,
        .graph_node = graph_node,
        .inputs = from->inputs,
        .outputs = from->outputs,
        .own_inputs = from->inputs,
        .own_outputs = from->outputs,
        .in_place = from->op->in_place,
        .workspace = -1,
        .prepared = -1,
    };
    node->input =
        weft_pool_array(&ir->scratch, (size_t)(from->inputs + from->outputs), sizeof(int));
    if (!node->input)
        return weft_ir_out_of_memory(ir);
    node->output = node->input + from->inputs;
    for (int k = 0; k < from->inputs; k++)
        node->input[k] = first_value[from->input[k].node] + from->input[k].output;
    first_value[graph_node] = ir->values;
    for (int k = 0; k < from->outputs; k++) {
        int value = ir->values++;
        node->output[k] = value;
        ir->forward[value] = value;
        ir->value[value] = (weft_ir_value){
            .producer = ir->nodes, .storage = -1, .graph_node = graph_node, .graph_output = k};
    }
    ir->nodes++;
    return WEFT_OK;
}

weft_status weft_ir_build(weft_ir *ir)
{
    bool *needed = mark_needed(ir);
    int *first_value = weft_pool_array(&ir->scratch, (size_t)ir->graph->nodes + 1, sizeof(int));
    if (!needed || !first_value)
        return weft_ir_out_of_memory(ir);
    WEFT_TRY(allocate(ir, needed));
    for (int32_t i = 1; i <= ir->graph->nodes; i++)
        if (needed[i])
            WEFT_TRY(add_node(ir, i, first_value));
    for (int i = 0; i < ir->options->fetches; i++) {
        weft_value fetch = ir->options->fetch[i];
        ir->value[first_value[fetch.node] + fetch.output].fetched = true;
    }
    return WEFT_OK;
}

/* ---- Pruning ---- */

static bool is_root(const weft_ir *ir, const weft_ir_node *node)
{
    if (node->op->writes && ir->options->mode == WEFT_TRAIN && !ir->options->no_writes)
        return true;
    for (int k = 0; k < node->outputs; k++)
        if (ir->value[node->output[k]].fetched)
            return true;
    return false;
}

void weft_ir_prune(weft_ir *ir)
{
    for (int i = 0; i < ir->values; i++)
        if (ir->value[i].fetched && weft_ir_resolve(ir, i) != i) {
            ir->value[weft_ir_resolve(ir, i)].fetched = true;
            ir->value[i].fetched = false;
        }
    for (int i = 0; i < ir->values; i++)
        ir->value[i].needed = false;
    for (int i = ir->nodes - 1; i >= 0; i--) {
        weft_ir_node *node = &ir->node[i];
        bool needed = !node->gone && is_root(ir, node);
        for (int k = 0; k < node->outputs; k++)
            needed |= ir->value[node->output[k]].needed;
        if (!needed || node->gone) {
            node->gone = true;
            continue;
        }
        for (int k = 0; k < node->inputs; k++) {
            node->input[k] = weft_ir_resolve(ir, node->input[k]);
            if (weft_ir_reads(node, k))
                ir->value[node->input[k]].needed = true;
        }
    }
}

/* ---- Printing ---- */

static void print_value(const weft_ir *ir, int index, FILE *file)
{
    const weft_ir_value *value = &ir->value[index];
    fprintf(file, "%%%d", index);
    if (value->tensor.dtype == WEFT_REAL)
        return;
    fprintf(file, ":%s[", weft_dtype_name(value->tensor.dtype));
    for (int d = 0; d < value->tensor.rank; d++)
        fprintf(file, "%s%lld", d ? "," : "", (long long)value->tensor.extent[d]);
    fprintf(file, "]");
    if (value->storage >= 0)
        fprintf(file, "@%d+%lld", value->storage, (long long)value->offset);
}

static void print_node(const weft_ir *ir, const weft_ir_node *node, FILE *file)
{
    fprintf(file, "  ");
    for (int k = 0; k < node->outputs; k++) {
        fprintf(file, "%s", k ? ", " : "");
        print_value(ir, node->output[k], file);
    }
    fprintf(file, "%s%s", node->outputs ? " = " : "", node->label ? node->label : node->op->name);
    for (int k = 0; k < node->inputs; k++)
        fprintf(file, "%s%%%d%s", k ? ", " : "(", node->input[k],
                weft_ir_reads(node, k) ? "" : " (shape)");
    fprintf(file, "%s  # %s%s\n", node->inputs ? ")" : "", node->name,
            node->alias     ? " (view)"
            : node->hoisted ? " (hoisted)"
                            : "");
}

weft_status weft_refuse_limit(const weft_compile_options *options, int64_t least, const char *how,
                              weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_MEMORY,
                          "compile: memory_limit of %lld bytes is too small: %lld bytes%s are the "
                          "least that will do",
                          (long long)options->memory_limit, (long long)least, how);
}

weft_status weft_ir_refuse_limit(weft_ir *ir, int64_t least)
{
    bool off = ir->options->without & 1u << WEFT_PASS_REMATERIALIZE;
    ir->least_limit = least;
    return weft_refuse_limit(ir->options, least, off ? " (without rematerialization)" : "",
                             ir->error);
}

void weft_ir_print(const weft_ir *ir, const char *pass, FILE *file)
{
    int live = 0;
    for (int i = 0; i < ir->nodes; i++)
        live += !ir->node[i].gone;
    fprintf(file, "after %s: %d nodes", pass, live);
    if (ir->arena_bytes)
        fprintf(file, ", arena %lld bytes, bound %lld", (long long)ir->arena_bytes,
                (long long)ir->bound_bytes);
    fprintf(file, "\n");
    if (ir->steps)
        for (int i = 0; i < ir->steps; i++)
            print_node(ir, &ir->node[ir->order[i]], file);
    else
        for (int i = 0; i < ir->nodes; i++)
            if (!ir->node[i].gone || ir->node[i].alias)
                print_node(ir, &ir->node[i], file);
}

bool weft_ir_writes_variables(const weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++)
        if (weft_ir_executes(&ir->node[i]) && ir->node[i].op->writes)
            return true;
    return false;
}

bool weft_ir_same_layout(const weft_tensor *a, const weft_tensor *b)
{
    if (a->rank != b->rank || a->dtype != b->dtype)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->extent[d] != b->extent[d] || (a->extent[d] > 1 && a->stride[d] != b->stride[d]))
            return false;
    return true;
}

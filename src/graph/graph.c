/* Creating graphs and appending nodes. */
#include "base/memory.h"
#include "graph/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weft_graph *weft_graph_create(weft_context *context)
{
    weft_graph *graph = weft_allocate(context, sizeof(*graph));
    if (!graph)
        return NULL;
    graph->context = context;
    graph->pool = weft_pool_begin(context);
    return graph;
}

void weft_graph_destroy(weft_graph *graph)
{
    if (!graph)
        return;
    weft_context *context = graph->context;
    weft_names_release(graph);
    weft_release_array(context, graph->node, graph->node_capacity, sizeof(*graph->node));
    weft_release_array(context, graph->variable, graph->variable_capacity, sizeof(int32_t));
    weft_pool_release(&graph->pool);
    weft_release(context, graph, sizeof(*graph));
}

weft_context *weft_graph_context(const weft_graph *graph)
{
    return graph ? graph->context : NULL;
}

/* ---- Errors ---- */

const weft_error *weft_graph_error(const weft_graph *graph)
{
    static const weft_error no_graph = {WEFT_ERROR_GRAPH, "there is no graph"};
    return graph ? &graph->error : &no_graph;
}

weft_value weft_null(weft_graph *graph)
{
    return (weft_value){.graph = graph};
}

weft_value weft_graph_fail(weft_graph *graph, weft_status status, const char *format, ...)
{
    if (weft_graph_error(graph)->status == WEFT_OK) {
        char message[400];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        if (graph->file)
            weft_error_set(&graph->error, status, "%.90s:%d: %s", graph->file, graph->line,
                           message);
        else
            weft_error_set(&graph->error, status, "%s", message);
    }
    return weft_null(graph);
}

weft_value weft_at(weft_value value, const char *file, int line)
{
    weft_graph_at(value.graph, file, line);
    return value;
}

weft_graph *weft_graph_at(weft_graph *graph, const char *file, int line)
{
    if (graph) {
        graph->file = file;
        graph->line = line;
    }
    return graph;
}

bool weft_infer_fail(const weft_infer *infer, const char *format, ...)
{
    char message[360];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    weft_error_set(infer->error, WEFT_ERROR_SHAPE, "%s", message);
    return false;
}

/* ---- Reading values ---- */

bool weft_is_null(weft_value value)
{
    return value.node == 0;
}

bool weft_same(weft_value a, weft_value b)
{
    return a.graph == b.graph && a.node == b.node && a.output == b.output;
}

weft_shape weft_shape_get(weft_value value)
{
    if (weft_is_null(value))
        return (weft_shape){.rank = -1};
    return weft_node_get(value.graph, value.node)->shape[value.output];
}

weft_dtype weft_dtype_get(weft_value value)
{
    return weft_is_null(value) ? WEFT_REAL
                               : weft_node_get(value.graph, value.node)->dtype[value.output];
}

int64_t weft_channels(weft_value value)
{
    weft_shape shape = weft_shape_get(value);
    return shape.rank > 0 ? shape.extent[shape.rank - 1] : 0;
}

const char *weft_name_get(weft_value value)
{
    return weft_is_null(value) ? "" : weft_node_get(value.graph, value.node)->name;
}

weft_value weft_find(weft_graph *graph, const char *name)
{
    int32_t node = graph ? weft_name_find(graph, name) : 0;
    return node > 0 ? weft_output(graph, node, 0) : weft_null(graph);
}

/* ---- Appending ---- */

static bool check_inputs(weft_graph *graph, const weft_op *op, const char *name,
                         const weft_value *input, int inputs)
{
    if (inputs < op->min_inputs || (op->max_inputs >= 0 && inputs > op->max_inputs)) {
        weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "%s \"%s\": %d inputs given", op->name, name,
                        inputs);
        return false;
    }
    for (int i = 0; i < inputs; i++) {
        if (input[i].graph != graph) {
            weft_graph_fail(graph, WEFT_ERROR_GRAPH, "%s \"%s\": input %d is a value of %s",
                            op->name, name, i, input[i].graph ? "another graph" : "no graph");
            return false;
        }
        if (weft_is_null(input[i])) {
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "%s \"%s\": input %d is the null value",
                            op->name, name, i);
            return false;
        }
    }
    return true;
}

/* The node with all its arrays; the shapes of its inputs are laid out behind it for the shape rule.
 */
static weft_node *make_node(weft_graph *graph, const weft_op *op, const void *attributes,
                            size_t attribute_bytes, const weft_value *input, int inputs,
                            int outputs)
{
    weft_node *node = weft_pool_allocate(&graph->pool, sizeof(*node));
    if (!node)
        return NULL;
    *node = (weft_node){.op = op,
                        .attribute_bytes = attribute_bytes,
                        .inputs = inputs,
                        .outputs = outputs,
                        .backward = graph->backward};
    node->attributes = weft_pool_allocate(&graph->pool, attribute_bytes);
    node->input = weft_pool_array(&graph->pool, (size_t)inputs, sizeof(weft_source));
    node->shape = weft_pool_array(&graph->pool, (size_t)outputs, sizeof(weft_shape));
    node->dtype = weft_pool_array(&graph->pool, (size_t)outputs, sizeof(weft_dtype));
    if (!node->attributes || !node->input || !node->shape || !node->dtype)
        return NULL;
    if (attribute_bytes)
        memcpy(node->attributes, attributes, attribute_bytes);
    for (int i = 0; i < inputs; i++)
        node->input[i] = (weft_source){input[i].node, input[i].output};
    return node;
}

/* Extents must not be zero, and the bytes of 64-bit elements must fit in 63 bits. */
static bool check_shape(const weft_infer *infer, int output)
{
    const weft_shape *shape = &infer->out_shape[output];
    char text[120];
    if (shape->rank < 0 || shape->rank > WEFT_MAX_RANK)
        return weft_infer_fail(infer, "rank %d of output %d is not in 0..%d", shape->rank, output,
                               WEFT_MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        if (shape->extent[i] == 0)
            return weft_infer_fail(infer, "output %d would be empty: %s", output,
                                   weft_shape_text(*shape, text, sizeof(text)));
    int64_t elements = weft_shape_elements(*shape), bytes;
    if (elements == 0 || __builtin_mul_overflow(elements, (int64_t)8, &bytes))
        return weft_infer_fail(infer, "output %d is too large: %s", output,
                               weft_shape_text(*shape, text, sizeof(text)));
    return true;
}

bool weft_run_shape_rule(weft_infer *infer)
{
    if (!infer->op->infer(infer))
        return false;
    for (int i = 0; i < infer->outputs; i++)
        if (!check_shape(infer, i))
            return false;
    return true;
}

static bool infer_node(weft_graph *graph, weft_node *node, const char *name)
{
    enum { FEW = 16 };
    weft_shape few_shapes[FEW], *shape = few_shapes;
    weft_dtype few_dtypes[FEW], *dtype = few_dtypes;
    if (node->inputs > FEW) {
        shape = weft_pool_array(&graph->pool, (size_t)node->inputs, sizeof(*shape));
        dtype = weft_pool_array(&graph->pool, (size_t)node->inputs, sizeof(*dtype));
        if (!shape || !dtype) {
            weft_graph_fail(graph, WEFT_ERROR_MEMORY, "%s \"%s\": out of memory", node->op->name,
                            name);
            return false;
        }
    }
    for (int i = 0; i < node->inputs; i++) {
        const weft_node *from = weft_node_get(graph, node->input[i].node);
        shape[i] = from->shape[node->input[i].output];
        dtype[i] = from->dtype[node->input[i].output];
    }
    weft_error error = {0};
    weft_infer infer = {
        .op = node->op,
        .attributes = node->attributes,
        .attribute_bytes = node->attribute_bytes,
        .inputs = node->inputs,
        .shape = shape,
        .dtype = dtype,
        .outputs = node->outputs,
        .out_shape = node->shape,
        .out_dtype = node->dtype,
        .error = &error,
    };
    if (weft_run_shape_rule(&infer))
        return true;
    weft_graph_fail(graph, error.status ? error.status : WEFT_ERROR_SHAPE, "%s \"%s%s\": %s",
                    node->op->name, graph->scope, name,
                    error.message[0] ? error.message : "shapes do not fit");
    return false;
}

static bool append(weft_graph *graph, weft_node *node, const char *name)
{
    int32_t index = graph->nodes + 1;
    if (!weft_grow(graph->context, (void **)&graph->node, &graph->node_capacity, (size_t)index + 1,
                   sizeof(*graph->node))) {
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "out of memory for node %d", index);
        return false;
    }
    node->name = weft_name_register(graph, name, index);
    if (!node->name)
        return false;
    graph->node[index] = node;
    graph->nodes = index;
    return true;
}

weft_value weft_apply(weft_graph *graph, const weft_op *op, const void *attributes,
                      size_t attribute_bytes, const char *name, const weft_value *input, int inputs,
                      weft_value *output, int outputs)
{
    name = name && name[0] ? name : op->name;
    for (int i = 0; i < outputs && output; i++)
        output[i] = weft_null(graph);
    if (weft_graph_error(graph)->status != WEFT_OK || !check_inputs(graph, op, name, input, inputs))
        return weft_null(graph);
    if (outputs != op->outputs && op->outputs != 0)
        return weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "%s \"%s\": has %d outputs, not %d",
                               op->name, name, op->outputs, outputs);
    weft_node *node = make_node(graph, op, attributes, attribute_bytes, input, inputs, outputs);
    if (!node)
        return weft_graph_fail(graph, WEFT_ERROR_MEMORY, "%s \"%s\": out of memory", op->name,
                               name);
    if (!infer_node(graph, node, name) || !append(graph, node, name))
        return weft_null(graph);
    for (int i = 0; i < outputs && output; i++)
        output[i] = weft_output(graph, graph->nodes, i);
    return outputs ? weft_output(graph, graph->nodes, 0) : weft_null(graph);
}

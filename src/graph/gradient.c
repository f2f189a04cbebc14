/* Reverse mode: walks the nodes back and lets each op's rule append the nodes of its gradient. */
#include "base/memory.h"
#include "graph/core_ops.h"
#include "graph/node.h"

#include <stdio.h>
#include <string.h>

/* The state of one walk. Arrays are indexed by node; gradients by first[node] + output. */
typedef struct walk {
    weft_graph *graph;
    weft_pool pool;
    int32_t nodes; /* that existed when the walk began */
    bool *reached; /* some y depends on the node */
    bool *leads;   /* the node depends on some x */
    int32_t *first;
    weft_value *gradient;
} walk;

static weft_value *slot(walk *w, int32_t node, int32_t output)
{
    return &w->gradient[w->first[node] + output];
}

static bool begin(walk *w, weft_graph *graph)
{
    *w = (walk){.graph = graph, .pool = weft_pool_begin(graph->context), .nodes = graph->nodes};
    size_t count = (size_t)w->nodes + 1;
    w->reached = weft_pool_array(&w->pool, count, sizeof(bool));
    w->leads = weft_pool_array(&w->pool, count, sizeof(bool));
    w->first = weft_pool_array(&w->pool, count, sizeof(int32_t));
    if (!w->reached || !w->leads || !w->first)
        return false;
    int32_t outputs = 0;
    for (int32_t i = 1; i <= w->nodes; i++) {
        w->first[i] = outputs;
        outputs += weft_node_get(graph, i)->outputs;
    }
    w->gradient = weft_pool_array(&w->pool, (size_t)outputs, sizeof(weft_value));
    return w->gradient != NULL;
}

static void mark(walk *w, const weft_value *y, int outputs, const weft_value *x, int count)
{
    for (int i = 0; i < outputs; i++)
        w->reached[y[i].node] = true;
    for (int i = 0; i < count; i++)
        w->leads[x[i].node] = true;
    for (int32_t i = w->nodes; i >= 1; i--) {
        const weft_node *node = weft_node_get(w->graph, i);
        for (int k = 0; w->reached[i] && k < node->inputs; k++)
            w->reached[node->input[k].node] = true;
    }
    for (int32_t i = 1; i <= w->nodes; i++) {
        const weft_node *node = weft_node_get(w->graph, i);
        for (int k = 0; k < node->inputs; k++)
            if (!(k < 32 && node->op->shape_only & WEFT_INPUT(k)) && w->leads[node->input[k].node])
                w->leads[i] = true;
    }
}

static void contribute(walk *w, int32_t node, int32_t output, weft_value contribution)
{
    weft_value *sum = slot(w, node, output);
    *sum = weft_is_null(*sum) ? contribution : weft_accumulate(*sum, contribution);
}

/* True where the rule's gradient for input k may be added to that input's. */
static bool check_contribution(walk *w, const weft_node *node, int k, weft_value contribution)
{
    const weft_node *from = weft_node_get(w->graph, node->input[k].node);
    weft_shape expected = from->shape[node->input[k].output], got = weft_shape_get(contribution);
    if (weft_is_null(contribution) || weft_shape_equal(expected, got))
        return true;
    char a[120], b[120];
    weft_graph_fail(w->graph, WEFT_ERROR_GRADIENT,
                    "%s \"%s\": gradient of input %d has shape %s, the input %s", node->op->name,
                    node->name, k, weft_shape_text(got, a, sizeof(a)),
                    weft_shape_text(expected, b, sizeof(b)));
    return false;
}

/* Calls the rule of one node and hands its results on. */
static bool differentiate(walk *w, int32_t index)
{
    weft_graph *graph = w->graph;
    const weft_node *node = weft_node_get(graph, index);
    weft_pool pool = weft_pool_begin(graph->context);
    size_t inputs = (size_t)node->inputs, outputs = (size_t)node->outputs;
    weft_value *value = weft_pool_array(&pool, 2 * (inputs + outputs), sizeof(weft_value));
    bool *wanted = weft_pool_array(&pool, inputs, sizeof(bool));
    if (!value || !wanted) {
        weft_pool_release(&pool);
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "gradients: out of memory");
        return false;
    }
    weft_value *input = value, *input_gradient = value + inputs, *output = input_gradient + inputs,
               *output_gradient = output + outputs;
    for (int k = 0; k < node->inputs; k++) {
        input[k] = weft_output(graph, node->input[k].node, node->input[k].output);
        input_gradient[k] = weft_null(graph);
        wanted[k] = w->leads[input[k].node] && weft_dtype_get(input[k]) == WEFT_REAL &&
                    !(k < 32 && node->op->shape_only & WEFT_INPUT(k));
    }
    for (int k = 0; k < node->outputs; k++) {
        output[k] = weft_output(graph, index, k);
        output_gradient[k] = *slot(w, index, k);
        output_gradient[k].graph = graph;
    }
    weft_gradient_call call = {
        .graph = graph,
        .attributes = node->attributes,
        .inputs = node->inputs,
        .input = input,
        .wanted = wanted,
        .outputs = node->outputs,
        .output = output,
        .output_gradient = output_gradient,
        .input_gradient = input_gradient,
    };
    weft_scope_push(graph, node->name);
    node->op->gradient(&call);
    weft_scope_pop(graph);
    bool good = graph->error.status == WEFT_OK;
    for (int k = 0; good && k < node->inputs; k++) {
        if (!wanted[k] || weft_is_null(input_gradient[k]))
            continue;
        good = check_contribution(w, node, k, input_gradient[k]);
        if (good)
            contribute(w, input[k].node, input[k].output, input_gradient[k]);
    }
    weft_pool_release(&pool);
    return good && graph->error.status == WEFT_OK;
}

static bool has_gradient(walk *w, int32_t index)
{
    for (int k = 0; k < weft_node_get(w->graph, index)->outputs; k++)
        if (!weft_is_null(*slot(w, index, k)))
            return true;
    return false;
}

static bool walk_back(walk *w)
{
    for (int32_t i = w->nodes; i >= 1; i--) {
        const weft_node *node = weft_node_get(w->graph, i);
        if (!w->reached[i] || !w->leads[i] || weft_is_leaf(node->op) ||
            node->op->flags & WEFT_OP_NO_GRADIENT || !has_gradient(w, i))
            continue;
        if (!node->op->gradient) {
            weft_graph_fail(w->graph, WEFT_ERROR_GRADIENT, "%s \"%s\": the op has no gradient",
                            node->op->name, node->name);
            return false;
        }
        if (!differentiate(w, i))
            return false;
    }
    return true;
}

static bool check_arguments(weft_graph *graph, const weft_value *y, const weft_value *seed,
                            int outputs, const weft_value *x, int count)
{
    for (int i = 0; i < outputs; i++)
        if (weft_is_null(y[i]) || y[i].graph != graph || weft_is_null(seed[i]) ||
            seed[i].graph != graph) {
            weft_graph_fail(graph, WEFT_ERROR_GRAPH,
                            "gradients: value %d is null or of another graph", i);
            return false;
        } else if (weft_dtype_get(y[i]) != WEFT_REAL || weft_dtype_get(seed[i]) != WEFT_REAL) {
            weft_graph_fail(graph, WEFT_ERROR_DTYPE,
                            "gradients: \"%s\" and its seed must be real, not %s and %s",
                            weft_name_get(y[i]), weft_dtype_name(weft_dtype_get(y[i])),
                            weft_dtype_name(weft_dtype_get(seed[i])));
            return false;
        } else if (!weft_shape_equal(weft_shape_get(y[i]), weft_shape_get(seed[i]))) {
            weft_graph_fail(graph, WEFT_ERROR_SHAPE,
                            "gradients: the seed of \"%s\" has another shape", weft_name_get(y[i]));
            return false;
        }
    for (int i = 0; i < count; i++)
        if (weft_is_null(x[i]) || x[i].graph != graph || weft_dtype_get(x[i]) != WEFT_REAL) {
            weft_graph_fail(graph, WEFT_ERROR_GRADIENT,
                            "gradients: \"%s\" (number %d) is not a real value of this graph",
                            weft_name_get(x[i]), i);
            return false;
        }
    return true;
}

weft_status weft_vector_jacobian(const weft_value *y, const weft_value *seed, int outputs,
                                 const weft_value *x, int count, weft_value *gradient)
{
    weft_graph *graph = y[0].graph;
    for (int i = 0; i < count; i++)
        gradient[i] = weft_null(graph);
    if (weft_graph_error(graph)->status != WEFT_OK ||
        !check_arguments(graph, y, seed, outputs, x, count))
        return weft_graph_error(graph)->status;
    walk w;
    if (!begin(&w, graph)) {
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "gradients: out of memory");
        weft_pool_release(&w.pool);
        return graph->error.status;
    }
    bool outer = graph->backward;
    graph->backward = true;
    mark(&w, y, outputs, x, count);
    for (int i = 0; i < outputs; i++)
        contribute(&w, y[i].node, y[i].output, seed[i]);
    if (walk_back(&w))
        for (int i = 0; i < count; i++) {
            gradient[i] = *slot(&w, x[i].node, x[i].output);
            gradient[i].graph = graph;
        }
    graph->backward = outer;
    weft_pool_release(&w.pool);
    return graph->error.status;
}

weft_status weft_gradients(weft_value y, const weft_value *x, int count, weft_value *gradient,
                           const weft_gradient_options *options)
{
    weft_graph *graph = y.graph;
    for (int i = 0; i < count; i++)
        gradient[i] = weft_null(graph);
    if (weft_graph_error(graph)->status != WEFT_OK)
        return weft_graph_error(graph)->status;
    char text[120];
    if (weft_is_null(y) || weft_dtype_get(y) != WEFT_REAL ||
        weft_shape_elements(weft_shape_get(y)) != 1) {
        weft_graph_fail(graph, WEFT_ERROR_GRADIENT,
                        "gradients of \"%s\": it must be a real scalar, its shape is %s",
                        weft_name_get(y), weft_shape_text(weft_shape_get(y), text, sizeof(text)));
        return graph->error.status;
    }
    bool outer = graph->backward;
    graph->backward = true;
    weft_scope_push(graph, "backward");
    weft_value seed = weft_fill_like(y, 1.0);
    weft_vector_jacobian(&y, &seed, 1, x, count, gradient);
    for (int i = 0; i < count && graph->error.status == WEFT_OK; i++) {
        if (!weft_is_null(gradient[i]))
            continue;
        if (options && options->error_if_unreached)
            weft_graph_fail(graph, WEFT_ERROR_GRADIENT,
                            "gradients: \"%s\" does not depend on \"%s\"", weft_name_get(y),
                            weft_name_get(x[i]));
        else if (!options || !options->null_if_unreached)
            gradient[i] = weft_fill_like(x[i], 0.0);
    }
    if (graph->scope_depth > 0)
        weft_scope_pop(graph);
    graph->backward = outer;
    return graph->error.status;
}

weft_value weft_gradient(weft_value y, weft_value x)
{
    weft_value gradient = weft_null(y.graph);
    weft_gradients(y, &x, 1, &gradient, NULL);
    return gradient;
}

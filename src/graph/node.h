/* The inside of a graph, for src/graph only (and diagrams, which walk it). */
#ifndef WEFT_GRAPH_NODE_H
#define WEFT_GRAPH_NODE_H

#include "base/pool.h"
#include "weft/op.h"

/* One output of a node, by index. */
typedef struct weft_source {
    int32_t node, output;
} weft_source;

typedef struct weft_node {
    const weft_op *op;
    const char *name; /* scoped and unique */
    void *attributes;
    size_t attribute_bytes;
    int inputs, outputs;
    weft_source *input;
    weft_shape *shape; /* of the outputs, batch open */
    weft_dtype *dtype;
    bool backward; /* made by reverse mode */
    bool frozen;   /* a variable that is not trained */
} weft_node;

/* What stands for the node in the name of a scope that is one layer's own. */
enum { WEFT_NAME_SCOPE = -1 };

/* A name that is taken, and how often it was asked for. */
typedef struct weft_name {
    const char *text;
    int32_t node;
    int32_t asked;
} weft_name;

enum { WEFT_MAX_SCOPES = 64 };

struct weft_graph {
    weft_context *context;
    weft_pool pool;
    weft_node **node; /* [1..nodes]; index 0 is the null value */
    size_t node_capacity;
    int32_t nodes;
    int32_t *variable; /* node indices, in order of creation */
    size_t variable_capacity;
    int variables;

    char scope[400]; /* "layer1.0." or "" */
    int32_t scope_length;
    int32_t scope_start[WEFT_MAX_SCOPES];
    int scope_depth;
    weft_name *name; /* open addressing, power of two */
    size_t name_capacity, names;

    weft_error error;
    const char *file; /* the caller's place, for messages */
    int line;
    bool backward;
};

static inline weft_node *weft_node_get(const weft_graph *graph, int32_t index)
{
    return graph->node[index];
}

static inline weft_value weft_output(weft_graph *graph, int32_t node, int32_t output)
{
    return (weft_value){graph, node, output};
}

/* graph.c: runs the shape rule and checks what it wrote; false with infer->error set. */
bool weft_run_shape_rule(weft_infer *infer);

/* names.c: a unique scoped name, registered for the node with that index. NULL when memory is short
 * or the name is too long: the graph then has the error. */
const char *weft_name_register(weft_graph *graph, const char *name, int32_t node);
/* The node of a scoped name, WEFT_NAME_SCOPE, or 0 where the name is not taken. */
int32_t weft_name_find(const weft_graph *graph, const char *text);
void weft_names_release(weft_graph *graph);

#endif

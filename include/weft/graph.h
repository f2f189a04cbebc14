/* The graph: nodes in the order of their creation, each an application of an op to earlier values.
 *
 * Builders never need checking one by one. The first error is kept on the graph with a message that
 * names the node, the op, the shapes and the caller's file and line; later builders return the null
 * value, which still carries its graph; compiling returns the error. A graph that is NULL, as that of
 * the value {0}, counts as one in error. One graph is built by one thread at a time. C leaves open which argument of a
 * call is made first: builders that make variables, in one argument list, may get other names from another compiler. */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H

#include "weft/context.h"
#include "weft/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_graph weft_graph;
typedef struct weft_op weft_op;

/* A handle to one output of one node; copied freely, owned by its graph. node 0 is the null value. */
typedef struct weft_value {
    weft_graph *graph;
    int32_t node;
    int32_t output;
} weft_value;

/* Makes an empty graph; NULL when memory is short. The context must outlive it. */
WEFT_API weft_graph *weft_graph_create(weft_context *context);
/* Releases the graph and its values. States and programs made from it must be gone. NULL is allowed. */
WEFT_API void weft_graph_destroy(weft_graph *graph);
WEFT_API weft_context *weft_graph_context(const weft_graph *graph);

/* The first error of the graph's builders; its status is WEFT_OK while there is none, WEFT_ERROR_GRAPH
 * where graph is NULL. */
WEFT_API const weft_error *weft_graph_error(const weft_graph *graph);
/* For authors of builders: records an error (printf style) unless there is one already; the message
 * gets the caller's file and line. Returns the null value of the graph. */
WEFT_API weft_value weft_graph_fail(weft_graph *graph, weft_status status, const char *format, ...)
    WEFT_PRINTF(3, 4);

/* ---- Values ---- */

WEFT_API bool weft_is_null(weft_value value);
WEFT_API bool weft_same(weft_value a, weft_value b);
/* Shape while building (extents may be open); rank -1 for the null value. */
WEFT_API weft_shape weft_shape_get(weft_value value);
WEFT_API weft_dtype weft_dtype_get(weft_value value);
/* Extent of the last dimension: the channels of an image; 0 for the null value or rank 0. */
WEFT_API int64_t weft_channels(weft_value value);
/* The scoped name of the value's node, "" for the null value; lives as long as the graph. */
WEFT_API const char *weft_name_get(weft_value value);
/* The value of that scoped name (output 0 of its node); the null value where there is none. */
WEFT_API weft_value weft_find(weft_graph *graph, const char *name);
/* The null value of a graph. */
WEFT_API weft_value weft_null(weft_graph *graph);

/* Remembers the caller's place for the next error message; returns value. The macros of the builders
 * call it. */
WEFT_API weft_value weft_at(weft_value value, const char *file, int line);
WEFT_API weft_graph *weft_graph_at(weft_graph *graph, const char *file, int line);

/* ---- Names and scopes ---- */

/* Names of nodes made from here on begin with name and a dot; scopes nest. Within a scope a name that is
 * taken gets _1, _2, ... appended. An empty name, more than 64 scopes or 399 characters of their names
 * and dots are an error, here as below. */
WEFT_API void weft_scope_push(weft_graph *graph, const char *name);
/* As above with printf formatting: weft_scope_pushf(graph, "layer%d", i). */
WEFT_API void weft_scope_pushf(weft_graph *graph, const char *format, ...) WEFT_PRINTF(2, 3);
WEFT_API void weft_scope_pop(weft_graph *graph);
/* As weft_scope_push, for a scope that is to be one layer's own: a name that is taken gets _1, _2, ... */
WEFT_API void weft_scope_push_unique(weft_graph *graph, const char *name);
/* The scopes pushed so far, "layer1.0." or "". Valid until the next push or pop. */
WEFT_API const char *weft_scope_get(const weft_graph *graph);
/* A 64-bit hash (XXH3) of the current scope, name and the number of nodes of that name so far: the key
 * of a random op's stream, independent of what else the graph holds. */
WEFT_API uint64_t weft_name_key(const weft_graph *graph, const char *name);

/* ---- Leaves ---- */

typedef struct weft_input_options {
    const char *name; /* NULL: "input" */
    weft_shape shape; /* WEFT_BATCH stands for the open batch extent */
    weft_dtype dtype; /* WEFT_REAL, WEFT_INT32 or WEFT_UINT8 */
} weft_input_options;

/* A value that the caller feeds at each run. */
WEFT_API weft_value weft_input(weft_graph *graph, const weft_input_options *options);

/* How a variable starts. With fan_in and fan_out from the shape: the last extent is the number of
 * outputs, the one before it of inputs, the others are the receptive field and multiply both. */
typedef enum weft_initializer_kind {
    WEFT_INIT_DEFAULT = 0, /* zeros for rank 1 and less, Glorot normal (truncated) otherwise */
    WEFT_INIT_ZEROS,
    WEFT_INIT_ONES,
    WEFT_INIT_CONSTANT,         /* a */
    WEFT_INIT_UNIFORM,          /* [a, b) */
    WEFT_INIT_NORMAL,           /* mean a, standard deviation b */
    WEFT_INIT_TRUNCATED_NORMAL, /* the same, redrawn beyond 2 standard deviations */
    WEFT_INIT_GLOROT_UNIFORM,   /* +-sqrt(6 / (fan_in + fan_out)); Glorot, Bengio 2010, eq. 16 */
    WEFT_INIT_GLOROT_NORMAL, /* variance 2 / (fan_in + fan_out), truncated at 2 sigma and rescaled */
    WEFT_INIT_HE_UNIFORM,    /* +-sqrt(6 / fan_in); He et al. 2015, eq. 10 */
    WEFT_INIT_HE_NORMAL,     /* variance 2 / fan_in, truncated and rescaled */
    WEFT_INIT_LECUN_UNIFORM, /* +-sqrt(3 / fan_in); LeCun et al. 1998 */
    WEFT_INIT_LECUN_NORMAL,  /* variance 1 / fan_in, truncated and rescaled */
    WEFT_INIT_ORTHOGONAL, /* gain a (0: 1); Saxe et al. 2013; rows = product of all but the last */
    /* +-1 / sqrt(fan_in), with which PyTorch's convolutions and linear layers start, biases included: as the
     * bias_initializer of a layer it is that of the layer's weight. Of transposed convolutions PyTorch takes
     * fan_out for fan_in. */
    WEFT_INIT_FAN_IN_UNIFORM
} weft_initializer_kind;

typedef struct weft_initializer {
    weft_initializer_kind kind;
    double a, b;
    bool swap_fans; /* for filters of transposed convolutions, whose last extent is the input's */
} weft_initializer;

typedef struct weft_variable_options {
    const char *name; /* NULL: "variable" */
    weft_shape shape; /* fixed extents only */
    weft_dtype dtype; /* WEFT_REAL or WEFT_INT32 */
    weft_initializer initializer;
    bool frozen; /* not trainable */
} weft_variable_options;

/* A value whose storage, in a state, outlives a run. */
WEFT_API weft_value weft_variable(weft_graph *graph, const weft_variable_options *options);

/* The variables of a graph in order of creation: number `index` from 0, the null value past the last. */
WEFT_API weft_value weft_variable_at(weft_graph *graph, int index);
WEFT_API bool weft_is_variable(weft_value value);
WEFT_API bool weft_is_trainable(weft_value variable);
/* Freezes or unfreezes a variable; gradients and updates built before stay as they are. */
WEFT_API void weft_set_trainable(weft_value variable, bool trainable);

/* What the variable is after the updates that the graph has so far: the result of the last op that writes it,
 * or the variable itself. An op that is to come after an update reads, or writes, this. */
WEFT_API weft_value weft_updated(weft_value variable);

/* A constant of dtype WEFT_REAL, elements given row-major in double (copied). */
WEFT_API weft_value weft_constant(weft_graph *graph, weft_shape shape, const double *elements);
/* A constant of rank 0. */
WEFT_API weft_value weft_scalar(weft_graph *graph, double value);
/* All elements equal to fill, with the shape of `like` (whose elements are not read). */
WEFT_API weft_value weft_fill_like(weft_value like, double fill);
/* A value that gradients do not flow through; otherwise equal to x. */
WEFT_API weft_value weft_stop_gradient(weft_value x);

/* ---- Reverse mode ---- */

/* A value that y does not depend on gets a gradient of zeros, unless an option says otherwise. */
typedef struct weft_gradient_options {
    bool error_if_unreached;
    bool null_if_unreached; /* the null value: for updates, which leave such a variable alone */
} weft_gradient_options;

/* Appends the nodes of dy/dx[i] for each i < count and writes their values. y must be a real scalar
 * (one element). Gradients may be differentiated again. On an error, which the graph keeps, the
 * gradients are null values. */
WEFT_API weft_status weft_gradients(weft_value y, const weft_value *x, int count,
                                    weft_value *gradient, const weft_gradient_options *options);
/* dy/dx for one x. */
WEFT_API weft_value weft_gradient(weft_value y, weft_value x);
/* The product of vector and Jacobian: gradients of sum_k <y[k], seed[k]> for real values of any shape. Each
 * seed is real, of the shape of its y. x[i] that no y depends on gets the null value. */
WEFT_API weft_status weft_vector_jacobian(const weft_value *y, const weft_value *seed, int outputs,
                                          const weft_value *x, int count, weft_value *gradient);

#if !defined(__cplusplus) && !defined(WEFT_PLAIN_FUNCTIONS)
/* Builders are functions; behind these macros they take options as designated initializers and remember
 * the caller's file and line. (weft_input)(graph, &options) is the plain function. */
#define WEFT_HERE(value) weft_at((value), __FILE__, __LINE__)
#define WEFT_GRAPH_HERE(graph) weft_graph_at((graph), __FILE__, __LINE__)
#define weft_input(graph, ...)                                                                     \
    (weft_input)(WEFT_GRAPH_HERE(graph), &(weft_input_options){__VA_ARGS__})
#define weft_variable(graph, ...)                                                                  \
    (weft_variable)(WEFT_GRAPH_HERE(graph), &(weft_variable_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
}
#endif
#endif

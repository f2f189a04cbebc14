#include "graph/core_ops.h"

#include "base/memory.h"
#include "graph/bind_map.h"
#include "graph/node.h"
#include "kernels/copy.h"

#include <string.h>

/* ---- Leaves ---- */

static bool infer_leaf(weft_infer *infer)
{
    const weft_leaf_attributes *leaf = infer->attributes;
    infer->out_shape[0] = leaf->shape;
    infer->out_dtype[0] = leaf->dtype;
    return true;
}

static bool infer_constant(weft_infer *infer)
{
    const weft_constant_attributes *constant = infer->attributes;
    infer->out_shape[0] = constant->shape;
    return true;
}

const weft_op weft_input_op = {
    .name = "input", .family = WEFT_FAMILY_LEAF, .outputs = 1, .infer = infer_leaf};
const weft_op weft_variable_op = {
    .name = "variable", .family = WEFT_FAMILY_LEAF, .outputs = 1, .infer = infer_leaf};
const weft_op weft_constant_op = {
    .name = "constant", .family = WEFT_FAMILY_LEAF, .outputs = 1, .infer = infer_constant};

const weft_op weft_maps_op = {.name = "maps", .family = WEFT_FAMILY_ARITHMETIC};

weft_value weft_input(weft_graph *graph, const weft_input_options *options)
{
    const char *name = options->name ? options->name : "input";
    if (options->dtype != WEFT_REAL && options->dtype != WEFT_INT32 && options->dtype != WEFT_UINT8)
        return weft_graph_fail(graph, WEFT_ERROR_DTYPE,
                               "input \"%s\": dtype must be real, int32 or uint8", name);
    weft_leaf_attributes leaf;
    memset(&leaf, 0, sizeof(leaf));
    leaf.shape = options->shape;
    leaf.dtype = options->dtype;
    return weft_apply(graph, &weft_input_op, &leaf, sizeof(leaf), name, NULL, 0, NULL, 1);
}

weft_value weft_variable(weft_graph *graph, const weft_variable_options *options)
{
    const char *name = options->name ? options->name : "variable";
    if (options->dtype != WEFT_REAL && options->dtype != WEFT_INT32)
        return weft_graph_fail(graph, WEFT_ERROR_DTYPE,
                               "variable \"%s\": dtype must be real or int32", name);
    if (weft_graph_error(graph)->status != WEFT_OK)
        return weft_null(graph);
    if (weft_shape_elements(options->shape) < 0)
        return weft_graph_fail(graph, WEFT_ERROR_SHAPE, "variable \"%s\": extents must be fixed",
                               name);
    weft_leaf_attributes leaf;
    memset(&leaf, 0, sizeof(leaf));
    leaf.shape = options->shape;
    leaf.dtype = options->dtype;
    leaf.initializer = options->initializer;
    if (!weft_grow(graph->context, (void **)&graph->variable, &graph->variable_capacity,
                   (size_t)graph->variables + 1, sizeof(int32_t)))
        return weft_graph_fail(graph, WEFT_ERROR_MEMORY, "variable \"%s\": out of memory", name);
    weft_value value =
        weft_apply(graph, &weft_variable_op, &leaf, sizeof(leaf), name, NULL, 0, NULL, 1);
    if (!weft_is_null(value)) {
        weft_node_get(graph, value.node)->frozen = options->frozen || options->dtype != WEFT_REAL;
        graph->variable[graph->variables++] = value.node;
    }
    return value;
}

weft_value weft_variable_at(weft_graph *graph, int index)
{
    if (!graph || index < 0 || index >= graph->variables)
        return weft_null(graph);
    return weft_output(graph, graph->variable[index], 0);
}

bool weft_is_variable(weft_value value)
{
    return !weft_is_null(value) && weft_node_get(value.graph, value.node)->op == &weft_variable_op;
}

bool weft_is_trainable(weft_value variable)
{
    return weft_is_variable(variable) && !weft_node_get(variable.graph, variable.node)->frozen;
}

void weft_set_trainable(weft_value variable, bool trainable)
{
    if (!weft_is_variable(variable) || weft_dtype_get(variable) != WEFT_REAL)
        weft_graph_fail(variable.graph, WEFT_ERROR_ARGUMENT,
                        "set_trainable: \"%s\" is not a real variable", weft_name_get(variable));
    else
        weft_node_get(variable.graph, variable.node)->frozen = !trainable;
}

weft_value weft_updated(weft_value variable)
{
    weft_value newest = variable;
    for (int32_t i = 1; variable.graph && i <= variable.graph->nodes; i++) {
        const weft_node *node = weft_node_get(variable.graph, i);
        int written = node->op->writes ? __builtin_ctz(node->op->writes) : node->inputs;
        if (written < node->inputs && node->outputs > 0 &&
            node->input[written].node == newest.node &&
            node->input[written].output == newest.output)
            newest = weft_output(variable.graph, i, 0);
    }
    return newest;
}

weft_value weft_constant(weft_graph *graph, weft_shape shape, const double *elements)
{
    int64_t count = weft_shape_elements(shape);
    char text[120];
    if (shape.rank < 0 || shape.rank > WEFT_MAX_RANK)
        return weft_graph_fail(graph, WEFT_ERROR_SHAPE, "constant: rank %d is not in 0..%d",
                               shape.rank, WEFT_MAX_RANK);
    if (count <= 0 || count > WEFT_MOST_BYTES / (int64_t)sizeof(double))
        return weft_graph_fail(graph, WEFT_ERROR_SHAPE,
                               "constant: extents must be fixed, positive and not too large: %s",
                               weft_shape_text(shape, text, sizeof(text)));
    size_t bytes = sizeof(weft_constant_attributes) + (size_t)count * sizeof(double);
    weft_context *context = weft_graph_context(graph);
    weft_constant_attributes *constant = weft_allocate(context, bytes);
    if (!constant)
        return weft_graph_fail(graph, WEFT_ERROR_MEMORY, "constant: out of memory, %zu bytes",
                               bytes);
    constant->shape = shape;
    memcpy(constant->element, elements, (size_t)count * sizeof(double));
    weft_value value =
        weft_apply(graph, &weft_constant_op, constant, bytes, NULL, NULL, 0, NULL, 1);
    weft_release(context, constant, bytes);
    return value;
}

weft_value weft_scalar(weft_graph *graph, double value)
{
    return weft_constant(graph, (weft_shape){.rank = 0}, &value);
}

/* ---- Fill, accumulate, stop_gradient, copy ---- */

static bool infer_same(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    infer->out_dtype[0] = infer->dtype[0];
    return true;
}

static bool infer_fill(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static void fill_f64(const weft_operands *operands)
{
    const weft_tensor *y = &operands->output[0];
    double fill = *(const double *)operands->attributes;
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] = fill;
}

static bool bind_fill(weft_bind *bind)
{
    const weft_tensor *y = &bind->output[0];
    weft_copy_args *args = weft_bind_args(bind, weft_copy_args_bytes(1));
    if (!args)
        return false;
    args->element_bytes = 4;
    args->fill = (float)*(const double *)bind->attributes;
    weft_copy_box box = {.from = WEFT_COPY_FILL, .to = bind->inputs, .rank = y->rank};
    memcpy(box.extent, y->extent, sizeof(y->extent));
    memcpy(box.to_stride, y->stride, sizeof(y->stride));
    weft_copy_add(args, &box);
    weft_bind_phase(bind, weft_copy_table()->copy, args->pieces);
    return true;
}

static bool bind_accumulate(weft_bind *bind)
{
    return weft_map_bind(bind, WEFT_MAP_ADD, 0, 0);
}

static bool accumulate_map(const void *attributes, weft_map *map)
{
    (void)attributes;
    *map = (weft_map){.row = weft_map_kernel_table()->row[WEFT_MAP_ADD]};
    return true;
}

static bool bind_copy(weft_bind *bind)
{
    return bind->output[0].dtype == WEFT_FLOAT32 && weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
}

const weft_op weft_fill_op = {
    .name = "fill",
    .family = WEFT_FAMILY_ARITHMETIC,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_NO_GRADIENT | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(0),
    .infer = infer_fill,
    .run_f64 = fill_f64,
    .bind = bind_fill,
};

weft_value weft_fill_like(weft_value like, double fill)
{
    return weft_apply(like.graph, &weft_fill_op, &fill, sizeof(fill), NULL, &like, 1, NULL, 1);
}

static bool infer_accumulate(weft_infer *infer)
{
    char a[120], b[120];
    if (infer->dtype[0] != WEFT_REAL || infer->dtype[1] != WEFT_REAL)
        return weft_infer_fail(infer, "contributions must be real, not %s and %s",
                               weft_dtype_name(infer->dtype[0]), weft_dtype_name(infer->dtype[1]));
    if (!weft_shape_equal(infer->shape[0], infer->shape[1]))
        return weft_infer_fail(infer, "contributions %s and %s differ in shape",
                               weft_shape_text(infer->shape[0], a, sizeof(a)),
                               weft_shape_text(infer->shape[1], b, sizeof(b)));
    return infer_same(infer);
}

static void accumulate_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = call->output_gradient[0];
    call->input_gradient[1] = call->output_gradient[0];
}

static void accumulate_f64(const weft_operands *operands)
{
    const weft_tensor *a = &operands->input[0], *b = &operands->input[1], *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        ((double *)y->data)[weft_tensor_offset(y, i)] =
            ((const double *)a->data)[weft_tensor_offset(a, i)] +
            ((const double *)b->data)[weft_tensor_offset(b, i)];
}

const weft_op weft_accumulate_op = {
    .name = "accumulate",
    .family = WEFT_FAMILY_ARITHMETIC,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | WEFT_OP_AFFINE,
    .in_place = WEFT_INPUT(0) | WEFT_INPUT(1),
    .infer = infer_accumulate,
    .gradient = accumulate_gradient,
    .run_f64 = accumulate_f64,
    .bind = bind_accumulate,
    .map = accumulate_map,
};

weft_value weft_accumulate(weft_value a, weft_value b)
{
    return weft_apply(a.graph, &weft_accumulate_op, NULL, 0, NULL, (weft_value[]){a, b}, 2, NULL,
                      1);
}

/* Copies elements of any dtype. */
static void copy_elements(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    size_t element = weft_dtype_bytes(y->dtype);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        memcpy((char *)y->data + (size_t)weft_tensor_offset(y, i) * element,
               (const char *)x->data + (size_t)weft_tensor_offset(x, i) * element, element);
}

static bool view_same(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    (void)output;
    memcpy(view->stride, bind->input[0].stride, sizeof(view->stride));
    *offset = 0;
    return true;
}

const weft_op weft_stop_gradient_op = {
    .name = "stop_gradient",
    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags =
        WEFT_OP_NO_GRADIENT | WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | WEFT_OP_AFFINE,
    .infer = infer_same,
    .run_f64 = copy_elements,
    .run_f32 = copy_elements,
    .bind = bind_copy,
    .view = view_same,
};

weft_value weft_stop_gradient(weft_value x)
{
    return weft_apply(x.graph, &weft_stop_gradient_op, NULL, 0, NULL, &x, 1, NULL, 1);
}

const weft_op weft_copy_op = {
    .name = "copy",
    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer_same,
    .run_f64 = copy_elements,
    .run_f32 = copy_elements,
    .bind = bind_copy,
};

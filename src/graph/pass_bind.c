/* Fixes extents and element types: leaves get theirs, then every shape rule runs again. */
#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "graph/core_ops.h"
#include "graph/ir.h"
#include "graph/node.h"

#include <string.h>

static weft_shape shape_of(const weft_tensor *tensor)
{
    return weft_shape_make(tensor->rank, tensor->extent);
}

static weft_dtype bound_dtype(const weft_ir *ir, weft_dtype dtype)
{
    return dtype == WEFT_REAL ? ir->real : dtype;
}

/* The extents of an input: the option's for it, or the graph's with the batch put in. */
static weft_status input_shape(weft_ir *ir, const weft_ir_node *node, weft_shape *shape)
{
    const weft_compile_options *options = ir->options;
    int64_t batch = ir->batch;
    const weft_leaf_attributes *leaf = node->attributes;
    *shape = leaf->shape;
    for (int i = 0; i < options->extent_count; i++) {
        const weft_extents *extents = &options->extents[i];
        if (extents->input.node != node->graph_node)
            continue;
        if (extents->shape.rank != leaf->shape.rank)
            return weft_error_set(ir->error, WEFT_ERROR_SHAPE,
                                  "compile: extents for \"%s\" have rank %d, the input %d",
                                  node->name, extents->shape.rank, leaf->shape.rank);
        *shape = extents->shape;
    }
    for (int d = 0; d < shape->rank; d++)
        if (shape->extent[d] < 0 &&
            __builtin_mul_overflow(shape->extent[d], -batch, &shape->extent[d]))
            shape->extent[d] = 0;
    int64_t elements = weft_shape_elements(*shape), bytes;
    if (elements <= 0 || __builtin_mul_overflow(elements, (int64_t)8, &bytes))
        return weft_error_set(ir->error, WEFT_ERROR_SHAPE,
                              "compile: input \"%s\" would be empty or too large at batch %lld",
                              node->name, (long long)batch);
    return WEFT_OK;
}

/* A constant, converted to the program's real type. */
static weft_status bind_constant(weft_ir *ir, weft_ir_node *node)
{
    const weft_constant_attributes *constant = node->attributes;
    weft_ir_value *value = &ir->value[node->output[0]];
    value->tensor = weft_tensor_make(ir->real, constant->shape);
    int64_t count = weft_tensor_elements(&value->tensor);
    value->tensor.data = weft_pool_array(ir->keep, (size_t)count, weft_dtype_bytes(ir->real));
    if (!value->tensor.data)
        return weft_ir_out_of_memory(ir);
    for (int64_t i = 0; i < count; i++)
        if (ir->real == WEFT_FLOAT64)
            ((double *)value->tensor.data)[i] = constant->element[i];
        else
            ((float *)value->tensor.data)[i] = (float)constant->element[i];
    return WEFT_OK;
}

static bool is_frozen(const weft_ir *ir, int32_t graph_node)
{
    for (int i = 0; i < ir->options->frozen_count; i++)
        if (ir->options->frozen[i].node == graph_node)
            return true;
    return false;
}

/* A variable of the state; a frozen one is a constant of one element, 0. */
static weft_status bind_variable(weft_ir *ir, weft_ir_node *node)
{
    weft_tensor *tensor = &ir->value[node->output[0]].tensor;
    *tensor = weft_state_tensor_of(ir->state, node->graph_node);
    tensor->data = NULL;
    if (!is_frozen(ir, node->graph_node))
        return WEFT_OK;
    tensor->data = weft_pool_array(ir->keep, 1, weft_dtype_bytes(tensor->dtype));
    return tensor->data ? WEFT_OK : weft_ir_out_of_memory(ir);
}

static weft_status bind_op(weft_ir *ir, weft_ir_node *node)
{
    size_t operands = (size_t)(node->inputs + node->outputs);
    weft_shape *shape = weft_pool_array(&ir->scratch, operands, sizeof(*shape));
    weft_dtype *dtype = weft_pool_array(&ir->scratch, operands, sizeof(*dtype));
    if (!shape || !dtype)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < node->inputs; i++) {
        const weft_tensor *tensor = &ir->value[node->input[i]].tensor;
        shape[i] = shape_of(tensor);
        dtype[i] = tensor->dtype == ir->real ? WEFT_REAL : tensor->dtype;
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
        .out_shape = shape + node->inputs,
        .out_dtype = dtype + node->inputs,
        .error = &error,
    };
    if (!weft_run_shape_rule(&infer))
        return weft_error_set(ir->error, WEFT_ERROR_SHAPE, "compile: %s \"%s\": %s", node->op->name,
                              node->name, error.message);
    for (int i = 0; i < node->outputs; i++)
        ir->value[node->output[i]].tensor =
            weft_tensor_make(bound_dtype(ir, infer.out_dtype[i]), infer.out_shape[i]);
    return WEFT_OK;
}

static weft_status bind_node(weft_ir *ir, weft_ir_node *node)
{
    if (node->op == &weft_input_op) {
        weft_shape shape = {0};
        WEFT_TRY(input_shape(ir, node, &shape));
        const weft_leaf_attributes *leaf = node->attributes;
        ir->value[node->output[0]].tensor = weft_tensor_make(bound_dtype(ir, leaf->dtype), shape);
        return WEFT_OK;
    }
    if (node->op == &weft_variable_op)
        return bind_variable(ir, node);
    return node->op == &weft_constant_op ? bind_constant(ir, node) : bind_op(ir, node);
}

/* Of all that the nodes read and write, in all micro-batches. */
static weft_status check_bytes(weft_ir *ir)
{
    int64_t left = WEFT_MOST_BYTES / ir->micro_batches;
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        for (int k = 0; k < node->inputs + node->outputs && !node->gone; k++) {
            int value = k < node->inputs ? node->input[k] : node->output[k - node->inputs];
            int64_t bytes = (int64_t)weft_tensor_bytes(&ir->value[value].tensor);
            if (bytes > left)
                return weft_error_set(ir->error, WEFT_ERROR_MEMORY,
                                      "compile: out of memory at %s \"%s\": what is read and "
                                      "written has more than %lld bytes",
                                      node->op->name, node->name, (long long)WEFT_MOST_BYTES);
            left -= bytes;
        }
    }
    return WEFT_OK;
}

weft_status weft_pass_bind(weft_ir *ir)
{
    for (int i = 0; i < ir->nodes; i++)
        WEFT_TRY(bind_node(ir, &ir->node[i]));
    weft_ir_prune(ir);
    return check_bytes(ir);
}

/* split and split_like: consecutive parts along an axis, by sizes or by the shapes of other values. */
#include "ops/split.h"
#include "base/memory.h"
#include "ops/axes.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

/* Of both ops. */
typedef struct split_attributes {
    int64_t axis;
    int64_t size[]; /* split only: of each output; none: equal parts */
} split_attributes;

static int axis_of(const void *attributes, int rank)
{
    return weft_axis((int)((const split_attributes *)attributes)->axis, rank);
}

/* ---- Builders ---- */

void weft_split(weft_value x, int axis, const int64_t *sizes, int count, weft_value *parts)
{
    for (int i = 0; i < count; i++)
        parts[i] = weft_null(x.graph);
    if (count < 1) {
        weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "split: %d parts asked for", count);
        return;
    }
    size_t listed = sizes ? (size_t)count * sizeof(int64_t) : 0;
    size_t bytes = sizeof(split_attributes) + listed;
    weft_context *context = weft_graph_context(x.graph);
    split_attributes *attributes = weft_allocate(context, bytes);
    if (!attributes) {
        weft_graph_fail(x.graph, WEFT_ERROR_MEMORY, "split: out of memory for %d sizes", count);
        return;
    }
    attributes->axis = axis;
    if (sizes)
        memcpy(attributes->size, sizes, listed);
    weft_apply(x.graph, &weft_split_op, attributes, bytes, NULL, &x, 1, parts, count);
    weft_release(context, attributes, bytes);
}

void weft_split_like(const weft_value *values, int count, int axis, weft_value *parts)
{
    split_attributes attributes = {.axis = axis};
    weft_apply(values[0].graph, &weft_split_like_op, &attributes, sizeof(attributes), NULL, values,
               count + 1, parts, count);
}

/* ---- Rules ---- */

static int64_t equal_part(const weft_infer *infer, int64_t extent)
{
    return extent % infer->outputs == 0 ? extent / infer->outputs : 0;
}

static bool infer_split(weft_infer *infer)
{
    const split_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[0];
    int axis = weft_infer_axis(infer, (int)attributes->axis, x->rank);
    bool listed = infer->attribute_bytes > sizeof(*attributes);
    if (axis < 0)
        return false;
    int64_t extent = x->extent[axis], sum = 0;
    for (int i = 0; i < infer->outputs; i++) {
        int64_t size = listed ? attributes->size[i] : equal_part(infer, extent);
        if (listed && (size < 1 || size > extent - sum))
            return weft_infer_fail(infer,
                                   "size %lld of part %d does not fit into the %lld of axis %d",
                                   (long long)size, i, (long long)extent, axis);
        sum += size;
        infer->out_shape[i] = *x;
        infer->out_shape[i].extent[axis] = size;
        infer->out_dtype[i] = infer->dtype[0];
    }
    return sum == extent ||
           weft_infer_fail(infer, "%d %s do not add up to the %lld of axis %d", infer->outputs,
                           listed ? "sizes" : "equal parts", (long long)extent, axis);
}

static bool infer_split_like(weft_infer *infer)
{
    const weft_shape *x = &infer->shape[0];
    const split_attributes *attributes = infer->attributes;
    int axis = weft_infer_axis(infer, (int)attributes->axis, x->rank);
    if (axis < 0)
        return false;
    int64_t sum = 0;
    for (int i = 0; i < infer->outputs; i++) {
        if (infer->shape[1 + i].rank != x->rank)
            return weft_infer_fail(infer, "part %d has another number of dimensions", i);
        infer->out_shape[i] = *x;
        infer->out_shape[i].extent[axis] = infer->shape[1 + i].extent[axis];
        infer->out_dtype[i] = infer->dtype[0];
        sum += infer->out_shape[i].extent[axis];
    }
    return sum == x->extent[axis] ||
           weft_infer_fail(infer, "the parts do not add up to the %lld of axis %d",
                           (long long)x->extent[axis], axis);
}

/* Joins the gradients of the parts; zeros for those that have none. */
static void gradient(weft_gradient_call *call)
{
    const split_attributes *attributes = call->attributes;
    weft_context *context = weft_graph_context(call->graph);
    weft_value *part = weft_allocate_array(context, (size_t)call->outputs, sizeof(*part));
    if (!part) {
        weft_graph_fail(call->graph, WEFT_ERROR_MEMORY, "split: out of memory");
        return;
    }
    for (int i = 0; i < call->outputs; i++)
        part[i] = weft_is_null(call->output_gradient[i]) ? weft_fill_like(call->output[i], 0)
                                                         : call->output_gradient[i];
    call->input_gradient[0] = weft_concat(part, call->outputs, (int)attributes->axis);
    weft_release_array(context, part, (size_t)call->outputs, sizeof(*part));
}

/* ---- Execution; the sizes are those of the outputs ---- */

static int64_t offset_of(const weft_tensor *x, const weft_tensor *output, int part, int axis)
{
    int64_t offset = 0;
    for (int i = 0; i < part; i++)
        offset += output[i].extent[axis] * x->stride[axis];
    return offset;
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0];
    int axis = axis_of(operands->attributes, x->rank);
    for (int part = 0; part < operands->outputs; part++) {
        const weft_tensor *y = &operands->output[part];
        int64_t offset = offset_of(x, operands->output, part, axis);
        for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
            int64_t coordinate[WEFT_MAX_RANK];
            weft_unravel(y, i, coordinate);
            weft_copy_element(y, weft_tensor_offset(y, i), x,
                              offset + weft_offset_at(x, coordinate));
        }
    }
}

static bool bind(weft_bind *bind)
{
    const weft_tensor *x = &bind->input[0];
    int axis = axis_of(bind->attributes, x->rank);
    weft_copy_args *args = weft_copying_begin(bind, bind->outputs);
    if (!args)
        return false;
    for (int part = 0; part < bind->outputs; part++) {
        const weft_tensor *y = &bind->output[part];
        weft_copy_box box = {.from = 0, .to = bind->inputs + part, .rank = x->rank};
        memcpy(box.extent, y->extent, sizeof(y->extent));
        memcpy(box.from_stride, x->stride, sizeof(x->stride));
        memcpy(box.to_stride, y->stride, sizeof(y->stride));
        box.from_offset = offset_of(x, bind->output, part, axis);
        weft_copy_add(args, &box);
    }
    return weft_copying_bind(bind, args);
}

static bool view(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    const weft_tensor *x = &bind->input[0];
    memcpy(view->stride, x->stride, sizeof(view->stride));
    *offset = offset_of(x, bind->output, output, axis_of(bind->attributes, x->rank));
    return true;
}

static int identity(const weft_bind *bind)
{
    return bind->outputs == 1 ? 0 : -1;
}

static void label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "axis %d", (int)((const split_attributes *)attributes)->axis);
}

/* ---- Samples ---- */

static bool sample_split(weft_sampler *sampler, int index)
{
    static const struct {
        int rank, axis, parts;
        bool equal;
    } cases[] = {
        {4, -1, 3, false}, {3, 1, 2, true}, {4, 0, 2, false}, {2, 1, 5, false}, {1, 0, 1, true}};
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_shape shape = weft_sample_shape(sampler, cases[index].rank, 2, 5);
    int axis = weft_axis(cases[index].axis, cases[index].rank), parts = cases[index].parts;
    int64_t sizes[5], sum = 0;
    for (int i = 0; i < parts; i++) {
        sizes[i] = cases[index].equal ? 3 : weft_sampler_integer(sampler, 1, 6);
        sum += sizes[i];
    }
    shape.extent[axis] = sum;
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL), part[5];
    weft_split(x, cases[index].axis, cases[index].equal ? NULL : sizes, parts, part);
    for (int i = index == 0; i < parts; i++) /* the first case leaves an output without gradient */
        weft_sampler_output(sampler, part[i]);
    return true;
}

static bool sample_split_like(weft_sampler *sampler, int index)
{
    static const struct {
        int rank, axis, parts;
    } cases[] = {{4, -1, 3}, {3, 0, 2}, {2, 1, 1}};
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    int parts = cases[index].parts, axis = weft_axis(cases[index].axis, cases[index].rank);
    weft_shape shape = weft_sample_shape(sampler, cases[index].rank, 2, 5);
    weft_value values[4], part[3];
    int64_t sum = 0;
    for (int i = 1; i <= parts; i++) {
        shape.extent[axis] = weft_sampler_integer(sampler, 1, 6);
        sum += shape.extent[axis];
        values[i] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    }
    shape.extent[axis] = sum;
    values[0] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_split_like(values, parts, cases[index].axis, part);
    for (int i = 0; i < parts; i++)
        weft_sampler_output(sampler, part[i]);
    return true;
}

const weft_op weft_split_op = {
    .name = "split",
    .summary = "x cut along an axis",
    .shapes = "x [..] -> parts...",
    .parameters = "axis, sizes",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer_split,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .view = view,
    .identity = identity,
    .label = label,
    .sample = sample_split,
};

const weft_op weft_split_like_op = {
    .name = "split_like",
    .summary = "x cut along an axis into parts as long as those of like",
    .shapes = "x [..], like... [..] -> parts...",
    .parameters = "axis",
    .source = "chain rule of concat",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = WEFT_SPLIT_LIKE_PARTS + 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = ~WEFT_INPUT(0),
    .infer = infer_split_like,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .view = view,
    .identity = identity,
    .label = label,
    .sample = sample_split_like,
};

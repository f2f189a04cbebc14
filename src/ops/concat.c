/* concat: values one after the other along an axis. */
#include "base/memory.h"
#include "ops/axes.h"
#include "ops/copying.h"
#include "ops/cut.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/split.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

/* ---- Builder ---- */

static weft_value join(weft_graph *graph, const weft_value *x, int count, int axis)
{
    int32_t attribute = axis;
    return weft_apply(graph, &weft_concat_op, &attribute, sizeof(attribute), NULL, x, count, NULL,
                      1);
}

/* More values than the gradient can split at once are joined in groups, and those again. */
static weft_value join_groups(weft_graph *graph, const weft_value *x, int count, int axis)
{
    weft_context *context = weft_graph_context(graph);
    int groups = (count + WEFT_SPLIT_LIKE_PARTS - 1) / WEFT_SPLIT_LIKE_PARTS;
    weft_value *group = weft_allocate_array(context, (size_t)groups, sizeof(*group));
    if (!group)
        return weft_graph_fail(graph, WEFT_ERROR_MEMORY, "concat: out of memory");
    for (int i = 0; i < groups; i++) {
        int first = i * WEFT_SPLIT_LIKE_PARTS, left = count - first;
        group[i] = join(graph, x + first,
                        left < WEFT_SPLIT_LIKE_PARTS ? left : WEFT_SPLIT_LIKE_PARTS, axis);
    }
    weft_value all = weft_concat(group, groups, axis);
    weft_release_array(context, group, (size_t)groups, sizeof(*group));
    return all;
}

weft_value weft_concat(const weft_value *x, int count, int axis)
{
    if (count < 1)
        return (weft_value){0};
    if (count > WEFT_SPLIT_LIKE_PARTS)
        return join_groups(x[0].graph, x, count, axis);
    return join(x[0].graph, x, count, axis);
}

weft_status weft_concat_expand(weft_expansion *expansion, const int *operand, int count, int axis,
                               int as)
{
    int32_t attribute = axis;
    weft_expand_call call = {.op = &weft_concat_op,
                             .attributes = &attribute,
                             .attribute_bytes = sizeof(attribute),
                             .inputs = count,
                             .outputs = 1,
                             .as = {as}};
    int result;
    memcpy(call.input, operand, (size_t)count * sizeof(int));
    return weft_expand_node(expansion, &call, &result);
}

/* ---- Rules ---- */

static bool infer(weft_infer *infer)
{
    const weft_shape *first = &infer->shape[0];
    weft_shape *y = &infer->out_shape[0];
    int axis = weft_infer_axis(infer, *(const int32_t *)infer->attributes, first->rank);
    char a[120], b[120];
    if (axis < 0)
        return false;
    *y = *first;
    infer->out_dtype[0] = infer->dtype[0];
    for (int i = 1; i < infer->inputs; i++) {
        const weft_shape *x = &infer->shape[i];
        weft_shape same = *x;
        same.extent[axis] = first->extent[axis];
        if (infer->dtype[i] != infer->dtype[0])
            return weft_infer_fail(infer, "input %d is %s, input 0 %s", i,
                                   weft_dtype_name(infer->dtype[i]),
                                   weft_dtype_name(infer->dtype[0]));
        bool open = x->extent[axis] < 0, begun_open = first->extent[axis] < 0;
        if (x->rank != first->rank || !weft_shape_equal(same, *first) || open != begun_open)
            return weft_infer_fail(infer, "input %d, %s, and input 0, %s, do not fit along axis %d",
                                   i, weft_shape_text(*x, a, sizeof(a)),
                                   weft_shape_text(*first, b, sizeof(b)), axis);
        if (__builtin_add_overflow(y->extent[axis], x->extent[axis], &y->extent[axis]))
            return weft_infer_fail(infer, "axis %d would be too long", axis);
    }
    return true;
}

static void gradient(weft_gradient_call *call)
{
    weft_value values[WEFT_SPLIT_LIKE_PARTS + 1];
    values[0] = call->output_gradient[0];
    memcpy(values + 1, call->input, (size_t)call->inputs * sizeof(*values));
    weft_split_like(values, call->inputs, *(const int32_t *)call->attributes, call->input_gradient);
}

static int64_t offset_of(const weft_tensor *input, int index, const weft_tensor *y, int axis)
{
    int64_t offset = 0;
    for (int i = 0; i < index; i++)
        offset += input[i].extent[axis] * y->stride[axis];
    return offset;
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *y = &operands->output[0];
    int axis = weft_axis(*(const int32_t *)operands->attributes, y->rank);
    for (int k = 0; k < operands->inputs; k++) {
        const weft_tensor *x = &operands->input[k];
        int64_t offset = offset_of(operands->input, k, y, axis);
        for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
            int64_t coordinate[WEFT_MAX_RANK];
            weft_unravel(x, i, coordinate);
            weft_copy_element(y, offset + weft_offset_at(y, coordinate), x,
                              weft_tensor_offset(x, i));
        }
    }
}

static bool bind(weft_bind *bind)
{
    const weft_tensor *y = &bind->output[0];
    int axis = weft_axis(*(const int32_t *)bind->attributes, y->rank);
    weft_copy_args *args = weft_copying_begin(bind, bind->inputs);
    if (!args)
        return false;
    for (int k = 0; k < bind->inputs; k++) {
        const weft_tensor *x = &bind->input[k];
        weft_copy_box box = {.from = k, .to = bind->inputs, .rank = x->rank};
        memcpy(box.extent, x->extent, sizeof(x->extent));
        memcpy(box.from_stride, x->stride, sizeof(x->stride));
        memcpy(box.to_stride, y->stride, sizeof(y->stride));
        box.to_offset = offset_of(bind->input, k, y, axis);
        weft_copy_add(args, &box);
    }
    return weft_copying_bind(bind, args);
}

static bool place(const weft_bind *bind, int input, weft_tensor *view, int64_t *offset)
{
    const weft_tensor *y = &bind->output[0];
    memcpy(view->stride, y->stride, sizeof(view->stride));
    *offset =
        offset_of(bind->input, input, y, weft_axis(*(const int32_t *)bind->attributes, y->rank));
    return true;
}

static int identity(const weft_bind *bind)
{
    return bind->inputs == 1 ? 0 : -1;
}

static void label(const void *attributes, char *text, size_t size)
{
    snprintf(text, size, "axis %d", *(const int32_t *)attributes);
}

static bool sample(weft_sampler *sampler, int index)
{
    static const struct {
        int rank, axis, inputs;
    } cases[] = {{4, -1, 3}, {3, 0, 2}, {4, 2, 2}, {2, 1, 5}, {1, 0, 33}, {2, -1, 1}};
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    weft_value x[33];
    weft_shape shape = weft_sample_shape(sampler, cases[index].rank, 2, 5);
    int axis = weft_axis(cases[index].axis, cases[index].rank);
    for (int i = 0; i < cases[index].inputs; i++) {
        shape.extent[axis] = weft_sampler_integer(sampler, 1, 6);
        x[i] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    }
    if (cases[index].inputs == 5)
        x[3] = x[1]; /* one value twice */
    weft_sampler_output(sampler, weft_concat(x, cases[index].inputs, cases[index].axis));
    return true;
}

const weft_op weft_concat_op = {
    .name = "concat",
    .summary = "the inputs one after the other along an axis",
    .shapes = "x... [..] -> [..]",
    .parameters = "axis",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = WEFT_SPLIT_LIKE_PARTS,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .place = place,
    .identity = identity,
    .label = label,
    .sample = sample,
};

/* reshape, and its likes: the same elements in another shape. */
#include "ops/axes.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

/* Where an extent of the result comes from. */
enum { FIXED = -1, REST = -2 }; /* else: that dimension of x */

typedef struct reshape_attributes {
    int32_t rank;
    int32_t source[WEFT_MAX_RANK];
    int64_t extent[WEFT_MAX_RANK]; /* where fixed */
} reshape_attributes;

/* ---- Builders ---- */

static reshape_attributes no_attributes(void)
{
    reshape_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    return attributes;
}

static weft_value apply(weft_value x, const reshape_attributes *attributes, const char *name)
{
    return weft_apply(x.graph, &weft_reshape_op, attributes, sizeof(*attributes), name, &x, 1, NULL,
                      1);
}

weft_value weft_reshape(weft_value x, weft_shape shape)
{
    char text[120];
    reshape_attributes attributes = no_attributes();
    attributes.rank = shape.rank;
    for (int i = 0; i < shape.rank && i < WEFT_MAX_RANK; i++) {
        if (shape.extent[i] < WEFT_BATCH)
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "reshape: extents are positive, 0 (the same) or -1 (the rest): "
                                   "%s",
                                   weft_shape_text(shape, text, sizeof(text)));
        attributes.extent[i] = shape.extent[i] > 0 ? shape.extent[i] : 0;
        attributes.source[i] = shape.extent[i] > 0 ? FIXED : shape.extent[i] == 0 ? i : REST;
    }
    return apply(x, &attributes, NULL);
}

weft_value weft_flatten(weft_value x, int axis)
{
    reshape_attributes attributes = no_attributes();
    int rank = weft_shape_get(x).rank, kept = weft_axis(axis, rank);
    if (rank >= 0 && kept < 0)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                               "flatten: there is no axis %d among %d dimensions", axis, rank);
    attributes.rank = kept + 1;
    for (int i = 0; i < kept; i++)
        attributes.source[i] = i;
    if (kept >= 0)
        attributes.source[kept] = REST;
    return apply(x, &attributes, "flatten");
}

weft_value weft_expand_dims(weft_value x, const int *axes, int count)
{
    int rank = weft_shape_get(x).rank + count;
    bool added[WEFT_MAX_RANK] = {false};
    for (int i = 0; i < count && !weft_is_null(x); i++) {
        int axis = weft_axis(axes[i], rank);
        if (rank > WEFT_MAX_RANK || axis < 0 || added[axis])
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "expand_dims: axis %d cannot be added to %d dimensions", axes[i],
                                   rank - count);
        added[axis] = true;
    }
    reshape_attributes attributes = no_attributes();
    attributes.rank = rank;
    for (int i = 0, own = 0; i < rank && i < WEFT_MAX_RANK; i++) {
        attributes.source[i] = added[i] ? FIXED : own++;
        attributes.extent[i] = added[i];
    }
    return apply(x, &attributes, "expand_dims");
}

weft_value weft_squeeze(weft_value x, const int *axes, int count)
{
    weft_shape shape = weft_shape_get(x);
    bool dropped[WEFT_MAX_RANK] = {false};
    for (int i = 0; i < shape.rank; i++)
        dropped[i] = count == 0 && shape.extent[i] == 1;
    for (int i = 0; i < count && !weft_is_null(x); i++) {
        int axis = weft_axis(axes[i], shape.rank);
        char text[120];
        if (axis < 0 || dropped[axis] || shape.extent[axis] != 1)
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "squeeze: axis %d of %s is not one of extent 1", axes[i],
                                   weft_shape_text(shape, text, sizeof(text)));
        dropped[axis] = true;
    }
    reshape_attributes attributes = no_attributes();
    for (int i = 0; i < shape.rank; i++)
        if (!dropped[i])
            attributes.source[attributes.rank++] = i;
    return apply(x, &attributes, "squeeze");
}

weft_value weft_reshape_like(weft_value x, weft_value like)
{
    return weft_apply(x.graph, &weft_reshape_like_op, NULL, 0, NULL, (weft_value[]){x, like}, 2,
                      NULL, 1);
}

/* ---- Rules ---- */

static bool fails_to_fit(const weft_infer *infer, weft_shape y)
{
    char a[120], b[120];
    return weft_infer_fail(infer, "cannot give %s the shape %s",
                           weft_shape_text(infer->shape[0], a, sizeof(a)),
                           weft_shape_text(y, b, sizeof(b)));
}

/* The extent of REST: all elements over those of the other dimensions; 0 where that is not whole. */
static int64_t rest_of(int64_t all, int64_t others)
{
    return others && all % others == 0 ? all / others : 0;
}

static bool infer_reshape(weft_infer *infer)
{
    const reshape_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[0];
    weft_shape y = {.rank = attributes->rank};
    infer->out_dtype[0] = infer->dtype[0];
    int rest = -1;
    if (y.rank > WEFT_MAX_RANK)
        return weft_infer_fail(infer, "%d dimensions are more than %d", y.rank, WEFT_MAX_RANK);
    for (int i = 0; i < y.rank; i++) {
        int source = attributes->source[i];
        if (source >= x->rank)
            return weft_infer_fail(infer, "extent %d is to stay, but the input has %d dimensions",
                                   i, x->rank);
        if (source == REST && rest >= 0)
            return weft_infer_fail(infer, "only one extent can be what the others leave");
        if (source == REST)
            rest = i;
        y.extent[i] = source == REST    ? 1
                      : source == FIXED ? attributes->extent[i]
                                        : x->extent[source];
    }
    int64_t all = weft_shape_elements(*x), others = weft_shape_elements(y);
    if (rest >= 0)
        y.extent[rest] = rest_of(all, others);
    infer->out_shape[0] = y;
    if (rest >= 0 && y.extent[rest] == 0)
        y.extent[rest] = WEFT_BATCH;
    return weft_shape_elements(infer->out_shape[0]) == all || fails_to_fit(infer, y);
}

static bool infer_reshape_like(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[1];
    infer->out_dtype[0] = infer->dtype[0];
    return weft_shape_elements(infer->shape[0]) == weft_shape_elements(infer->shape[1]) ||
           fails_to_fit(infer, infer->shape[1]);
}

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_reshape_like(call->output_gradient[0], call->input[0]);
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        weft_copy_element(y, weft_tensor_offset(y, i), x, weft_tensor_offset(x, i));
}

/* From any strides into a dense result. */
static bool bind(weft_bind *bind)
{
    const weft_tensor *x = &bind->input[0];
    weft_copy_args *args = weft_copying_begin(bind, 1);
    if (!args)
        return false;
    weft_copy_box box = {.from = 0, .to = bind->inputs, .rank = x->rank};
    int64_t dense = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        box.extent[i] = x->extent[i];
        box.from_stride[i] = x->stride[i];
        box.to_stride[i] = dense;
        dense *= x->extent[i];
    }
    weft_copy_add(args, &box);
    return weft_copying_bind(bind, args);
}

/* Merges the dimensions of x that are one stretch into groups, then lets each group, from the inside, be
 * divided among extents of the view. */
static bool view(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    const weft_tensor *x = &bind->input[0];
    int64_t extent[WEFT_MAX_RANK] = {1}, stride[WEFT_MAX_RANK] = {1};
    int groups = 0;
    (void)output;
    for (int i = 0; i < x->rank; i++) {
        if (x->extent[i] == 1)
            continue;
        bool joins = groups && stride[groups - 1] == x->extent[i] * x->stride[i];
        int at = joins ? groups - 1 : groups++;
        extent[at] = joins ? extent[at] * x->extent[i] : x->extent[i];
        stride[at] = x->stride[i];
    }
    int group = groups - 1;
    for (int i = view->rank - 1; i >= 0; i--) {
        view->stride[i] = 1;
        if (view->extent[i] == 1)
            continue;
        if (extent[group] == 1)
            group--;
        if (extent[group] % view->extent[i] != 0)
            return false;
        view->stride[i] = stride[group];
        stride[group] *= view->extent[i];
        extent[group] /= view->extent[i];
    }
    *offset = 0;
    return view->rank == 0 || view->stride[view->rank - 1] == 1;
}

static void label(const void *given, char *text, size_t size)
{
    const reshape_attributes *attributes = given;
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < attributes->rank && used < size; i++) {
        const char *comma = i ? "," : "";
        if (attributes->source[i] == FIXED)
            used += (size_t)snprintf(text + used, size - used, "%s%lld", comma,
                                     (long long)attributes->extent[i]);
        else
            used += (size_t)snprintf(text + used, size - used, "%s%s", comma,
                                     attributes->source[i] == REST ? "*" : "=");
    }
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* ---- Samples ---- */

static bool sample_reshape(weft_sampler *sampler, int index)
{
    weft_shape shape = weft_sample_shape(sampler, 4, 2, 5);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL), y = x;
    int64_t n = weft_shape_elements(shape);
    switch (index) {
    case 0:
        y = weft_reshape(x, weft_shape_of(0, -1, 1));
        break;
    case 1:
        y = weft_reshape(x, weft_shape_of(n));
        break;
    case 2:
        y = weft_flatten(x, -3);
        break;
    case 3:
        y = weft_expand_dims(x, (int[]){0, -2}, 2);
        break;
    case 4:
        y = weft_reshape(weft_slice(x, &(weft_slice_options){.size = {0, 0, 0, 1}}),
                         weft_shape_of(0, -1));
        break;
    case 5:
        y = weft_squeeze(weft_expand_dims(x, (int[]){1, -1}, 2), (int[]){-1}, 1);
        break;
    default:
        return false;
    }
    weft_sampler_output(sampler, y);
    return true;
}

static bool sample_reshape_like(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    weft_shape shape = weft_sample_shape(sampler, 3, 2, 5);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_shape other = index ? weft_shape_of(shape.extent[2], shape.extent[0] * shape.extent[1])
                             : weft_shape_of(shape.extent[1], shape.extent[2], 1, shape.extent[0]);
    weft_value like = weft_sampler_input(sampler, other, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_reshape_like(x, like));
    return true;
}

const weft_op weft_reshape_op = {
    .name = "reshape",
    .summary = "the elements of x, row-major, in another shape",
    .shapes = "x [..] -> shape",
    .parameters = "shape",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_AFFINE,
    .infer = infer_reshape,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .view = view,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample_reshape,
};

const weft_op weft_reshape_like_op = {
    .name = "reshape_like",
    .summary = "the elements of x, row-major, in the shape of like",
    .shapes = "x [..], like [..] -> as like",
    .source = "chain rule of reshape",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS,
    .shape_only = WEFT_INPUT(1),
    .infer = infer_reshape_like,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_copying_cost,
    .view = view,
    .identity = weft_identity_of_extents,
    .sample = sample_reshape_like,
};

/* Repeating a value to a shape and summing it back: each is the other's gradient. */
#include "graph/bind_map.h"
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/reduction.h"
#include "ops/rules.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

#include <string.h>

/* True where `narrow` broadcasts to exactly `wide`. */
static bool check_shapes(weft_infer *infer, const weft_shape *narrow, const weft_shape *wide)
{
    bool fits = narrow->rank <= wide->rank;
    for (int d = 0; fits && d < narrow->rank; d++) {
        int64_t extent = narrow->extent[d];
        fits = extent == 1 || extent == wide->extent[d + wide->rank - narrow->rank];
    }
    if (fits)
        return true;
    char from[120], to[120];
    return weft_infer_fail(infer, "%s does not broadcast to %s",
                           weft_shape_text(*narrow, from, sizeof(from)),
                           weft_shape_text(*wide, to, sizeof(to)));
}

/* ---- broadcast_like ---- */

static bool broadcast_infer(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[1];
    return weft_infer_real(infer, 0, "input") &&
           check_shapes(infer, &infer->shape[0], &infer->shape[1]);
}

static void broadcast_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = weft_sum_like(call->output_gradient[0], call->input[0]);
}

static bool sample(weft_sampler *sampler, int index, bool sum)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 9);
    int64_t c = weft_sampler_integer(sampler, 2, 37);
    const weft_shape wide = {4, {n, h, 3, c}};
    const weft_shape narrow[] = {
        {1, {c}}, {0}, {4, {n, 1, 1, c}}, {3, {h, 3, 1}}, {4, {n, h, 3, c}}, {4, {1, h, 1, c}},
    };
    if (index >= (int)(sizeof(narrow) / sizeof(narrow[0])))
        return false;
    weft_value x = weft_sampler_input(sampler, sum ? wide : narrow[index], WEFT_SAMPLE_NORMAL);
    weft_value like = weft_sampler_input(sampler, sum ? narrow[index] : wide, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, sum ? weft_sum_like(x, like) : weft_broadcast_like(x, like));
    return true;
}

static bool broadcast_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, false);
}

const weft_op weft_broadcast_like_op = {
    .name = "broadcast_like",
    .summary = "x repeated to the shape of like",
    .shapes = "x, like [..] -> [..]",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(1),
    .infer = broadcast_infer,
    .gradient = broadcast_gradient,
    .run_f64 = weft_map_run_f64,
    .bind = weft_map_bind_op,
    .cost = weft_map_cost,
    .identity = weft_identity_of_extents,
    .sample = broadcast_sample,
};

weft_value weft_broadcast_like(weft_value x, weft_value like)
{
    const weft_map_attributes attributes = {.function = WEFT_MAP_COPY};
    return weft_apply(x.graph, &weft_broadcast_like_op, &attributes, sizeof(attributes), NULL,
                      (weft_value[]){x, like}, 2, NULL, 1);
}

/* ---- expand ---- */

typedef struct expand_attributes {
    weft_map_attributes map;
    weft_shape shape; /* 0: the extent of the input */
} expand_attributes;

weft_value weft_expand(weft_value x, weft_shape shape)
{
    expand_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.map.function = WEFT_MAP_COPY;
    attributes.shape.rank = shape.rank;
    for (int i = 0; i < shape.rank && i < WEFT_MAX_RANK; i++) {
        if (shape.extent[i] < 0)
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "expand: extent %d is open; see broadcast_like", i);
        attributes.shape.extent[i] = shape.extent[i];
    }
    return weft_apply(x.graph, &weft_expand_op, &attributes, sizeof(attributes), NULL, &x, 1, NULL,
                      1);
}

static bool expand_infer(weft_infer *infer)
{
    const expand_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[0];
    weft_shape *y = &infer->out_shape[0];
    *y = attributes->shape;
    if (y->rank > WEFT_MAX_RANK)
        return weft_infer_fail(infer, "%d dimensions are more than %d", y->rank, WEFT_MAX_RANK);
    for (int d = 0; d < y->rank; d++) {
        int own = d - (y->rank - x->rank);
        if (y->extent[d] == 0 && own < 0)
            return weft_infer_fail(infer, "extent %d is to be that of an input of %d dimensions", d,
                                   x->rank);
        if (y->extent[d] == 0)
            y->extent[d] = x->extent[own];
    }
    return weft_infer_real(infer, 0, "input") && check_shapes(infer, x, y);
}

static void expand_label(const void *attributes, char *text, size_t size)
{
    weft_shape_text(((const expand_attributes *)attributes)->shape, text, size);
}

static bool expand_sample(weft_sampler *sampler, int index)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), c = weft_sampler_integer(sampler, 2, 37);
    const weft_shape shapes[][2] = {
        {{1, {c}}, {3, {n, 3, 0}}},       {{0}, {2, {3, 5}}},
        {{3, {n, 1, c}}, {3, {0, 6, 0}}}, {{2, {n, 1}}, {4, {2, 1, 0, c}}},
        {{2, {n, c}}, {2, {n, 0}}},
    };
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    weft_value x = weft_sampler_input(sampler, shapes[index][0], WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_expand(x, shapes[index][1]));
    return true;
}

const weft_op weft_expand_op = {
    .name = "expand",
    .summary = "x repeated to a shape",
    .shapes = "x [..] -> shape",
    .parameters = "shape",
    .source = "definition",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = expand_infer,
    .gradient = broadcast_gradient,
    .run_f64 = weft_map_run_f64,
    .bind = weft_map_bind_op,
    .cost = weft_map_cost,
    .identity = weft_identity_of_extents,
    .label = expand_label,
    .sample = expand_sample,
};

/* ---- sum_like ---- */

static bool sum_infer(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[1];
    return weft_infer_real(infer, 0, "input") &&
           check_shapes(infer, &infer->shape[1], &infer->shape[0]);
}

static void sum_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = weft_broadcast_like(call->output_gradient[0], call->input[0]);
}

static void sum_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    const double *from = x->data;
    double *to = y->data;
    weft_tensor wide = weft_tensor_broadcast(y, x);
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        to[weft_tensor_offset(y, i)] = 0;
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++)
        to[weft_tensor_offset(&wide, i)] += from[weft_tensor_offset(x, i)];
}

static bool sum_bind(weft_bind *bind)
{
    if (weft_identity_of_extents(bind) == 0)
        return weft_map_bind(bind, WEFT_MAP_COPY, 0, 0);
    const weft_tensor *x = &bind->input[0];
    weft_tensor wide = weft_tensor_broadcast(&bind->output[0], x);
    bool reduced[WEFT_MAX_RANK];
    for (int d = 0; d < x->rank; d++)
        reduced[d] = wide.stride[d] == 0;
    return weft_bind_reduction(bind, WEFT_REDUCE_SUM, 1, reduced, wide.stride);
}

static void sum_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[0]);
    cost->bytes = weft_bind_bytes(bind);
}

static bool sum_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, true);
}

const weft_op weft_sum_like_op = {
    .name = "sum_like",
    .summary = "x summed over what the shape of like would be repeated along",
    .shapes = "x [..], like -> as like",
    .source = "chain rule of broadcast_like",

    .family = WEFT_FAMILY_REDUCTION,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(1),
    .infer = sum_infer,
    .gradient = sum_gradient,
    .run_f64 = sum_f64,
    .bind = sum_bind,
    .cost = sum_cost,
    .identity = weft_identity_of_extents,
    .sample = sum_sample,
};

weft_value weft_sum_like(weft_value x, weft_value like)
{
    return weft_apply(x.graph, &weft_sum_like_op, NULL, 0, NULL, (weft_value[]){x, like}, 2, NULL,
                      1);
}

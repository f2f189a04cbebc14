/* gather takes parts of x from positions along an axis; its gradient adds values up at positions, and the
 * gradient of that gathers again. */
#include "kernels/gather.h"

#include "ops/axes.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

enum { X, INDICES, LIKE }; /* gather has no third: its x is what is like */

typedef struct gather_attributes {
    int32_t axis;
    int32_t
        each; /* an index for each element of the result, not for each position along the axis */
} gather_attributes;

/* ---- Builders ---- */

static weft_value gather(weft_value x, weft_value indices, gather_attributes attributes)
{
    return weft_apply(x.graph, &weft_gather_op, &attributes, sizeof(attributes), NULL,
                      (weft_value[]){x, indices}, 2, NULL, 1);
}

static weft_value scatter(weft_value x, weft_value indices, weft_value like,
                          gather_attributes attributes)
{
    return weft_apply(x.graph, &weft_scatter_add_op, &attributes, sizeof(attributes), NULL,
                      (weft_value[]){x, indices, like}, 3, NULL, 1);
}

weft_value weft_gather(weft_value x, weft_value indices, int axis)
{
    return gather(x, indices, (gather_attributes){axis, false});
}

weft_value weft_gather_elements(weft_value x, weft_value indices, int axis)
{
    return gather(x, indices, (gather_attributes){axis, true});
}

weft_value weft_scatter_add_like(weft_value x, weft_value indices, weft_value like, int axis)
{
    return scatter(x, indices, like, (gather_attributes){axis, false});
}

weft_value weft_scatter_add_elements_like(weft_value x, weft_value indices, weft_value like,
                                          int axis)
{
    return scatter(x, indices, like, (gather_attributes){axis, true});
}

/* ---- Rules ---- */

static bool infer_each(const weft_infer *infer, const weft_shape *x, int axis)
{
    const weft_shape *indices = &infer->shape[INDICES];
    char a[120], b[120];
    bool fits = indices->rank == x->rank;
    for (int d = 0; fits && d < x->rank; d++)
        fits = d == axis || indices->extent[d] == x->extent[d];
    return fits || weft_infer_fail(infer, "indices %s and %s differ in more than dimension %d",
                                   weft_shape_text(*indices, a, sizeof(a)),
                                   weft_shape_text(*x, b, sizeof(b)), axis);
}

/* The shape of what is gathered from the shape x. */
static bool infer_gathered(const weft_infer *infer, const weft_shape *x, weft_shape *y)
{
    const gather_attributes *attributes = infer->attributes;
    const weft_shape *indices = &infer->shape[INDICES];
    int axis = weft_infer_axis(infer, attributes->axis, x->rank);
    if (axis < 0)
        return false;
    if (infer->dtype[INDICES] != WEFT_INT32)
        return weft_infer_fail(infer, "indices must be int32, not %s",
                               weft_dtype_name(infer->dtype[INDICES]));
    *y = *indices;
    if (attributes->each)
        return infer_each(infer, x, axis);
    y->rank = x->rank - 1 + indices->rank;
    if (y->rank > WEFT_MAX_RANK)
        return weft_infer_fail(infer, "%d dimensions are more than %d", y->rank, WEFT_MAX_RANK);
    for (int d = 0; d < axis; d++)
        y->extent[d] = x->extent[d];
    for (int d = 0; d < indices->rank; d++)
        y->extent[axis + d] = indices->extent[d];
    for (int d = axis + 1; d < x->rank; d++)
        y->extent[d - 1 + indices->rank] = x->extent[d];
    return true;
}

static bool infer_gather(weft_infer *infer)
{
    return weft_infer_real(infer, X, "input") &&
           infer_gathered(infer, &infer->shape[X], &infer->out_shape[0]);
}

static bool infer_scatter(weft_infer *infer)
{
    weft_shape gathered;
    char a[120], b[120];
    infer->out_shape[0] = infer->shape[LIKE];
    if (!weft_infer_real(infer, X, "input") ||
        !infer_gathered(infer, &infer->shape[LIKE], &gathered))
        return false;
    return weft_shape_equal(infer->shape[X], gathered) ||
           weft_infer_fail(infer, "input %s must have the shape %s",
                           weft_shape_text(infer->shape[X], a, sizeof(a)),
                           weft_shape_text(gathered, b, sizeof(b)));
}

static void gather_gradient(weft_gradient_call *call)
{
    if (call->wanted[X])
        call->input_gradient[X] =
            scatter(call->output_gradient[0], call->input[INDICES], call->input[X],
                    *(const gather_attributes *)call->attributes);
}

static void scatter_gradient(weft_gradient_call *call)
{
    if (call->wanted[X])
        call->input_gradient[X] = gather(call->output_gradient[0], call->input[INDICES],
                                         *(const gather_attributes *)call->attributes);
}

/* ---- Plain forms ---- */

/* Of the element of `small`, what is gathered, at these coordinates: its place in `large`; false where its
 * index names none. */
static bool place(const gather_attributes *attributes, const weft_tensor *indices,
                  const weft_tensor *large, const int64_t *coordinate, int64_t *offset)
{
    int axis = weft_axis(attributes->axis, large->rank);
    const int64_t *at = attributes->each ? coordinate : coordinate + axis;
    int32_t index = ((const int32_t *)indices->data)[weft_offset_at(indices, at)];
    int dimensions = attributes->each ? 1 : indices->rank; /* of small, for the axis */
    *offset = index * large->stride[axis];
    for (int d = 0; d < large->rank; d++)
        if (d != axis)
            *offset += coordinate[d < axis ? d : d - 1 + dimensions] * large->stride[d];
    return index >= 0 && index < large->extent[axis];
}

static void gather_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[X], *indices = &operands->input[INDICES];
    const weft_tensor *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t coordinate[WEFT_MAX_RANK], from;
        weft_unravel(y, i, coordinate);
        bool named = place(operands->attributes, indices, x, coordinate, &from);
        ((double *)y->data)[weft_tensor_offset(y, i)] = named ? ((const double *)x->data)[from] : 0;
    }
}

static void scatter_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[X], *indices = &operands->input[INDICES];
    const weft_tensor *y = &operands->output[0];
    weft_clear_f64(y);
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
        int64_t coordinate[WEFT_MAX_RANK], to;
        weft_unravel(x, i, coordinate);
        if (place(operands->attributes, indices, y, coordinate, &to))
            ((double *)y->data)[to] += ((const double *)x->data)[weft_tensor_offset(x, i)];
    }
}

/* ---- Kernels ---- */

static bool bind_kernel(weft_bind *bind, const weft_tensor *large, weft_piece_fn *run,
                        int64_t (*cut)(weft_gather_args *))
{
    const gather_attributes *attributes = bind->attributes;
    const weft_tensor *indices = &bind->input[INDICES];
    int axis = weft_axis(attributes->axis, large->rank);
    weft_gather_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    *args = (weft_gather_args){.outer = 1,
                               .extent = large->extent[axis],
                               .inner = 1,
                               .each = attributes->each,
                               .to = bind->inputs};
    for (int d = 0; d < large->rank; d++)
        if (d != axis)
            *(d < axis ? &args->outer : &args->inner) *= large->extent[d];
    args->positions = attributes->each ? indices->extent[axis] : weft_tensor_elements(indices);
    weft_bind_phase(bind, run, cut(args));
    return true;
}

static bool bind_gather(weft_bind *bind)
{
    return bind_kernel(bind, &bind->input[X], weft_gather_run, weft_gather_cut);
}

static bool bind_scatter(weft_bind *bind)
{
    return bind_kernel(bind, &bind->output[0], weft_scatter_add_run, weft_scatter_cut);
}

/* Of what x has, only what is named is read. */
static void gather_cost(const weft_bind *bind, weft_cost *cost)
{
    double large = (double)weft_tensor_elements(&bind->input[X]);
    double small = (double)weft_bind_elements(bind);
    cost->flops = 0;
    cost->bytes = weft_bind_bytes(bind) - (large > small ? 4 * (large - small) : 0);
}

static void scatter_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[X]);
    cost->bytes = weft_bind_bytes(bind);
}

static void label(const void *given, char *text, size_t size)
{
    const gather_attributes *attributes = given;
    snprintf(text, size, "axis %d%s", attributes->axis, attributes->each ? ", each" : "");
}

/* ---- Samples ---- */

/* Indices that repeat, that leave places out, and that name nothing; enough to be cut into pieces. */
static const struct {
    gather_attributes attributes;
    weft_shape large, indices; /* 0: random */
} samples[] = {
    {{0, false}, {2, {0, 5}}, {1, {0}}},         {{1, false}, {3, {3, 0, 2}}, {2, {2, 3}}},
    {{-1, false}, {2, {0, 7}}, {1, {4}}},        {{1, false}, {2, {3, 0}}, {0}},
    {{0, false}, {2, {9, 1201}}, {1, {23}}},     {{0, true}, {1, {0}}, {1, {9}}},
    {{1, true}, {3, {2, 0, 3}}, {3, {2, 4, 3}}}, {{-2, true}, {2, {4, 131}}, {2, {7, 131}}},
    {{2, true}, {3, {2, 3, 0}}, {3, {2, 3, 5}}},
};

static bool sample_inputs(weft_sampler *sampler, int index, weft_shape *large, weft_value *indices)
{
    if (index >= (int)(sizeof(samples) / sizeof(samples[0])))
        return false;
    weft_shape places = samples[index].indices;
    *large = samples[index].large;
    for (int d = 0; d < WEFT_MAX_RANK; d++) {
        if (d < large->rank && large->extent[d] == 0)
            large->extent[d] = weft_sampler_integer(sampler, 2, 6);
        if (d < places.rank && places.extent[d] == 0)
            places.extent[d] = weft_sampler_integer(sampler, 2, 6);
    }
    int64_t extent = large->extent[weft_axis(samples[index].attributes.axis, large->rank)];
    bool several = weft_shape_elements(places) > 5; /* of few, none might name a place */
    *indices = weft_sampler_labels(sampler, places, (int32_t)extent + several);
    return true;
}

static bool sample_gather(weft_sampler *sampler, int index)
{
    weft_shape large;
    weft_value indices;
    if (!sample_inputs(sampler, index, &large, &indices))
        return false;
    weft_value x = weft_sampler_input(sampler, large, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, gather(x, indices, samples[index].attributes));
    return true;
}

static bool sample_scatter(weft_sampler *sampler, int index)
{
    weft_shape large;
    weft_value indices;
    if (!sample_inputs(sampler, index, &large, &indices))
        return false;
    weft_value like = weft_sampler_input(sampler, large, WEFT_SAMPLE_NORMAL);
    weft_shape small = weft_shape_get(gather(like, indices, samples[index].attributes));
    weft_value x = weft_sampler_input(sampler, small, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, scatter(x, indices, like, samples[index].attributes));
    return true;
}

/* Indices along the first axis name images. */
static bool mixes(const weft_bind *bind)
{
    const gather_attributes *attributes = bind->attributes;
    const weft_tensor *large = &bind->input[bind->inputs > LIKE ? LIKE : X];
    return weft_axis(attributes->axis, large->rank) == 0;
}

const weft_op weft_gather_op = {
    .name = "gather",
    .summary = "the elements of x at indices along an axis; 0 where there is none",
    .shapes = "x [..,n,..], indices [..] int32 -> [..] with indices in place of n",
    .parameters = "axis, each",
    .source = "NumPy's take and take_along_axis",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .infer = infer_gather,
    .gradient = gather_gradient,
    .mixes = mixes,
    .run_f64 = gather_f64,
    .bind = bind_gather,
    .cost = gather_cost,
    .label = label,
    .sample = sample_gather,
};

const weft_op weft_scatter_add_op = {
    .name = "scatter_add",
    .summary = "zeros in the shape of like, and dy added at indices along an axis",
    .shapes = "dy [..], indices [..] int32, like [..,n,..] -> as like",
    .parameters = "axis, each",
    .source = "chain rule of gather",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer_scatter,
    .gradient = scatter_gradient,
    .mixes = mixes,
    .run_f64 = scatter_f64,
    .bind = bind_scatter,
    .cost = scatter_cost,
    .label = label,
    .sample = sample_scatter,
};

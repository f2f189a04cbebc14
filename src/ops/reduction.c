/* sum, mean, max and min over axes, and what all reductions share. */
#include "ops/reduction.h"

#include "kernels/integer.h"
#include "ops/axes.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Which dimensions ---- */

bool weft_reduce_select(const weft_reduce_attributes *attributes, int rank, bool *reduced)
{
    for (int i = 0; i < rank; i++)
        reduced[i] = attributes->axes == 0;
    for (int i = 0; i < attributes->axes; i++) {
        int axis = weft_axis(attributes->axis[i], rank);
        if (axis < 0 || reduced[axis])
            return false;
        reduced[axis] = true;
    }
    return true;
}

bool weft_reduce_infer(weft_infer *infer)
{
    const weft_reduce_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[0];
    bool reduced[WEFT_MAX_RANK];
    char text[120];
    if (!weft_infer_real(infer, 0, "input"))
        return false;
    if (!weft_reduce_select(attributes, x->rank, reduced))
        return weft_infer_fail(infer, "axes must be different dimensions of the input %s",
                               weft_shape_text(*x, text, sizeof(text)));
    weft_shape y = {0};
    for (int i = 0; i < x->rank; i++)
        if (!reduced[i])
            y.extent[y.rank++] = x->extent[i];
        else if (attributes->keep_dims)
            y.extent[y.rank++] = 1;
    infer->out_shape[0] = y;
    return true;
}

/* Which dimensions of x are reduced, and the stride of y along each of the others. */
static void match(const weft_reduce_attributes *attributes, const weft_tensor *x,
                  const weft_tensor *y, bool *reduced, int64_t *to_stride)
{
    weft_reduce_select(attributes, x->rank, reduced);
    for (int i = 0, own = 0; i < x->rank; i++) {
        to_stride[i] = reduced[i] ? 0 : y->stride[own];
        own += !reduced[i] || attributes->keep_dims;
    }
}

double weft_reduce_count(const weft_tensor *x, const weft_tensor *y)
{
    return (double)weft_tensor_elements(x) / (double)weft_tensor_elements(y);
}

/* ---- Builders ---- */

weft_reduce_attributes weft_reduce_attributes_of(const weft_op *op, weft_value x,
                                                 const weft_reduce_options *options)
{
    weft_reduce_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    if (options->axis_count < 0 || options->axis_count > WEFT_MAX_RANK) {
        weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "%s: %d axes given", op->name,
                        options->axis_count);
        attributes.axes = -1;
        return attributes;
    }
    attributes.axes = options->axis_count;
    attributes.keep_dims = options->keep_dims;
    for (int i = 0; i < options->axis_count; i++)
        attributes.axis[i] = options->axes[i];
    return attributes;
}

weft_value weft_reduce_apply(const weft_op *op, weft_value x,
                             const weft_reduce_attributes *attributes, const char *name)
{
    if (attributes->axes < 0)
        return weft_null(x.graph);
    return weft_apply(x.graph, op, attributes, sizeof(*attributes), name, &x, 1, NULL, 1);
}

static weft_value reduce(const weft_op *op, weft_value x, const weft_reduce_options *options)
{
    static const weft_reduce_options defaults;
    if (!options)
        options = &defaults;
    weft_reduce_attributes attributes = weft_reduce_attributes_of(op, x, options);
    return weft_reduce_apply(op, x, &attributes, options->name);
}

weft_value weft_sum(weft_value x, const weft_reduce_options *options)
{
    return reduce(&weft_sum_op, x, options);
}

weft_value weft_mean(weft_value x, const weft_reduce_options *options)
{
    return reduce(&weft_mean_op, x, options);
}

weft_value weft_max(weft_value x, const weft_reduce_options *options)
{
    return reduce(&weft_max_op, x, options);
}

weft_value weft_min(weft_value x, const weft_reduce_options *options)
{
    return reduce(&weft_min_op, x, options);
}

/* ---- Gradients ---- */

weft_value weft_reduce_with_dims(const weft_gradient_call *call, weft_value value)
{
    const weft_reduce_attributes *attributes = call->attributes;
    if (attributes->keep_dims)
        return value;
    int rank = weft_shape_get(call->input[0]).rank, axes = 0, axis[WEFT_MAX_RANK];
    bool reduced[WEFT_MAX_RANK];
    weft_reduce_select(attributes, rank, reduced);
    for (int i = 0; i < rank; i++)
        if (reduced[i])
            axis[axes++] = i;
    return weft_expand_dims(value, axis, axes);
}

static void sum_gradient(weft_gradient_call *call)
{
    weft_value dy = weft_reduce_with_dims(call, call->output_gradient[0]);
    call->input_gradient[0] = weft_broadcast_like(dy, call->input[0]);
}

static void mean_gradient(weft_gradient_call *call)
{
    weft_value dy =
        weft_divide_by_count(weft_reduce_with_dims(call, call->output_gradient[0]), call->input[0]);
    call->input_gradient[0] = weft_broadcast_like(dy, call->input[0]);
}

weft_reduce_options weft_reduce_keeping(const weft_reduce_attributes *attributes)
{
    weft_reduce_options options = {.axis_count = attributes->axes, .keep_dims = true};
    for (int i = 0; i < attributes->axes; i++)
        options.axes[i] = attributes->axis[i];
    return options;
}

/* Of max and min: shared equally among the elements that are the result. */
static void extreme_gradient(weft_gradient_call *call)
{
    weft_reduce_options options = weft_reduce_keeping(call->attributes);
    weft_value extreme = weft_equal(call->input[0], weft_reduce_with_dims(call, call->output[0]));
    weft_value share = weft_divide(weft_reduce_with_dims(call, call->output_gradient[0]),
                                   weft_sum(extreme, &options));
    call->input_gradient[0] = weft_multiply(extreme, share);
}

/* ---- Plain forms ---- */

static double add(double a, double b)
{
    return a + b;
}

double weft_larger_f64(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

static double smaller(double a, double b)
{
    return b < a || isnan(b) ? b : a;
}

void weft_reduce_f64(const weft_operands *operands, double start, double (*join)(double, double),
                     double scale)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    bool reduced[WEFT_MAX_RANK];
    int64_t to_stride[WEFT_MAX_RANK];
    match(operands->attributes, x, y, reduced, to_stride);
    double *to = y->data;
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        to[weft_tensor_offset(y, i)] = start;
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
        int64_t offset = 0, rest = i;
        for (int d = x->rank - 1; d >= 0; d--) {
            offset += rest % x->extent[d] * to_stride[d];
            rest /= x->extent[d];
        }
        double element = ((const double *)x->data)[weft_tensor_offset(x, i)];
        to[offset] = join(to[offset], element);
    }
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++)
        to[weft_tensor_offset(y, i)] *= scale;
}

static void sum_f64(const weft_operands *operands)
{
    weft_reduce_f64(operands, 0, add, 1);
}

static void mean_f64(const weft_operands *operands)
{
    weft_reduce_f64(operands, 0, add,
                    1 / weft_reduce_count(&operands->input[0], &operands->output[0]));
}

static void max_f64(const weft_operands *operands)
{
    weft_reduce_f64(operands, -INFINITY, weft_larger_f64, 1);
}

static void min_f64(const weft_operands *operands)
{
    weft_reduce_f64(operands, INFINITY, smaller, 1);
}

/* ---- Kernels ---- */

bool weft_bind_reduction(weft_bind *bind, weft_reduce_kind kind, double scale, const bool *reduced,
                         const int64_t *to_stride)
{
    const weft_tensor *x = &bind->input[0];
    weft_reduce_problem problem = {.kind = kind, .scale = (float)scale, .rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        problem.extent[i] = x->extent[i];
        problem.from_stride[i] = x->stride[i];
        problem.to_stride[i] = to_stride[i];
        problem.reduced[i] = reduced[i];
    }
    weft_reduce_plan plan = weft_reduce_make(&problem);
    weft_reduce_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    *args = plan.args;
    args->output = bind->inputs;
    weft_bind_phase(bind, weft_reduce_table()->reduce[problem.kind], plan.pieces);
    if (plan.workspace_bytes) {
        weft_bind_workspace(bind, plan.workspace_bytes);
        weft_bind_phase(bind, weft_reduce_table()->merge[problem.kind], 1);
    }
    return true;
}

bool weft_reduce_bind(weft_bind *bind, weft_reduce_kind kind, double scale)
{
    bool reduced[WEFT_MAX_RANK];
    int64_t to_stride[WEFT_MAX_RANK];
    match(bind->attributes, &bind->input[0], &bind->output[0], reduced, to_stride);
    return weft_bind_reduction(bind, kind, scale, reduced, to_stride);
}

static bool sum_bind(weft_bind *bind)
{
    return weft_reduce_bind(bind, WEFT_REDUCE_SUM, 1);
}

static bool mean_bind(weft_bind *bind)
{
    return weft_reduce_bind(bind, WEFT_REDUCE_SUM,
                            1 / weft_reduce_count(&bind->input[0], &bind->output[0]));
}

static bool max_bind(weft_bind *bind)
{
    return weft_reduce_bind(bind, WEFT_REDUCE_MAX, 1);
}

static bool min_bind(weft_bind *bind)
{
    return weft_reduce_bind(bind, WEFT_REDUCE_MIN, 1);
}

void weft_reduce_cost(const weft_bind *bind, weft_cost *cost)
{
    cost->flops = (double)weft_tensor_elements(&bind->input[0]);
    cost->bytes = weft_bind_bytes(bind);
}

/* Nothing happens where all reduced extents are 1 and stay. */
static int identity(const weft_bind *bind)
{
    const weft_tensor *x = &bind->input[0], *y = &bind->output[0];
    return x->rank == y->rank && weft_tensor_elements(x) == weft_tensor_elements(y) ? 0 : -1;
}

void weft_reduce_label(const void *given, char *text, size_t size)
{
    const weft_reduce_attributes *attributes = given;
    size_t used = (size_t)snprintf(text, size, attributes->axes ? "axes" : "all");
    for (int i = 0; i < attributes->axes && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%d", i ? "," : " ", attributes->axis[i]);
}

/* ---- Samples ---- */

/* Ranks, axes and extents: short, long enough to be cut into slices, narrow and wide columns. */
static const struct {
    int rank;
    int64_t low, high;
    weft_reduce_options options;
    int64_t last; /* extent of the last dimension, where it matters */
} samples[] = {
    {3, 2, 5, {0}, 0},
    {2, 3, 9, {.axes = {1}, .axis_count = 1}, 0},
    {2, 3, 9, {.axes = {0}, .axis_count = 1, .keep_dims = true}, 0},
    {4, 2, 5, {.axes = {-3, 2}, .axis_count = 2}, 0},
    {4, 2, 4, {.axes = {0, 2, 3}, .axis_count = 3, .keep_dims = true}, 0},
    {5, 1, 3, {.axes = {1, 3}, .axis_count = 2}, 0},
    {1, 40, 70, {.axes = {0}, .axis_count = 1, .keep_dims = true}, 0},
    {3, 17, 21, {.axes = {0, 1}, .axis_count = 2}, 3},
    {2, 3, 4, {.axes = {0}, .axis_count = 1}, 77},
    {1, 1, 1, {.keep_dims = true}, 0},
};

bool weft_reduce_sample(weft_sampler *sampler, int index, weft_sample_kind kind, int64_t least,
                        int64_t most, weft_value *x, weft_reduce_options *options)
{
    if (index >= (int)(sizeof(samples) / sizeof(samples[0])))
        return false;
    weft_shape shape =
        weft_sample_shape(sampler, samples[index].rank, samples[index].low, samples[index].high);
    if (samples[index].last)
        shape.extent[shape.rank - 1] = samples[index].last;
    for (int i = 0; i < shape.rank; i++)
        shape.extent[i] = weft_most(least, weft_least(shape.extent[i], most));
    *x = weft_sampler_input(sampler, shape, kind);
    *options = samples[index].options;
    return true;
}

static bool sample(weft_sampler *sampler, int index, weft_sample_kind kind, int64_t most,
                   const weft_op *op)
{
    weft_value x;
    weft_reduce_options options;
    if (!weft_reduce_sample(sampler, index, kind, 1, most, &x, &options))
        return false;
    weft_sampler_output(sampler, reduce(op, x, &options));
    return true;
}

static bool sum_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, WEFT_SAMPLE_NORMAL, INT64_MAX, &weft_sum_op);
}

static bool mean_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, WEFT_SAMPLE_NORMAL, INT64_MAX, &weft_mean_op);
}

/* Few elements for each extreme: most gradients of many would be zero and show nothing. */
static bool max_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, WEFT_SAMPLE_DISTINCT, 4, &weft_max_op);
}

static bool min_sample(weft_sampler *sampler, int index)
{
    return sample(sampler, index, WEFT_SAMPLE_DISTINCT, 4, &weft_min_op);
}

const weft_op weft_sum_op = {WEFT_REDUCTION("sum"),
                             .summary = "the sum of x over axes",
                             .shapes = "x [..] -> [..] without the axes",
                             .parameters = "axes, keep_dims",
                             .source = "definition",
                             .identity = identity,
                             .gradient = sum_gradient,
                             .run_f64 = sum_f64,
                             .bind = sum_bind,
                             .sample = sum_sample};
const weft_op weft_mean_op = {WEFT_REDUCTION_FLAGS("mean", WEFT_OP_MEAN | WEFT_OP_AFFINE),
                              .summary = "the mean of x over axes",
                              .shapes = "x [..] -> [..] without the axes",
                              .parameters = "axes, keep_dims",
                              .source = "definition",
                              .identity = identity,
                              .gradient = mean_gradient,
                              .run_f64 = mean_f64,
                              .bind = mean_bind,
                              .sample = mean_sample};
const weft_op weft_max_op = {
    WEFT_REDUCTION("max"),
    .summary = "the largest element of x over axes; equally large ones share its gradient",
    .shapes = "x [..] -> [..] without the axes",
    .parameters = "axes, keep_dims",
    .source = "definition",
    .identity = identity,
    .gradient = extreme_gradient,
    .run_f64 = max_f64,
    .bind = max_bind,
    .sample = max_sample};
const weft_op weft_min_op = {
    WEFT_REDUCTION("min"),
    .summary = "the smallest element of x over axes; equally small ones share its gradient",
    .shapes = "x [..] -> [..] without the axes",
    .parameters = "axes, keep_dims",
    .source = "definition",
    .identity = identity,
    .gradient = extreme_gradient,
    .run_f64 = min_f64,
    .bind = min_bind,
    .sample = min_sample};

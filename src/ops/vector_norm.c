/* Norms of elements along axes. */
#include "ops/ops.h"
#include "ops/reduction.h"
#include "weft/arithmetic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

weft_value weft_vector_norm(weft_value x, const weft_vector_norm_options *options)
{
    static const weft_vector_norm_options defaults;
    if (!options)
        options = &defaults;
    if (options->kind > WEFT_NORM_MAX)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "vector_norm: there is no kind %d",
                               (int)options->kind);
    weft_reduce_options axes = {.axis_count = options->axis_count, .keep_dims = options->keep_dims};
    memcpy(axes.axes, options->axes, sizeof(axes.axes));
    weft_reduce_attributes attributes = weft_reduce_attributes_of(&weft_vector_norm_op, x, &axes);
    attributes.norm = (int32_t)options->kind;
    return weft_reduce_apply(&weft_vector_norm_op, x, &attributes, options->name);
}

/* ---- Gradient ---- */

/* The sign of x; the share of the largest in it; x / norm, with zeros over 1. */
static weft_value slope(const weft_reduce_attributes *attributes, weft_value x, weft_value y)
{
    weft_reduce_options options = weft_reduce_keeping(attributes);
    switch (attributes->norm) {
    case WEFT_NORM_L1:
        return weft_sign(x);
    case WEFT_NORM_MAX: {
        weft_value largest = weft_equal(weft_abs(x), y);
        return weft_multiply(weft_sign(x), weft_divide(largest, weft_sum(largest, &options)));
    }
    default:
        return weft_divide(x, weft_add(y, weft_equal(y, weft_negate(y))));
    }
}

static void gradient(weft_gradient_call *call)
{
    weft_value dy = weft_reduce_with_dims(call, call->output_gradient[0]);
    weft_value y = weft_reduce_with_dims(call, call->output[0]);
    call->input_gradient[0] = weft_multiply(slope(call->attributes, call->input[0], y), dy);
}

/* ---- Execution ---- */

static double add_magnitude(double sum, double x)
{
    return sum + fabs(x);
}

static double add_square(double sum, double x)
{
    return sum + x * x;
}

static double larger_magnitude(double largest, double x)
{
    return weft_larger_f64(largest, fabs(x));
}

static void run_f64(const weft_operands *operands)
{
    const weft_reduce_attributes *attributes = operands->attributes;
    const weft_tensor *y = &operands->output[0];
    switch (attributes->norm) {
    case WEFT_NORM_L1:
        weft_reduce_f64(operands, 0, add_magnitude, 1);
        break;
    case WEFT_NORM_MAX:
        weft_reduce_f64(operands, 0, larger_magnitude, 1);
        break;
    default:
        weft_reduce_f64(operands, 0, add_square, 1);
        for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
            double *to = (double *)y->data + weft_tensor_offset(y, i);
            *to = sqrt(*to);
        }
    }
}

static bool bind(weft_bind *bind)
{
    static const weft_reduce_kind kinds[] = {[WEFT_NORM_L2] = WEFT_REDUCE_ROOT_SUM_SQUARES,
                                             [WEFT_NORM_L1] = WEFT_REDUCE_SUM_MAGNITUDES,
                                             [WEFT_NORM_MAX] = WEFT_REDUCE_MAX_MAGNITUDE};
    const weft_reduce_attributes *attributes = bind->attributes;
    return weft_reduce_bind(bind, kinds[attributes->norm], 1);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    weft_reduce_cost(bind, cost);
    cost->flops *= 2;
}

static void label(const void *given, char *text, size_t size)
{
    static const char *const kinds[] = {
        [WEFT_NORM_L2] = "L2 ", [WEFT_NORM_L1] = "L1 ", [WEFT_NORM_MAX] = "max "};
    const weft_reduce_attributes *attributes = given;
    size_t used = (size_t)snprintf(text, size, "%s", kinds[attributes->norm]);
    if (used < size)
        weft_reduce_label(given, text + used, size - used);
}

/* ---- Samples ---- */

/* Each case of the reductions with each kind. Off the grid's symmetry, so that no magnitude is largest
 * twice. */
static bool sample(weft_sampler *sampler, int index)
{
    weft_vector_norm_options options = {.kind = (weft_norm_kind)(index % 3)};
    bool largest = options.kind == WEFT_NORM_MAX;
    weft_value x;
    weft_reduce_options axes;
    if (!weft_reduce_sample(sampler, index / 3, largest ? WEFT_SAMPLE_DISTINCT : WEFT_SAMPLE_NORMAL,
                            1, largest ? 4 : INT64_MAX, &x, &axes))
        return false;
    if (largest)
        x = weft_offset(x, 0.03);
    options.axis_count = axes.axis_count;
    options.keep_dims = axes.keep_dims;
    memcpy(options.axes, axes.axes, sizeof(options.axes));
    weft_sampler_output(sampler, weft_vector_norm(x, &options));
    return true;
}

const weft_op weft_vector_norm_op = {
    .name = "vector_norm",
    .summary = "the sum of |x|, sqrt of that of x^2, or the largest |x|, over axes",
    .shapes = "x [..] -> [..] without the axes",
    .parameters = "norm, axes, keep_dims",
    .source = "definition",

    .family = WEFT_FAMILY_REDUCTION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = weft_reduce_infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .label = label,
    .sample = sample,
};

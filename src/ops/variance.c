/* The variance of elements along axes. */
#include "ops/ops.h"
#include "ops/reduction.h"
#include "weft/arithmetic.h"

#include <string.h>

weft_value weft_variance(weft_value x, const weft_variance_options *options)
{
    static const weft_variance_options defaults;
    if (!options)
        options = &defaults;
    weft_reduce_options axes = {.axis_count = options->axis_count, .keep_dims = options->keep_dims};
    memcpy(axes.axes, options->axes, sizeof(axes.axes));
    weft_reduce_attributes attributes = weft_reduce_attributes_of(&weft_variance_op, x, &axes);
    attributes.less = options->unbiased;
    return weft_reduce_apply(&weft_variance_op, x, &attributes, options->name);
}

/* What the sum of squares is divided by is positive: known where the reduced extents are. */
static bool infer(weft_infer *infer)
{
    const weft_reduce_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[0];
    bool reduced[WEFT_MAX_RANK];
    if (!weft_reduce_infer(infer))
        return false;
    weft_reduce_select(attributes, x->rank, reduced);
    bool known = true, several = attributes->less == 0;
    for (int i = 0; i < x->rank; i++) {
        known = known && (!reduced[i] || x->extent[i] > 0);
        several = several || (reduced[i] && x->extent[i] > 1);
    }
    return !known || several || weft_infer_fail(infer, "one element has no unbiased variance");
}

/* 2 (x - mean) / (n - less). That the mean depends on x too adds nothing, for deviations add up to 0. */
static void gradient(weft_gradient_call *call)
{
    const weft_reduce_attributes *attributes = call->attributes;
    weft_value x = call->input[0], dy = weft_reduce_with_dims(call, call->output_gradient[0]);
    weft_reduce_options options = weft_reduce_keeping(attributes);
    weft_value deviation = weft_subtract(x, weft_mean(x, &options));
    weft_value share = weft_divide_by_count_less(weft_scale(dy, 2), x, attributes->less);
    call->input_gradient[0] = weft_multiply(deviation, share);
}

/* The element of x that is number k of those for result number i. */
static double element(const weft_tensor *x, const bool *reduced, int64_t i, int64_t k)
{
    int64_t offset = 0;
    for (int d = x->rank - 1; d >= 0; d--) {
        int64_t *rest = reduced[d] ? &k : &i;
        offset += *rest % x->extent[d] * x->stride[d];
        *rest /= x->extent[d];
    }
    return ((const double *)x->data)[offset];
}

static void run_f64(const weft_operands *operands)
{
    const weft_reduce_attributes *attributes = operands->attributes;
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    bool reduced[WEFT_MAX_RANK];
    weft_reduce_select(attributes, x->rank, reduced);
    int64_t results = weft_tensor_elements(y), count = weft_tensor_elements(x) / results;
    for (int64_t i = 0; i < results; i++) {
        double mean = 0, sum = 0;
        for (int64_t k = 0; k < count; k++)
            mean += element(x, reduced, i, k) / (double)count;
        for (int64_t k = 0; k < count; k++) {
            double deviation = element(x, reduced, i, k) - mean;
            sum += deviation * deviation;
        }
        ((double *)y->data)[weft_tensor_offset(y, i)] = sum / (double)(count - attributes->less);
    }
}

static bool bind(weft_bind *bind)
{
    const weft_reduce_attributes *attributes = bind->attributes;
    double count = weft_reduce_count(&bind->input[0], &bind->output[0]);
    return weft_reduce_bind(bind, WEFT_REDUCE_SUM_DEVIATIONS, 1 / (count - attributes->less));
}

/* A sum, and a sum of squares of differences. */
static void cost(const weft_bind *bind, weft_cost *cost)
{
    weft_reduce_cost(bind, cost);
    cost->flops *= 4;
}

/* One element has no variance. */
static bool sample(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_reduce_options axes;
    if (!weft_reduce_sample(sampler, index, WEFT_SAMPLE_NORMAL, 2, INT64_MAX, &x, &axes))
        return false;
    weft_variance_options options = {.axis_count = axes.axis_count, .keep_dims = axes.keep_dims};
    memcpy(options.axes, axes.axes, sizeof(options.axes));
    options.unbiased = index % 3 == 1;
    weft_sampler_output(sampler, weft_variance(x, &options));
    return true;
}

const weft_op weft_variance_op = {
    .name = "variance",
    .summary = "the mean over axes of (x - mean)^2, times n / (n - 1) where unbiased",
    .shapes = "x [..] -> [..] without the axes",
    .parameters = "axes, keep_dims, unbiased",
    .source = "Chan, Golub, LeVeque 1983",

    .family = WEFT_FAMILY_REDUCTION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = cost,
    .label = weft_reduce_label,
    .sample = sample,
};

/* Max pooling. Its gradient scatters to each window's maximum, the gradient of that gathers from there,
 * and the gradient of gathering is scattering again: closed. Where x has its maxima is piecewise
 * constant, so x gets no gradient from the latter two. */
#include "graph/fusion.h"
#include "ops/ops.h"
#include "ops/pool_geometry.h"
#include "ops/rules.h"
#include "ops/samples.h"

#include <math.h>

weft_value weft_max_pool(weft_value x, const weft_pool_options *options)
{
    return weft_pool_apply(&weft_max_pool_op, x, options);
}

weft_value weft_max_pool_indices(weft_value x, const weft_pool_options *options)
{
    return weft_pool_apply(&weft_max_pool_indices_op, x, options);
}

static weft_value scatter(weft_gradient_call *call, weft_value dy, weft_value x)
{
    return weft_apply(call->graph, &weft_max_pool_gradient_op, call->attributes,
                      sizeof(weft_pool_attributes), NULL, (weft_value[]){dy, x}, 2, NULL, 1);
}

static weft_value gather(weft_gradient_call *call, weft_value values, weft_value x)
{
    return weft_apply(call->graph, &weft_max_pool_gather_op, call->attributes,
                      sizeof(weft_pool_attributes), NULL, (weft_value[]){values, x}, 2, NULL, 1);
}

static void max_pool_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = scatter(call, call->output_gradient[0], call->input[0]);
}

static void scatter_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = gather(call, call->output_gradient[0], call->input[1]);
}

static void gather_gradient(weft_gradient_call *call)
{
    if (call->wanted[0])
        call->input_gradient[0] = scatter(call, call->output_gradient[0], call->input[1]);
}

/* Where there are more pixels than int32 counts, there is no index. */
static bool infer_indices(weft_infer *infer)
{
    int64_t pixels = 1;
    const weft_shape *x = &infer->shape[0];
    if (!weft_pool_infer(infer))
        return false;
    for (int d = 1; d < x->rank - 1; d++)
        if (__builtin_mul_overflow(pixels, x->extent[d], &pixels) || pixels > INT32_MAX)
            return weft_infer_fail(infer, "images of more pixels than an index can count");
    infer->out_dtype[0] = WEFT_INT32;
    return true;
}

static bool infer_gather(weft_infer *infer)
{
    char a[120], b[120];
    if (!weft_shape_equal(infer->shape[0], infer->shape[1]))
        return weft_infer_fail(infer, "values %s and input %s differ in shape",
                               weft_shape_text(infer->shape[0], a, sizeof(a)),
                               weft_shape_text(infer->shape[1], b, sizeof(b)));
    return weft_infer_real(infer, 1, "input") && weft_pool_infer(infer);
}

/* ---- Float64 ---- */

/* Writes where in a window the first maximum is. */
static void argmax(const double *x, const weft_pool_steps *steps, int64_t image,
                   const weft_pool_range range[3], int64_t channel, int64_t at[3])
{
    double best = -INFINITY;
    for (int i = 0; i < 3; i++)
        at[i] = range[i].begin;
    for (int64_t d = range[0].begin; d < range[0].end; d++)
        for (int64_t h = range[1].begin; h < range[1].end; h++)
            for (int64_t w = range[2].begin; w < range[2].end; w++) {
                int64_t here[3] = {d, h, w};
                double value = x[weft_pool_offset(steps, image, here) + channel];
                if (value > best || isnan(value)) {
                    best = value;
                    at[0] = d, at[1] = h, at[2] = w;
                }
            }
}

/* y = values where x has its maximum; max pooling itself is gathering from x. */
static void gather_window(const weft_pool_args *args, const weft_operands *operands, int64_t image,
                          const int64_t position[3], const weft_pool_range range[3])
{
    const double *values = operands->input[0].data, *x = operands->input[operands->inputs - 1].data;
    double *y =
        (double *)operands->output[0].data + weft_pool_offset(&args->coarse, image, position);
    for (int64_t c = 0; c < args->channels; c++) {
        int64_t at[3];
        argmax(x, &args->fine[1], image, range, c, at);
        y[c] = values[weft_pool_offset(&args->fine[0], image, at) + c];
    }
}

static void gather_f64(const weft_operands *operands)
{
    const weft_tensor *fine[] = {&operands->input[0], &operands->input[operands->inputs - 1]};
    weft_pool_args args = weft_pool_args_of(operands->attributes, fine, 2, &operands->output[0]);
    weft_pool_each_window(&args, operands, gather_window);
}

static void scatter_window(const weft_pool_args *args, const weft_operands *operands, int64_t image,
                           const int64_t position[3], const weft_pool_range range[3])
{
    const double *dy =
        (const double *)operands->input[0].data + weft_pool_offset(&args->coarse, image, position);
    double *dx = operands->output[0].data;
    for (int64_t c = 0; c < args->channels; c++) {
        int64_t at[3];
        argmax(operands->input[1].data, &args->fine[0], image, range, c, at);
        dx[weft_pool_offset(&args->fine[1], image, at) + c] += dy[c];
    }
}

static void scatter_f64(const weft_operands *operands)
{
    const weft_tensor *dx = &operands->output[0], *fine[] = {&operands->input[1], dx};
    weft_pool_args args = weft_pool_args_of(operands->attributes, fine, 2, &operands->input[0]);
    weft_clear_f64(dx);
    weft_pool_each_window(&args, operands, scatter_window);
}

static void index_window(const weft_pool_args *args, const weft_operands *operands, int64_t image,
                         const int64_t position[3], const weft_pool_range range[3])
{
    int32_t *y =
        (int32_t *)operands->output[0].data + weft_pool_offset(&args->coarse, image, position);
    for (int64_t c = 0; c < args->channels; c++) {
        int64_t at[3];
        argmax(operands->input[0].data, &args->fine[0], image, range, c, at);
        y[c] = (int32_t)((at[0] * args->axis[1].input + at[1]) * args->axis[2].input + at[2]);
    }
}

static void indices_f64(const weft_operands *operands)
{
    const weft_tensor *fine[] = {&operands->input[0]};
    weft_pool_args args = weft_pool_args_of(operands->attributes, fine, 1, &operands->output[0]);
    weft_pool_each_window(&args, operands, index_window);
}

/* ---- Float32 ---- */

WEFT_ISA_DEFINE(weft_pool_max_kernels, weft_pool_max_table)

static bool bind_max_pool(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 1, &bind->output[0]);
    return weft_pool_bind_pixels(bind, &args, false, weft_pool_taps(&args),
                                 weft_pool_max_table()->forward);
}

static bool bind_indices(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 1, &bind->output[0]);
    return weft_pool_bind_pixels(bind, &args, false, weft_pool_taps(&args),
                                 weft_pool_max_table()->indices);
}

static bool bind_gather(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[0], &bind->input[1]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 2, &bind->output[0]);
    return weft_pool_bind_pixels(bind, &args, false, 2 * weft_pool_taps(&args),
                                 weft_pool_max_table()->gather);
}

static bool bind_scatter(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[1], &bind->output[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 2, &bind->input[0]);
    return weft_pool_bind_boxes(bind, &args, weft_pool_max_table()->scatter);
}

/* ---- Samples ---- */

static bool sample_max_pool(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_DISTINCT, &x, &options))
        return false;
    weft_sampler_output(sampler, weft_max_pool(x, &options));
    return true;
}

static bool sample_indices(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_DISTINCT, &x, &options))
        return false;
    weft_sampler_output(sampler, weft_max_pool_indices(x, &options));
    return true;
}

/* The other two, by way of max pooling's gradient. */
static bool sample_scatter(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_DISTINCT, &x, &options))
        return false;
    weft_sample_gradient(sampler, weft_max_pool(x, &options), x);
    return true;
}

static bool sample_gather(weft_sampler *sampler, int index)
{
    weft_value x, dx, ddy;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_DISTINCT, &x, &options))
        return false;
    weft_value y = weft_max_pool(x, &options);
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(y), WEFT_SAMPLE_NORMAL);
    weft_value values = weft_sampler_input(sampler, weft_shape_get(x), WEFT_SAMPLE_NORMAL);
    weft_vector_jacobian(&y, &dy, 1, &x, 1, &dx);
    weft_vector_jacobian(&dx, &values, 1, &dy, 1, &ddy);
    weft_sampler_output(sampler, ddy);
    return true;
}

const weft_op weft_max_pool_op = {
    WEFT_POOLING("max_pool", 1, 0),
    .summary = "the largest element of each window; padding never is",
    .shapes = "x [N,spatial..,C] -> [N,spatial..,C]",
    .source = "Ranzato et al. 2007; extents as in Dumoulin, Visin 2016",
    .infer = weft_pool_infer,
    .gradient = max_pool_gradient,
    .run_f64 = gather_f64,
    .bind = bind_max_pool,
    .cost = weft_pool_cost_of_output,
    .sample = sample_max_pool,
};

const weft_op weft_max_pool_indices_op = {
    WEFT_POOLING("max_pool_indices", 1, WEFT_OP_NO_GRADIENT),
    .summary =
        "where each window of x has its first largest element, among the pixels of the channel",
    .shapes = "x [N,spatial..,C] -> [N,windows..,C] int32",
    .source = "PyTorch's max_pool with return_indices",
    .infer = infer_indices,
    .run_f64 = indices_f64,
    .bind = bind_indices,
    .cost = weft_pool_cost_of_output,
    .sample = sample_indices,
};

static const weft_fusion gradient_fusion = {.expand = weft_max_pool_gradient_expand};

/* Inputs dy and x. */
const weft_op weft_max_pool_gradient_op = {
    WEFT_POOLING("max_pool_gradient", 2, 0),
    .summary = "dy added where each window of x has its first largest element",
    .shapes = "dy [N,windows..,C], x [N,spatial..,C] -> [N,spatial..,C]",
    .source = "chain rule of max_pool",
    .infer = weft_pool_infer_gradient,
    .gradient = scatter_gradient,
    .run_f64 = scatter_f64,
    .bind = bind_scatter,
    .fusion = &gradient_fusion,
    .cost = weft_pool_cost_of_input,
    .sample = sample_scatter,
};

/* Inputs values and x, of the same shape. */
const weft_op weft_max_pool_gather_op = {
    WEFT_POOLING("max_pool_gather", 2, 0),
    .summary = "u where each window of x has its first largest element",
    .shapes = "u [N,spatial..,C], x [N,spatial..,C] -> [N,windows..,C]",
    .source = "chain rule of max_pool_gradient",
    .infer = infer_gather,
    .gradient = gather_gradient,
    .run_f64 = gather_f64,
    .bind = bind_gather,
    .cost = weft_pool_cost_of_output,
    .sample = sample_gather,
};

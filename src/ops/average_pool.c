/* Average pooling. It is linear: its gradient needs the shape of x alone, and the gradient of that is
 * average pooling again. */
#include "kernels/integer.h"
#include "ops/ops.h"
#include "ops/pool_geometry.h"
#include "ops/rules.h"
#include "ops/samples.h"

weft_value weft_average_pool(weft_value x, const weft_pool_options *options)
{
    return weft_pool_apply(&weft_average_pool_op, x, options);
}

static void average_pool_gradient(weft_gradient_call *call)
{
    weft_value inputs[] = {call->output_gradient[0], call->input[0]};
    call->input_gradient[0] =
        weft_apply(call->graph, &weft_average_pool_gradient_op, call->attributes,
                   sizeof(weft_pool_attributes), NULL, inputs, 2, NULL, 1);
}

static void gradient_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] =
        weft_apply(call->graph, &weft_average_pool_op, call->attributes,
                   sizeof(weft_pool_attributes), NULL, call->output_gradient, 1, NULL, 1);
}

/* ---- Float64 ---- */

static double divisor(const weft_pool_args *args, const int64_t position[3])
{
    double product = 1;
    for (int i = 0; i < 3; i++)
        product *= (double)weft_pool_count(&args->axis[i], position[i], args->count_include_pad);
    return product;
}

static void average_window(const weft_pool_args *args, const weft_operands *operands, int64_t image,
                           const int64_t position[3], const weft_pool_range range[3])
{
    const double *x = operands->input[0].data;
    double *y =
        (double *)operands->output[0].data + weft_pool_offset(&args->coarse, image, position);
    for (int64_t c = 0; c < args->channels; c++) {
        double sum = 0;
        for (int64_t d = range[0].begin; d < range[0].end; d++)
            for (int64_t h = range[1].begin; h < range[1].end; h++)
                for (int64_t w = range[2].begin; w < range[2].end; w++)
                    sum += x[weft_pool_offset(&args->fine[0], image, (int64_t[]){d, h, w}) + c];
        y[c] = sum / divisor(args, position);
    }
}

static void average_f64(const weft_operands *operands)
{
    const weft_tensor *fine[] = {&operands->input[0]};
    weft_pool_args args = weft_pool_args_of(operands->attributes, fine, 1, &operands->output[0]);
    weft_pool_each_window(&args, operands, average_window);
}

static void spread_window(const weft_pool_args *args, const weft_operands *operands, int64_t image,
                          const int64_t position[3], const weft_pool_range range[3])
{
    const double *dy =
        (const double *)operands->input[0].data + weft_pool_offset(&args->coarse, image, position);
    double *dx = operands->output[0].data;
    for (int64_t c = 0; c < args->channels; c++)
        for (int64_t d = range[0].begin; d < range[0].end; d++)
            for (int64_t h = range[1].begin; h < range[1].end; h++)
                for (int64_t w = range[2].begin; w < range[2].end; w++)
                    dx[weft_pool_offset(&args->fine[0], image, (int64_t[]){d, h, w}) + c] +=
                        dy[c] / divisor(args, position);
}

static void spread_f64(const weft_operands *operands)
{
    const weft_tensor *dx = &operands->output[0], *fine[] = {dx};
    weft_pool_args args = weft_pool_args_of(operands->attributes, fine, 1, &operands->input[0]);
    weft_clear_f64(dx);
    weft_pool_each_window(&args, operands, spread_window);
}

/* ---- Float32 ---- */

WEFT_ISA_DEFINE(weft_pool_average_kernels, weft_pool_average_table)

static bool bind_average(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->input[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 1, &bind->output[0]);
    return weft_pool_bind_pixels(bind, &args, false, weft_pool_taps(&args),
                                 weft_pool_average_table()->forward);
}

static bool bind_gradient(weft_bind *bind)
{
    const weft_tensor *fine[] = {&bind->output[0]};
    weft_pool_args args = weft_pool_args_of(bind->attributes, fine, 1, &bind->input[0]);
    int64_t windows = 1; /* that an element is in */
    for (int i = 0; i < 3; i++)
        windows *=
            weft_least(weft_ceiling(args.axis[i].window, args.axis[i].stride), args.axis[i].output);
    return weft_pool_bind_pixels(bind, &args, true, windows, weft_pool_average_table()->backward);
}

/* ---- Samples ---- */

static bool sample_average(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_NORMAL, &x, &options))
        return false;
    weft_sampler_output(sampler, weft_average_pool(x, &options));
    return true;
}

static bool sample_gradient(weft_sampler *sampler, int index)
{
    weft_value x;
    weft_pool_options options;
    if (!weft_pool_sample(sampler, index, WEFT_SAMPLE_NORMAL, &x, &options))
        return false;
    weft_sample_gradient(sampler, weft_average_pool(x, &options), x);
    return true;
}

const weft_op weft_average_pool_op = {
    WEFT_POOLING("average_pool", 1, 0),
    .summary = "the mean of each window",
    .shapes = "x [N,spatial..,C] -> [N,spatial..,C]",
    .source = "LeCun et al. 1998; extents as in Dumoulin, Visin 2016",
    .infer = weft_pool_infer,
    .gradient = average_pool_gradient,
    .run_f64 = average_f64,
    .bind = bind_average,
    .cost = weft_pool_cost_of_output,
    .sample = sample_average,
};

/* Inputs dy and, for its shape, x. */
const weft_op weft_average_pool_gradient_op = {
    WEFT_POOLING("average_pool_gradient", 2, 0),
    .summary = "dy divided by its window's count, added to the window's elements",
    .shapes = "dy [N,windows..,C], like [N,spatial..,C] -> [N,spatial..,C]",
    .source = "chain rule of average_pool",
    .shape_only = WEFT_INPUT(1),
    .infer = weft_pool_infer_gradient,
    .gradient = gradient_gradient,
    .run_f64 = spread_f64,
    .bind = bind_gradient,
    .cost = weft_pool_cost_of_input,
    .sample = sample_gradient,
};

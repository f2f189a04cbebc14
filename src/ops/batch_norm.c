/* Batch normalization. Its outputs are y and the mean and variance that normalized: the batch's or the
 * running ones, as the mode has it. So what follows (its gradient, moving averages) does not depend on
 * the mode but through them. */
#include "ops/batch_norm.h"

#include "graph/fusion.h"
#include "kernels/integer.h"
#include "ops/moments.h"
#include "ops/ops.h"
#include "ops/training.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, INPUTS };
enum { Y, MEAN, VARIANCE, OUTPUTS };

/* ---- Builders ---- */

weft_batch_norm_result weft_batch_norm_apply(weft_value x, weft_value gamma, weft_value beta,
                                             weft_value running_mean, weft_value running_variance,
                                             const weft_batch_norm_attributes *attributes,
                                             const char *name)
{
    weft_value input[INPUTS] = {x, gamma, beta, running_mean, running_variance}, output[OUTPUTS];
    weft_apply(x.graph, &weft_batch_norm_op, attributes, sizeof(*attributes), name, input, INPUTS,
               output, OUTPUTS);
    return (weft_batch_norm_result){output[Y], output[MEAN], output[VARIANCE]};
}

static void update_running(weft_value x, weft_value running_mean, weft_value running_variance,
                           const weft_batch_norm_result *result,
                           const weft_batch_normalization_options *options)
{
    weft_moving_average_options average = {.decay = options->decay != 0 ? options->decay : 0.9};
    if (weft_is_variable(running_mean))
        weft_moving_average(running_mean, result->mean, &average);
    if (!options->biased_variance)
        average.samples = x;
    if (weft_is_variable(running_variance))
        weft_moving_average(running_variance, result->variance, &average);
}

weft_value weft_batch_normalization(weft_value x, weft_value running_mean,
                                    weft_value running_variance,
                                    const weft_batch_normalization_options *options)
{
    const weft_batch_normalization_options none = {0};
    if (!options)
        options = &none;
    weft_batch_norm_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.epsilon = options->epsilon != 0 ? options->epsilon : 1e-5;
    attributes.mode = (int32_t)options->mode;
    weft_value gamma = options->gamma, beta = options->beta;
    if (weft_is_null(gamma))
        gamma = weft_fill_like(running_mean, 1);
    if (weft_is_null(beta))
        beta = weft_fill_like(running_mean, 0);
    weft_batch_norm_result result = weft_batch_norm_apply(
        x, gamma, beta, running_mean, running_variance, &attributes, options->name);
    if (options->mode != WEFT_MODE_INFER && !options->no_updates && !weft_is_null(result.y))
        update_running(x, running_mean, running_variance, &result, options);
    return result.y;
}

/* ---- Shapes ---- */

bool weft_batch_norm_infer_vector(const weft_infer *infer, int input, const char *what,
                                  weft_shape image)
{
    weft_shape shape = infer->shape[input];
    char got[120], text[120];
    if (!weft_infer_real(infer, input, what))
        return false;
    if (shape.rank == 1 && shape.extent[0] == image.extent[image.rank - 1])
        return true;
    return weft_infer_fail(infer, "%s %s must be a vector of the %lld channels of input %s", what,
                           weft_shape_text(shape, got, sizeof(got)),
                           (long long)image.extent[image.rank - 1],
                           weft_shape_text(image, text, sizeof(text)));
}

static bool infer(weft_infer *infer)
{
    static const char *const what[INPUTS] = {"input", "gamma", "beta", "running mean",
                                             "running variance"};
    const weft_batch_norm_attributes *attributes = infer->attributes;
    weft_shape x = infer->shape[X];
    char text[120];
    if (!weft_infer_real(infer, X, what[X]))
        return false;
    if (x.rank < 2 || x.extent[x.rank - 1] < 1)
        return weft_infer_fail(infer, "input %s must have rank 2 or more and fixed channels",
                               weft_shape_text(x, text, sizeof(text)));
    if (!(attributes->epsilon >= 0) || isinf(attributes->epsilon))
        return weft_infer_fail(infer, "epsilon is %g", attributes->epsilon);
    for (int i = GAMMA; i < INPUTS; i++)
        if (!weft_batch_norm_infer_vector(infer, i, what[i], x))
            return false;
    infer->out_shape[Y] = x;
    infer->out_shape[MEAN] = infer->out_shape[VARIANCE] = infer->shape[RUNNING_MEAN];
    return true;
}

/* ---- Gradient ---- */

/* A gradient, which may be null, times 1 in one mode of the node and 0 in the other. */
static weft_value in_mode(weft_mode mode, const weft_gradient_call *call, weft_value gradient)
{
    if (weft_is_null(gradient))
        return gradient;
    const weft_batch_norm_attributes *attributes = call->attributes;
    weft_value train = weft_is_training(call->graph, (weft_mode_choice)attributes->mode);
    weft_value factor = mode == WEFT_TRAIN ? train : weft_offset(weft_negate(train), 1);
    return weft_multiply(gradient, factor);
}

/* What flows to the mean and the variance that normalized, all told, where they are not x's own: from
 * those who read them, and through y. d is y's gradient, or null. */
static weft_value gradient_of_mean(const weft_gradient_call *call, weft_value rstd,
                                   const weft_batch_norm_gradients *d)
{
    weft_value gradient = call->output_gradient[MEAN];
    if (weft_is_null(d->beta))
        return gradient;
    weft_value scale = weft_multiply(call->input[GAMMA], rstd);
    return weft_sum_of_known(gradient, weft_negate(weft_multiply(d->beta, scale)));
}

static weft_value gradient_of_variance(const weft_gradient_call *call, weft_value rstd,
                                       const weft_batch_norm_gradients *d)
{
    weft_value gradient = call->output_gradient[VARIANCE];
    if (weft_is_null(d->gamma))
        return gradient;
    weft_value scale = weft_multiply(call->input[GAMMA], weft_square(rstd));
    return weft_sum_of_known(gradient, weft_scale(weft_multiply(d->gamma, scale), -0.5));
}

/* What flows from the outputs mean and variance to x where they are x's own; null if nothing. */
static weft_value through_statistics(const weft_gradient_call *call)
{
    return weft_moments_gradient(call->input[X], call->output[MEAN], call->output_gradient[MEAN],
                                 call->output_gradient[VARIANCE]);
}

static weft_value reciprocal_deviation(const weft_gradient_call *call, weft_value variance)
{
    const weft_batch_norm_attributes *attributes = call->attributes;
    return weft_rsqrt(weft_offset(variance, attributes->epsilon));
}

static void gradient(weft_gradient_call *call)
{
    const weft_batch_norm_attributes *attributes = call->attributes;
    const bool *wanted = call->wanted;
    weft_value x = call->input[X], gamma = call->input[GAMMA];
    weft_value dy = call->output_gradient[Y], *result = call->input_gradient;
    bool running = wanted[RUNNING_MEAN] || wanted[RUNNING_VARIANCE];
    if (attributes->mode == WEFT_MODE_INFER && !wanted[GAMMA] && !wanted[BETA] && !running) {
        /* Frozen: nothing but a scale. */
        weft_value rstd = reciprocal_deviation(call, call->input[RUNNING_VARIANCE]);
        result[X] = weft_is_null(dy) ? dy : weft_multiply(dy, weft_multiply(gamma, rstd));
        return;
    }
    weft_value mean = call->output[MEAN], variance = call->output[VARIANCE];
    weft_batch_norm_gradients d = {dy, dy, dy};
    if (!weft_is_null(dy))
        d = weft_batch_norm_gradient_apply(dy, x, gamma, mean, variance, attributes);
    result[GAMMA] = d.gamma;
    result[BETA] = d.beta;
    if (wanted[X])
        result[X] = weft_sum_of_known(d.x, in_mode(WEFT_TRAIN, call, through_statistics(call)));
    if (!running)
        return;
    weft_value rstd = reciprocal_deviation(call, variance);
    result[RUNNING_MEAN] = in_mode(WEFT_INFER, call, gradient_of_mean(call, rstd, &d));
    result[RUNNING_VARIANCE] = in_mode(WEFT_INFER, call, gradient_of_variance(call, rstd, &d));
}

/* ---- Float64 ---- */

/* Mean and variance of channel c over all pixels, in two passes. */
static void channel_statistics(const weft_tensor *x, int64_t c, double *mean, double *variance)
{
    int64_t channels = x->extent[x->rank - 1], elements = weft_tensor_elements(x);
    const double *data = x->data, count = (double)(elements / channels);
    double sum = 0, squares = 0;
    for (int64_t i = c; i < elements; i += channels)
        sum += data[weft_tensor_offset(x, i)];
    *mean = sum / count;
    for (int64_t i = c; i < elements; i += channels) {
        double d = data[weft_tensor_offset(x, i)] - *mean;
        squares += d * d;
    }
    *variance = squares / count;
}

static void run_f64(const weft_operands *operands)
{
    const weft_batch_norm_attributes *attributes = operands->attributes;
    const weft_tensor *x = &operands->input[X], *y = &operands->output[Y];
    const double *gamma = operands->input[GAMMA].data, *beta = operands->input[BETA].data;
    const double *running_mean = operands->input[RUNNING_MEAN].data;
    const double *running_variance = operands->input[RUNNING_VARIANCE].data;
    double *mean = operands->output[MEAN].data, *variance = operands->output[VARIANCE].data;
    bool train = weft_batch_norm_trains(attributes, operands->mode);
    int64_t channels = x->extent[x->rank - 1], elements = weft_tensor_elements(x);
    for (int64_t c = 0; c < channels; c++) {
        if (train) {
            channel_statistics(x, c, &mean[c], &variance[c]);
        } else {
            mean[c] = running_mean[c];
            variance[c] = running_variance[c];
        }
        double rstd = 1 / sqrt(variance[c] + attributes->epsilon);
        for (int64_t i = c; i < elements; i += channels) {
            double value = ((const double *)x->data)[weft_tensor_offset(x, i)];
            ((double *)y->data)[weft_tensor_offset(y, i)] =
                gamma[c] * (value - mean[c]) * rstd + beta[c];
        }
    }
}

/* ---- Float32 ---- */

WEFT_ISA_DEFINE(weft_batch_norm_kernels, weft_batch_norm_table)

/* Elements of a piece: it stays in the second cache level for a second pass, 10 to 30 microseconds. */
enum { PIECE_ELEMENTS = 32768 };

weft_batch_norm_args weft_batch_norm_args_of(const void *attributes,
                                             const weft_tensor *const *image, int images,
                                             bool statistics)
{
    weft_batch_norm_args args = {
        .pixels = weft_pixels_of(image, images),
        .channels = image[0]->extent[image[0]->rank - 1],
        .epsilon = ((const weft_batch_norm_attributes *)attributes)->epsilon,
    };
    args.block_channels =
        args.channels < WEFT_BATCH_NORM_SUM_CHANNELS ? args.channels : WEFT_BATCH_NORM_SUM_CHANNELS;
    args.channel_blocks = weft_ceiling(args.channels, args.block_channels);
    args.block_pixels = PIECE_ELEMENTS / args.block_channels;
    args.blocks = statistics ? weft_ceiling(args.pixels.count, args.block_pixels) : 0;
    args.apply_pixels = args.channels < PIECE_ELEMENTS ? PIECE_ELEMENTS / args.channels : 1;
    return args;
}

bool weft_batch_norm_bind(weft_bind *bind, weft_batch_norm_args *args, weft_piece_fn *sums,
                          weft_piece_fn *finish, weft_piece_fn *apply)
{
    weft_batch_norm_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (!kept)
        return false;
    static const weft_batch_norm_number own[] = {WEFT_BATCH_NORM_SCALE, WEFT_BATCH_NORM_SLOPE,
                                                 WEFT_BATCH_NORM_SHIFT, WEFT_BATCH_NORM_SUMS};
    int64_t floats = 0;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++, floats += args->channels)
        args->at[own[i]] = (weft_batch_norm_place){bind->inputs + bind->outputs, floats};
    floats += (args->blocks * WEFT_CHANNEL_NUMBERS - 1) * args->channels;
    *kept = *args;
    weft_bind_workspace(bind, (size_t)floats * sizeof(float));
    if (sums)
        weft_bind_phase(bind, sums, args->blocks * args->channel_blocks);
    weft_bind_phase(bind, finish, weft_batch_norm_finish_pieces(args));
    weft_bind_phase(bind, apply, weft_ceiling(args->pixels.count, args->apply_pixels));
    return true;
}

static bool bind_f32(weft_bind *bind)
{
    const weft_tensor *image[] = {&bind->input[X], &bind->output[Y]};
    const weft_batch_norm_kernels *kernels = weft_batch_norm_table();
    bool train = weft_batch_norm_trains(bind->attributes, bind->mode);
    weft_batch_norm_args args = weft_batch_norm_args_of(bind->attributes, image, 2, train);
    args.at[WEFT_BATCH_NORM_GAMMA].slot = GAMMA;
    args.at[WEFT_BATCH_NORM_BETA].slot = BETA;
    args.at[WEFT_BATCH_NORM_RUNNING_MEAN].slot = RUNNING_MEAN;
    args.at[WEFT_BATCH_NORM_RUNNING_VARIANCE].slot = RUNNING_VARIANCE;
    args.at[WEFT_BATCH_NORM_MEAN].slot = INPUTS + MEAN;
    args.at[WEFT_BATCH_NORM_VARIANCE].slot = INPUTS + VARIANCE;
    return weft_batch_norm_bind(bind, &args, train ? kernels->forward_sums : NULL,
                                train ? kernels->forward_finish : kernels->forward_running,
                                kernels->forward_apply);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    double elements = (double)weft_bind_elements(bind);
    bool train = weft_batch_norm_trains(bind->attributes, bind->mode);
    cost->flops = elements * (train ? 7 : 2);
    cost->bytes = weft_bind_bytes(bind) + (train ? 4 * elements : 0);
}

/* ---- Descriptor ---- */

void weft_batch_norm_label(const void *attributes, char *text, size_t size)
{
    static const char *const modes[] = {"", " train", " frozen"};
    const weft_batch_norm_attributes *a = attributes;
    snprintf(text, size, "eps %g%s", a->epsilon, modes[a->mode]);
}

bool weft_batch_norm_sample(weft_sampler *sampler, int index, weft_shape *shape,
                            weft_batch_norm_attributes *attributes)
{
    static const struct {
        int rank;
        int64_t channels;
    } shapes[] = {{4, 5}, {4, 23}, {2, 70}, {3, 3}, {5, 2}, {2, 300}, {4, 1}};
    int count = (int)(sizeof(shapes) / sizeof(shapes[0]));
    if (index >= 3 * count)
        return false;
    memset(attributes, 0, sizeof(*attributes));
    attributes->mode = index % 3;
    attributes->epsilon = index % 2 ? 1e-3 : 0.1;
    int rank = shapes[index / 3].rank;
    *shape = (weft_shape){.rank = rank};
    shape->extent[0] = rank == 2 ? weft_sampler_integer(sampler, 5, 9) : 2;
    for (int i = 1; i < rank - 1; i++)
        shape->extent[i] = weft_sampler_integer(sampler, 2, 4);
    int64_t channels = shapes[index / 3].channels;
    shape->extent[rank - 1] =
        channels > 1 ? weft_sampler_integer(sampler, channels, channels + 4) : 1;
    return true;
}

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_batch_norm_attributes attributes;
    if (!weft_batch_norm_sample(sampler, index, &shape, &attributes))
        return false;
    weft_shape vector = weft_shape_of(shape.extent[shape.rank - 1]);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value gamma = weft_sampler_input(sampler, vector, WEFT_SAMPLE_NORMAL);
    weft_value beta = weft_sampler_input(sampler, vector, WEFT_SAMPLE_NORMAL);
    weft_value mean = weft_sampler_input(sampler, vector, WEFT_SAMPLE_NORMAL);
    weft_value variance = weft_sampler_input(sampler, vector, WEFT_SAMPLE_POSITIVE);
    weft_batch_norm_result result =
        weft_batch_norm_apply(x, gamma, beta, mean, variance, &attributes, NULL);
    weft_sampler_output(sampler, result.y);
    weft_sampler_output(sampler, result.mean);
    weft_sampler_output(sampler, result.variance);
    return true;
}

static bool mixes(const weft_bind *bind)
{
    return weft_batch_norm_trains(bind->attributes, bind->mode);
}

static const weft_fusion fusion = {.expand = weft_batch_norm_expand};

const weft_op weft_batch_norm_op = {
    .fusion = &fusion,
    .name = "batch_norm",
    .summary = "gamma (x - mean) / sqrt(variance + epsilon) + beta; the moments are those of the "
               "batch in train mode, the running ones in infer mode",
    .shapes = "x [..,C], gamma [C], beta [C], running_mean [C], running_variance [C] -> [..,C], "
              "mean [C], variance [C]",
    .parameters = "epsilon, mode",
    .source = "Ioffe, Szegedy 2015, algorithm 1",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .in_place = WEFT_INPUT(X),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .cost = cost,
    .mixes = mixes,
    .label = weft_batch_norm_label,
    .sample = sample,
};

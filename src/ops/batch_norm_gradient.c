/* The gradients of batch normalization in one op: dx, dgamma, dbeta from dy, x, gamma, mean, variance.
 * With n pixels, r = 1 / sqrt(variance + epsilon), h = (x - mean) * r and sums over all pixels:
 *
 *     dbeta = sum dy,  dgamma = sum dy * h
 *     dx = gamma * r * (dy - t * (dbeta + h * dgamma) / n),  t = 1 in train mode, else 0
 *
 * (Ioffe, Szegedy 2015, section 3; t is 0 where mean and variance do not depend on x.) The op is a
 * function of its five inputs; how mean and variance depend on x is batch_norm's to know. */
#include "graph/fusion.h"
#include "ops/batch_norm.h"
#include "ops/composed.h"
#include "ops/ops.h"
#include "ops/training.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

#include <math.h>

enum { DY, X, GAMMA, MEAN, VARIANCE, INPUTS };
enum { DX, DGAMMA, DBETA, OUTPUTS };

weft_batch_norm_gradients
weft_batch_norm_gradient_apply(weft_value dy, weft_value x, weft_value gamma, weft_value mean,
                               weft_value variance, const weft_batch_norm_attributes *attributes)
{
    weft_value input[INPUTS] = {dy, x, gamma, mean, variance}, output[OUTPUTS];
    weft_apply(x.graph, &weft_batch_norm_gradient_op, attributes, sizeof(*attributes), NULL, input,
               INPUTS, output, OUTPUTS);
    return (weft_batch_norm_gradients){output[DX], output[DGAMMA], output[DBETA]};
}

static bool infer(weft_infer *infer)
{
    static const char *const what[INPUTS] = {"gradient", "input", "gamma", "mean", "variance"};
    weft_shape x = infer->shape[X];
    char got[120], expected[120];
    if (!weft_infer_real(infer, DY, what[DY]) || !weft_infer_real(infer, X, what[X]))
        return false;
    if (!weft_shape_equal(infer->shape[DY], x) || x.rank < 2)
        return weft_infer_fail(infer, "gradient %s and input %s must have one shape",
                               weft_shape_text(infer->shape[DY], got, sizeof(got)),
                               weft_shape_text(x, expected, sizeof(expected)));
    for (int i = GAMMA; i < INPUTS; i++)
        if (!weft_batch_norm_infer_vector(infer, i, what[i], x))
            return false;
    infer->out_shape[DX] = x;
    infer->out_shape[DGAMMA] = infer->out_shape[DBETA] = infer->shape[GAMMA];
    return true;
}

/* ---- Gradient: the formulas above, of primitive ops, which then have gradients themselves ---- */

static void compose(const weft_value *in, const void *given, weft_value *out)
{
    const weft_batch_norm_attributes *attributes = given;
    weft_value training = weft_is_training(in[X].graph, (weft_mode_choice)attributes->mode);
    weft_value r = weft_rsqrt(weft_offset(in[VARIANCE], attributes->epsilon));
    weft_value h = weft_multiply(weft_subtract(in[X], in[MEAN]), r);
    out[DBETA] = weft_sum_like(in[DY], in[GAMMA]);
    out[DGAMMA] = weft_sum_like(weft_multiply(in[DY], h), in[GAMMA]);
    weft_value along_h = weft_multiply(h, weft_divide_by_count(out[DGAMMA], in[X]));
    weft_value removed = weft_add(along_h, weft_divide_by_count(out[DBETA], in[X]));
    weft_value centered = weft_subtract(in[DY], weft_multiply(removed, training));
    out[DX] = weft_multiply(centered, weft_multiply(in[GAMMA], r));
}

static void gradient(weft_gradient_call *call)
{
    weft_composed_gradient(call, compose, INPUTS, OUTPUTS);
}

/* ---- Float64 ---- */

static void run_f64(const weft_operands *operands)
{
    const weft_batch_norm_attributes *attributes = operands->attributes;
    const weft_tensor *dy = &operands->input[DY], *x = &operands->input[X];
    const weft_tensor *dx = &operands->output[DX];
    const double *gamma = operands->input[GAMMA].data, *mean = operands->input[MEAN].data;
    const double *variance = operands->input[VARIANCE].data;
    double *dgamma = operands->output[DGAMMA].data, *dbeta = operands->output[DBETA].data;
    bool train = weft_batch_norm_trains(attributes, operands->mode);
    int64_t channels = x->extent[x->rank - 1], elements = weft_tensor_elements(x);
    double count = (double)(elements / channels);
    for (int64_t c = 0; c < channels; c++) {
        double r = 1 / sqrt(variance[c] + attributes->epsilon);
        double sum = 0, product = 0;
        for (int64_t i = c; i < elements; i += channels) {
            double g = ((const double *)dy->data)[weft_tensor_offset(dy, i)];
            sum += g;
            product += g * (((const double *)x->data)[weft_tensor_offset(x, i)] - mean[c]) * r;
        }
        for (int64_t i = c; i < elements; i += channels) {
            double g = ((const double *)dy->data)[weft_tensor_offset(dy, i)];
            double h = (((const double *)x->data)[weft_tensor_offset(x, i)] - mean[c]) * r;
            ((double *)dx->data)[weft_tensor_offset(dx, i)] =
                gamma[c] * r * (train ? g - (sum + h * product) / count : g);
        }
        dgamma[c] = product;
        dbeta[c] = sum;
    }
}

/* ---- Float32 ---- */

static bool bind_f32(weft_bind *bind)
{
    const weft_tensor *image[] = {&bind->input[DY], &bind->input[X], &bind->output[DX]};
    const weft_batch_norm_kernels *kernels = weft_batch_norm_table();
    bool train = weft_batch_norm_trains(bind->attributes, bind->mode);
    weft_batch_norm_args args = weft_batch_norm_args_of(bind->attributes, image, 3, true);
    args.at[WEFT_BATCH_NORM_GAMMA].slot = GAMMA;
    args.at[WEFT_BATCH_NORM_MEAN].slot = MEAN;
    args.at[WEFT_BATCH_NORM_VARIANCE].slot = VARIANCE;
    args.at[WEFT_BATCH_NORM_DGAMMA].slot = INPUTS + DGAMMA;
    args.at[WEFT_BATCH_NORM_DBETA].slot = INPUTS + DBETA;
    return weft_batch_norm_bind(
        bind, &args, kernels->backward_sums,
        train ? kernels->backward_finish_train : kernels->backward_finish_infer,
        train ? kernels->backward_apply_train : kernels->backward_apply_infer);
}

static void cost(const weft_bind *bind, weft_cost *cost)
{
    double elements = (double)weft_bind_elements(bind);
    bool train = weft_batch_norm_trains(bind->attributes, bind->mode);
    cost->flops = elements * (train ? 8 : 5);
    cost->bytes = weft_bind_bytes(bind) + elements * (train ? 8 : 4);
}

/* ---- Descriptor ---- */

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_batch_norm_attributes attributes;
    if (!weft_batch_norm_sample(sampler, index, &shape, &attributes))
        return false;
    weft_shape vector = weft_shape_of(shape.extent[shape.rank - 1]);
    weft_value dy = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_value gamma = weft_sampler_input(sampler, vector, WEFT_SAMPLE_NORMAL);
    weft_value mean = weft_sampler_input(sampler, vector, WEFT_SAMPLE_NORMAL);
    weft_value variance = weft_sampler_input(sampler, vector, WEFT_SAMPLE_POSITIVE);
    weft_batch_norm_gradients d =
        weft_batch_norm_gradient_apply(dy, x, gamma, mean, variance, &attributes);
    weft_sampler_output(sampler, d.x);
    weft_sampler_output(sampler, d.gamma);
    weft_sampler_output(sampler, d.beta);
    return true;
}

static const weft_fusion fusion = {.expand = weft_batch_norm_gradient_expand};

const weft_op weft_batch_norm_gradient_op = {
    .fusion = &fusion,
    .name = "batch_norm_gradient",
    .summary = "the gradients of batch_norm with respect to x, gamma and beta",
    .shapes = "dy [..,C], x [..,C], gamma [C], mean [C], variance [C] -> dx [..,C], dgamma [C], "
              "dbeta [C]",
    .parameters = "epsilon, mode",
    .source = "Ioffe, Szegedy 2015, section 3",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = INPUTS,
    .max_inputs = INPUTS,
    .outputs = OUTPUTS,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .in_place = WEFT_INPUT(DY) | WEFT_INPUT(X),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind_f32,
    .cost = cost,
    .label = weft_batch_norm_label,
    .sample = sample,
};

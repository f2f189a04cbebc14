/* Moving averages of what a train program computes: running statistics. */
#include "ops/ops.h"
#include "ops/rules.h"
#include "weft/normalization.h"

#include <stdio.h>
#include <string.h>

typedef struct attributes {
    double decay;
} attributes;

enum { VARIABLE, NEW_VALUE, SAMPLES };

weft_value weft_moving_average(weft_value variable, weft_value new_value,
                               const weft_moving_average_options *options)
{
    if (!weft_is_null(variable) && !weft_is_variable(variable))
        return weft_graph_fail(variable.graph, WEFT_ERROR_ARGUMENT,
                               "moving_average: \"%s\" is not a variable", weft_name_get(variable));
    weft_value input[] = {weft_updated(variable), new_value, options->samples};
    attributes a = {.decay = options->decay};
    return weft_apply(variable.graph, &weft_moving_average_op, &a, sizeof(a), options->name, input,
                      weft_is_null(options->samples) ? 2 : 3, NULL, 1);
}

static bool infer(weft_infer *infer)
{
    const attributes *a = infer->attributes;
    char got[120], expected[120];
    if (!weft_infer_real(infer, VARIABLE, "variable") ||
        !weft_infer_real(infer, NEW_VALUE, "new value"))
        return false;
    if (!(a->decay >= 0 && a->decay < 1))
        return weft_infer_fail(infer, "decay %g is not in [0, 1)", a->decay);
    if (!weft_shape_equal(infer->shape[VARIABLE], infer->shape[NEW_VALUE]))
        return weft_infer_fail(infer, "new value %s expected with shape %s",
                               weft_shape_text(infer->shape[NEW_VALUE], got, sizeof(got)),
                               weft_shape_text(infer->shape[VARIABLE], expected, sizeof(expected)));
    infer->out_shape[0] = infer->shape[VARIABLE];
    return true;
}

/* n / (n - 1) for n samples to each element of the new value; 1 without samples, or with a single one,
 * over which there is no variance. */
static double correction(const weft_operands *operands)
{
    if (operands->inputs <= SAMPLES)
        return 1;
    double samples = (double)weft_tensor_elements(&operands->input[SAMPLES]);
    double count = samples / (double)weft_tensor_elements(&operands->input[NEW_VALUE]);
    return count > 1 ? count / (count - 1) : 1;
}

static void run_f64(const weft_operands *operands)
{
    double decay = ((const attributes *)operands->attributes)->decay;
    double share = (1 - decay) * correction(operands);
    const weft_tensor *old = &operands->input[VARIABLE], *new_value = &operands->input[NEW_VALUE];
    const weft_tensor *out = &operands->output[0];
    for (int64_t i = 0, count = weft_tensor_elements(out); i < count; i++)
        ((double *)out->data)[weft_tensor_offset(out, i)] =
            decay * ((const double *)old->data)[weft_tensor_offset(old, i)] +
            share * ((const double *)new_value->data)[weft_tensor_offset(new_value, i)];
}

static void run_f32(const weft_operands *operands)
{
    double decay = ((const attributes *)operands->attributes)->decay;
    double share = (1 - decay) * correction(operands);
    const float *old = operands->input[VARIABLE].data, *new_value = operands->input[NEW_VALUE].data;
    float *out = operands->output[0].data;
    for (int64_t i = 0, count = weft_tensor_elements(&operands->output[0]); i < count; i++)
        out[i] = (float)(decay * (double)old[i] + share * (double)new_value[i]);
}

static void label(const void *data, char *text, size_t size)
{
    snprintf(text, size, "%g", ((const attributes *)data)->decay);
}

static bool sample(weft_sampler *sampler, int index)
{
    if (index >= 2)
        return false;
    int64_t channels = weft_sampler_integer(sampler, 1, 40);
    weft_value variable =
        weft_variable(weft_sampler_graph(sampler),
                      &(weft_variable_options){
                          .shape = weft_shape_of(channels),
                          .initializer = {.kind = WEFT_INIT_UNIFORM, .a = 0.5, .b = 1.5},
                          .frozen = true,
                      });
    weft_moving_average_options options = {.decay = 0.875};
    if (index == 1)
        options.samples =
            weft_sampler_input(sampler, weft_shape_of(3, channels), WEFT_SAMPLE_NORMAL);
    weft_value new_value =
        weft_sampler_input(sampler, weft_shape_of(channels), WEFT_SAMPLE_POSITIVE);
    weft_sampler_output(sampler, weft_moving_average(variable, new_value, &options));
    return true;
}

const weft_op weft_moving_average_op = {
    .name = "moving_average",
    .summary = "variable = decay variable + (1 - decay) new, in train mode",
    .shapes = "variable [..], new [..], samples? [..] -> [..]",
    .parameters = "decay",
    .source = "Ioffe, Szegedy 2015, section 3.1",

    .family = WEFT_FAMILY_NORMALIZATION,
    .min_inputs = 2,
    .max_inputs = 3,
    .outputs = 1,
    .flags = WEFT_OP_NO_GRADIENT,
    .shape_only = WEFT_INPUT(SAMPLES),
    .writes = WEFT_INPUT(VARIABLE),
    .infer = infer,
    .run_f64 = run_f64,
    .run_f32 = run_f32,
    .label = label,
    .sample = sample,
};

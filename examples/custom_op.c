/* An op of one's own: the bent identity, y = (sqrt(x^2 + 1) - 1) / 2 + x. Its descriptor is all that weft
 * needs to differentiate it, plan its memory, check it and draw it. The program checks it the way weft
 * checks its own ops, then fits a small network that uses it as activation.
 *
 * usage: custom_op [--dot FILE] */
#include "weft/weft.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- The op ---- */

static const weft_op bent_op; /* defined below */

static bool bent_shape(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

/* dy/dx = x / (2 sqrt(x^2 + 1)) + 1, written with other ops: they have gradients themselves, so this one
 * can be differentiated again. */
static void bent_gradient(weft_gradient_call *call)
{
    weft_value x = call->input[0];
    weft_value inverse_root = weft_rsqrt(weft_offset(weft_square(x), 1.0));
    weft_value slope = weft_offset(weft_scale(weft_multiply(x, inverse_root), 0.5), 1.0);
    call->input_gradient[0] = weft_multiply(call->output_gradient[0], slope);
}

/* The plain form follows the strides of its operands. */
static void bent_f64(const weft_operands *operands)
{
    const weft_tensor *x = &operands->input[0], *y = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(x); i < n; i++) {
        double v = ((const double *)x->data)[weft_tensor_offset(x, i)];
        ((double *)y->data)[weft_tensor_offset(y, i)] = (sqrt(v * v + 1.0) - 1.0) / 2.0 + v;
    }
}

/* Optional: without it, float32 programs run bent_f64 on copies. Operands are dense here, since the
 * descriptor does not say that it takes strided ones. */
static void bent_f32(const weft_operands *operands)
{
    const float *x = operands->input[0].data;
    float *y = operands->output[0].data;
    for (int64_t i = 0, n = weft_tensor_elements(&operands->input[0]); i < n; i++)
        y[i] = (sqrtf(x[i] * x[i] + 1.0f) - 1.0f) / 2.0f + x[i];
}

static bool bent_sample(weft_sampler *sampler, int index)
{
    if (index > 1)
        return false;
    int64_t rows = weft_sampler_integer(sampler, 1, 5);
    weft_shape shape = index ? weft_shape_of(rows, 3, 7) : weft_shape_of(17);
    weft_value x = weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(
        sampler, weft_apply(weft_sampler_graph(sampler), &bent_op, NULL, 0, NULL, &x, 1, NULL, 1));
    return true;
}

static const weft_op bent_op = {
    .name = "bent_identity",
    .family = WEFT_FAMILY_ACTIVATION,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .in_place = WEFT_INPUT(0),
    .infer = bent_shape,
    .gradient = bent_gradient,
    .run_f64 = bent_f64,
    .run_f32 = bent_f32,
    .sample = bent_sample,
};

static weft_value bent_identity(weft_value x)
{
    return weft_apply(x.graph, &bent_op, NULL, 0, NULL, &x, 1, NULL, 1);
}

/* ---- A network with it: learns y = sin(3 x) ---- */

enum { SAMPLES = 128, STEPS = 600 };

static weft_status fit(weft_graph *graph, const char *diagram, weft_error *error)
{
    weft_value x = weft_input(graph, .name = "x", .shape = weft_shape_of(WEFT_BATCH, 1));
    weft_value target = weft_input(graph, .name = "target", .shape = weft_shape_of(WEFT_BATCH, 1));
    weft_value y = bent_identity(weft_dense(x, .units = 32));
    y = bent_identity(weft_dense(y, .units = 32));
    weft_value loss = weft_mean_squared_error(weft_dense(y, .units = 1), target);
    weft_minimize(loss, &(weft_optimizer_options){.kind = WEFT_ADAM, .learning_rate = 0.01}, NULL);

    float input[SAMPLES], output[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        input[i] = 2.0f * (float)i / SAMPLES - 1.0f;
        output[i] = sinf(3.0f * input[i]);
    }
    weft_feed feeds[] = {{x, input, sizeof(input)}, {target, output, sizeof(output)}};
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_status status = weft_state_create(graph, NULL, &state, error);
    if (status == WEFT_OK)
        status =
            weft_compile(graph, state,
                         &(weft_compile_options){
                             .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .batch = SAMPLES},
                         &program, error);
    for (int step = 0; step < STEPS && status == WEFT_OK; step++) {
        status = weft_run(program, feeds, 2, NULL, error);
        if (status == WEFT_OK && step % 100 == 99)
            printf("step %d: mean squared error %.6f\n", step + 1,
                   weft_fetch_scalar(program, loss));
    }
    if (status == WEFT_OK && diagram)
        status = weft_graph_draw(graph, NULL, diagram, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return status;
}

int main(int argc, char **argv)
{
    const char *diagram = argc == 3 && strcmp(argv[1], "--dot") == 0 ? argv[2] : NULL;
    if (argc != 1 && !diagram) {
        fprintf(stderr, "usage: custom_op [--dot FILE]\n");
        return 2;
    }
    weft_error error = {0};
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = context ? weft_graph_create(context) : NULL;
    weft_status status =
        graph ? WEFT_OK : weft_error_set(&error, WEFT_ERROR_MEMORY, "out of memory");
    weft_check_op_report report = {0};
    if (status == WEFT_OK)
        status = weft_check_op(context, &bent_op, NULL, &report, &error);
    if (status == WEFT_OK) {
        printf(
            "checked %d cases: relative error of gradients %.1e, of second order %.1e, of float32 "
            "%.1e\n",
            report.cases, report.gradient_error, report.second_error, report.float_error);
        status = fit(graph, diagram, &error);
    }
    if (status != WEFT_OK)
        fprintf(stderr, "custom_op: %s\n", error.message);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    return status == WEFT_OK ? 0 : 1;
}

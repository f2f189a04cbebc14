/* What a step costs besides its work: a chain of dependent steps whose kernels do nothing, in two pieces
 * each, so that a barrier stands between any two. */
#include "cli/quantile.h"
#include "weft/weft.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 1000, RUNS = 101 };

static bool infer_same(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static void nothing(const weft_operands *operands)
{
    (void)operands;
}

static void empty_piece(const weft_call *call, int64_t piece)
{
    (void)call;
    (void)piece;
}

static bool bind_empty(weft_bind *bind)
{
    weft_bind_phase(bind, empty_piece, 2);
    return true;
}

static const weft_op empty_op = {
    .name = "empty",
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 1,
    .in_place = WEFT_INPUT(0),
    .infer = infer_same,
    .run_f64 = nothing,
    .bind = bind_empty,
};

/* Microseconds a step, the median of the runs. */
static double measure(int threads)
{
    weft_context *context = weft_context_create(&(weft_context_options){.threads = threads});
    weft_graph *graph = weft_graph_create(context);
    weft_value x = weft_input(graph, .name = "x", .shape = weft_shape_of(16)), y = x;
    for (int i = 0; i < STEPS; i++)
        y = weft_apply(graph, &empty_op, NULL, 0, NULL, &y, 1, NULL, 1);
    weft_error error = {0};
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = {
        .fetch = &y, .fetches = 1, .threads = threads, .without = 1u << WEFT_PASS_CSE};
    double microseconds[RUNS], median = -1;
    float data[16] = {0};
    if (weft_state_create(graph, NULL, &state, &error) == WEFT_OK &&
        weft_compile(graph, state, &options, &program, &error) == WEFT_OK) {
        for (int i = 0; i < RUNS; i++) {
            weft_run(program, &(weft_feed){x, data, sizeof(data)}, 1, NULL, &error);
            microseconds[i] = weft_program_report(program).seconds * 1e6 / STEPS;
        }
        median = quantile(microseconds, RUNS, 0.5);
    } else {
        fprintf(stderr, "steps: %s\n", error.message);
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    return median;
}

int main(int argc, char **argv)
{
    int most = argc > 1 ? atoi(argv[1]) : 2;
    for (int threads = 1; threads <= most; threads++)
        printf("%d thread%s: %.3f microseconds an empty step\n", threads, threads > 1 ? "s" : "",
               measure(threads));
    return 0;
}

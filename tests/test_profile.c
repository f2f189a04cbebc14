/* What a program says of its steps: names, algorithms, work, and the same in its diagram. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/convolution.h"
#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_program *program;
static weft_error error;

static void begin(void)
{
    context = weft_context_create(&(weft_context_options){.threads = 1});
    graph = weft_graph_create(context);
    state = NULL;
    program = NULL;
}

static void end(void)
{
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(profile, .init = begin, .fini = end);

static void compile(weft_value fetch, weft_compile_options options)
{
    options.fetch = &fetch;
    options.fetches = 1;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
}

/* The step whose kernel is that op's. */
static weft_step_report step_of(const char *kernel)
{
    weft_step_report step;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        if (strcmp(step.kernel, kernel) == 0)
            return step;
    cr_assert(false, "no step of %s", kernel);
    return step;
}

static weft_value image(int64_t size, int64_t channels)
{
    return weft_input(graph, .name = "x", .shape = weft_shape_of(WEFT_BATCH, size, size, channels));
}

static weft_value conv(weft_value x)
{
    return weft_conv2d(x, .filters = 32, .kernel = {3, 3}, .padding = WEFT_SAME);
}

static bool is_algorithm(const char *name)
{
    for (int i = 0; weft_convolution_algorithm(i); i++)
        if (strcmp(weft_convolution_algorithm(i), name) == 0)
            return true;
    return false;
}

Test(profile, steps_name_their_algorithm)
{
    compile(weft_relu(conv(image(16, 32))), (weft_compile_options){0});
    weft_step_report step = step_of("convolution");
    cr_expect(is_algorithm(step.algorithm), "%s", step.algorithm);
    cr_expect_str_eq(step.op, "convolution + relu");
}

Test(profile, the_algorithm_is_the_one_that_runs)
{
    compile(conv(image(16, 32)), (weft_compile_options){.no_winograd = true});
    cr_expect_str_eq(step_of("convolution").algorithm, "direct");
}

Test(profile, ops_of_one_form_name_none)
{
    compile(weft_max_pool(image(16, 8), .window = {2, 2}), (weft_compile_options){0});
    cr_expect_str_eq(step_of("max_pool").algorithm, "");
}

static void write_zero(const weft_operands *operands)
{
    ((double *)operands->output[0].data)[0] = 0;
}

static bool infer_one(weft_infer *infer)
{
    infer->out_shape[0] = weft_shape_of(1);
    return true;
}

Test(profile, an_op_without_a_kernel_says_so)
{
    static const weft_op op = {.name = "slow",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .outputs = 1,
                               .infer = infer_one,
                               .run_f64 = write_zero};
    weft_value x = image(4, 1);
    compile(weft_apply(graph, &op, NULL, 0, NULL, &x, 1, NULL, 1), (weft_compile_options){0});
    cr_expect_str_eq(step_of("slow").algorithm, "plain");
}

Test(profile, maps_alone_are_named_by_all_of_them)
{
    compile(weft_square(weft_relu(weft_tanh(image(4, 8)))), (weft_compile_options){0});
    cr_expect_str_eq(step_of("tanh + relu + square").algorithm, "");
}

Test(profile, neighbours_of_one_op_are_counted)
{
    compile(weft_relu(weft_square(weft_square(conv(image(16, 8))))), (weft_compile_options){0});
    cr_expect_str_eq(step_of("convolution").op, "convolution + 2 square + relu");
}

static char *text_of(const weft_dot_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_expect_eq(weft_program_dot(program, options, file, &error), WEFT_OK, "%s", error.message);
    weft_program_print(program, file);
    fclose(file);
    return text;
}

Test(profile, diagrams_and_lists_show_the_algorithm)
{
    compile(weft_relu(conv(image(16, 32))), (weft_compile_options){.no_winograd = true});
    char *text = text_of(NULL);
    cr_expect(strstr(text, "n1 [label=\"convolution + relu\\n#0  3x3 same  direct\""), "%s", text);
    cr_expect(strstr(text, "convolution + relu           direct "), "%s", text);
    free(text);
}

Test(profile, diagrams_quote_scopes)
{
    weft_scope_push(graph, "a\"b");
    weft_value y = conv(image(4, 2));
    weft_scope_pop(graph);
    compile(y, (weft_compile_options){0});
    char *text = text_of(NULL);
    cr_expect(strstr(text, "subgraph \"cluster_forward_a\\\"b_"), "%s", text);
    cr_expect(strstr(text, "label=\"a\\\"b\"; style="), "%s", text);
    free(text);
}

/* Copies of x, each by a factor of its own, in concats of two that are nested so deep. */
static weft_value nested_concat(weft_value x, int depth, double factor)
{
    if (depth == 0)
        return weft_scale(x, factor);
    return weft_concat_channels(nested_concat(x, depth - 1, 2 * factor),
                                nested_concat(x, depth - 1, 2 * factor + 1));
}

Test(profile, diagrams_have_an_arrow_from_each_part_of_nested_concats)
{
    enum { DEPTH = 3, LEAVES = 1 << DEPTH, READERS = 4, SUMS = READERS - 1 };
    weft_value y = nested_concat(image(4, 2), DEPTH, 1);
    weft_value sum =
        weft_add(weft_add(weft_relu(y), weft_tanh(y)), weft_add(weft_square(y), weft_sigmoid(y)));
    compile(sum, (weft_compile_options){.without = 1u << WEFT_PASS_FUSE});
    char *text = text_of(NULL);
    int arrows = 0;
    for (const char *at = strstr(text, " -> n"); at; at = strstr(at + 1, " -> n"))
        arrows++;
    cr_expect_eq(arrows, LEAVES + READERS * LEAVES + 2 * SUMS, "%d: %s", arrows, text);
    free(text);
}

/* ---- Work ---- */

static double flops_without(weft_value fetch, unsigned without)
{
    weft_program *own = NULL;
    weft_compile_options options = {.mode = WEFT_TRAIN, .batch = 2, .without = without};
    options.fetch = &fetch;
    options.fetches = 1;
    if (!state)
        cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(graph, state, &options, &own, &error), WEFT_OK, "%s", error.message);
    double flops = weft_program_report(own).flops;
    weft_program_destroy(own);
    return flops;
}

Test(profile, fusing_changes_no_count_of_operations)
{
    weft_value x = image(16, 8), y = weft_add(weft_relu(weft_batch_norm(conv(x))), conv(x));
    double fused = flops_without(y, 0), plain = flops_without(y, 1u << WEFT_PASS_FUSE);
    cr_expect(fabs(fused / plain - 1) < 1e-3, "%g, and %g not fused", fused, plain);
    double elements = 2 * 16 * 16 * 32, taps = 3 * 3 * 8;
    cr_expect(fabs(fused / (elements * (2 * 2 * taps + 7 + 1 + 1)) - 1) < 1e-3, "%g", fused);
}

Test(profile, work_takes_what_its_flops_or_its_bytes_do)
{
    weft_roof roof = {.flops = 1e9, .bytes = 1e8};
    cr_expect_eq(weft_roof_seconds(&roof, 2e9, 1e8), 2.0);
    cr_expect_eq(weft_roof_seconds(&roof, 2e9, 4e8), 4.0);
    cr_expect_eq(weft_roof_seconds(&(weft_roof){0}, 2e9, 4e8), 0.0, "nothing is known");
}

/* With a roof that no step reaches, and with one that every step is far below. */
Test(profile, diagrams_are_coloured_by_time_above_the_roof)
{
    static float data[16 * 16 * 32];
    weft_value x = image(16, 32);
    compile(weft_relu(conv(x)), (weft_compile_options){.profile = true});
    cr_assert_eq(weft_run(program, &(weft_feed){x, data, sizeof(data)}, 1, NULL, &error), WEFT_OK,
                 "%s", error.message);
    weft_dot_options options = {.heat = WEFT_HEAT_LOST, .roof = {1e30, 1e30}};
    char *text = text_of(&options);
    cr_expect(strstr(text, " us, 0.0 us at the roof\", fillcolor=\"#ff371e\""), "%s", text);
    free(text);
    options.roof = (weft_roof){1, 1};
    text = text_of(&options);
    cr_expect(strstr(text, "us at the roof\", fillcolor=\"#9ecae9\""), "%s", text);
    free(text);
}

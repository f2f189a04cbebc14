/* Convolutions of a concat over a long connection as sums of convolutions of its parts: which are, which must not be, and
 * that they compute the same, forward and backward. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_error error;
static weft_value x;

static void begin(void)
{
    context = weft_context_create(NULL);
    graph = weft_graph_create(context);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(distribute, .init = begin, .fini = end);

enum { BATCH = 2, SIDE = 12, FETCHES = 80, MOST = 1 << 14 };
enum { OFF = 1u << WEFT_PASS_DISTRIBUTE };

typedef struct outcome {
    int concats; /* placements that one has */
    char labels[1 << 15];
    int64_t arena;
    int fetches;
    double data[FETCHES][MOST];
    int64_t count[FETCHES];
} outcome;

static void look(const weft_program *program, outcome *o)
{
    weft_step_report step;
    weft_plan *plan;
    o->labels[0] = 0;
    o->concats = 0;
    o->arena = weft_program_report(program).arena_bytes;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        strcat(strcat(o->labels, step.op), "\n");
    cr_assert_eq(weft_program_plan(program, &plan, &error), WEFT_OK, "%s", error.message);
    for (int i = 0; i < plan->placements; i++)
        o->concats += strcmp(plan->placement[i].op, "concat") == 0 &&
                      plan->placement[i].memory == WEFT_MEMORY_KEPT;
    weft_plan_destroy(plan);
}

static void copy_fetch(const weft_program *program, weft_value fetch, outcome *o)
{
    weft_tensor tensor = weft_fetch(program, fetch);
    int64_t count = weft_tensor_elements(&tensor);
    cr_assert_leq(count, MOST);
    double *to = o->data[o->fetches];
    for (int64_t i = 0; i < count; i++)
        to[i] = tensor.dtype == WEFT_FLOAT64 ? ((const double *)tensor.data)[i]
                                             : (double)((const float *)tensor.data)[i];
    o->count[o->fetches++] = count;
}

/* Nothing is left at zero, as biases begin. */
static void change_first_elements(weft_state *state, weft_dtype dtype)
{
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++) {
        void *data = weft_state_tensor(state, weft_variable_at(graph, i)).data;
        if (dtype == WEFT_FLOAT64)
            *(double *)data += 0.25;
        else
            *(float *)data += 0.25f;
    }
}

/* Options without fetches and batch. */
static void run(const weft_value *fetch, int fetches, weft_dtype dtype,
                weft_compile_options options, outcome *o)
{
    static double image[MOST];
    static float rounded[MOST];
    for (int i = 0; i < MOST; i++) {
        image[i] = (float)((uint32_t)i * 2654435761u >> 20) / 2048.0f - 1;
        rounded[i] = (float)image[i];
    }
    weft_state *state = NULL;
    weft_program *program = NULL;
    options.fetch = fetch;
    options.fetches = fetches;
    options.batch = BATCH;
    options.mode = WEFT_TRAIN;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.seed = 5, .dtype = dtype}, &state, &error),
        WEFT_OK, "%s", error.message);
    change_first_elements(state, dtype);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    look(program, o);
    bool wide = dtype == WEFT_FLOAT64;
    size_t elements = (size_t)(BATCH * -weft_shape_elements(weft_shape_get(x)));
    weft_feed feed = {x, wide ? (void *)image : rounded,
                      elements * (wide ? sizeof(double) : sizeof(float))};
    cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    o->fetches = 0;
    for (int i = 0; i < fetches; i++)
        copy_fetch(program, fetch[i], o);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

static outcome parts, whole, other;

static void expect_close(const outcome *a, const outcome *b, double tolerance)
{
    for (int i = 0; i < a->fetches; i++) {
        double difference = 0, norm = 0;
        for (int64_t k = 0; k < a->count[i]; k++) {
            difference += pow(a->data[i][k] - b->data[i][k], 2);
            norm += pow(b->data[i][k], 2);
        }
        cr_expect_gt(norm, 0, "fetch %d shows nothing", i);
        cr_expect_leq(sqrt(difference), tolerance * sqrt(norm), "fetch %d: off by %g of %g", i,
                      sqrt(difference), sqrt(norm));
    }
}

static void expect_bits(const outcome *a, const outcome *b, const char *what)
{
    for (int i = 0; i < a->fetches; i++)
        cr_expect_eq(memcmp(a->data[i], b->data[i], (size_t)a->count[i] * sizeof(double)), 0,
                     "fetch %d %s", i, what);
}

/* The loss of y and the gradients of all variables. */
static int fetches_of(weft_value y, weft_value *fetch)
{
    weft_value of[FETCHES];
    int count = 0;
    fetch[0] = weft_mean(weft_square(y));
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)) && count < FETCHES - 1; i++)
        if (weft_is_trainable(weft_variable_at(graph, i)))
            of[count++] = weft_variable_at(graph, i);
    weft_gradients(fetch[0], of, count, fetch + 1, NULL);
    return count + 1;
}

/* So many concats are kept with the pass on; whether or not, the same results, in either dtype; with it, the same bits
 * for any memory and any number of threads. */
static void check(weft_value y, int concats)
{
    weft_value fetch[FETCHES];
    int fetches = fetches_of(y, fetch);
    run(fetch, fetches, WEFT_FLOAT64, (weft_compile_options){0}, &parts);
    run(fetch, fetches, WEFT_FLOAT64, (weft_compile_options){.without = OFF}, &whole);
    expect_close(&parts, &whole, 1e-12);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){0}, &parts);
    expect_close(&parts, &whole, 2e-5);
    cr_expect_eq(parts.concats, concats, "%d concats kept in:\n%s", parts.concats, parts.labels);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.memory_limit = WEFT_LEAST_MEMORY},
        &other);
    cr_expect_leq(other.arena, parts.arena);
    expect_bits(&parts, &other, "under a limit");
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.threads = 3, .poison = true}, &other);
    expect_bits(&parts, &other, "by other threads");
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.without = OFF}, &whole);
}

static void expect_distributed(weft_value y)
{
    check(y, 0);
    cr_expect_gt(whole.concats, 0);
}

static void expect_left(weft_value y, int concats)
{
    check(y, concats);
    cr_expect_eq(whole.concats, concats);
    cr_expect_str_eq(parts.labels, whole.labels);
}

static weft_value image(int64_t channels)
{
    return x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, channels));
}

static weft_value conv(weft_value v, int filters, int kernel)
{
    return weft_conv2d(v, .filters = filters, .kernel = {kernel, kernel}, .padding = WEFT_SAME);
}

/* So many convolutions as long as a connection goes around them. */
static weft_value around(weft_value v, int filters, int count)
{
    for (int i = 0; i < count; i++)
        v = weft_tanh(conv(v, filters, 1));
    return v;
}

enum { LONG = 9 };

static weft_value joined(int channels)
{
    weft_value early = weft_tanh(conv(image(3), channels, 3));
    return weft_concat_channels(early, around(early, channels + 2, LONG));
}

Test(distribute, a_convolution_of_a_long_connection)
{
    expect_distributed(weft_tanh(conv(joined(9), 11, 3)));
    cr_expect(strstr(parts.labels, "convolution + add"), "%s", parts.labels);
}

Test(distribute, takes_less_memory)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 40, 40, 3));
    weft_value early = weft_tanh(conv(x, 16, 3)), fetch[FETCHES];
    early = weft_concat_channels(early, around(early, 16, LONG));
    int fetches = fetches_of(weft_tanh(conv(early, 16, 3)), fetch);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){0}, &parts);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.without = OFF}, &whole);
    cr_expect_lt((double)parts.arena, 0.95 * (double)whole.arena, "%lld, %lld",
                 (long long)parts.arena, (long long)whole.arena);
}

Test(distribute, the_gradient_of_the_early_part_waits_alone)
{
    weft_value fetch[FETCHES];
    int fetches = fetches_of(conv(joined(9), 11, 3), fetch);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.memory_limit = 1 << 30}, &parts);
    cr_expect_not(strstr(parts.labels, "split"), "%s", parts.labels);
    cr_expect_not(strstr(parts.labels, "copy"), "%s", parts.labels);
    int gradients = 0;
    for (const char *at = parts.labels; (at = strstr(at, "input_gradient")); at++)
        gradients++;
    cr_expect_eq(gradients, LONG + 2, "%d in:\n%s", gradients, parts.labels);
}

Test(distribute, a_norm_and_relu_before_a_pooling_and_a_connection)
{
    weft_value early = weft_conv2d(image(3), .filters = 16, .kernel = {3, 3}, .no_bias = true,
                                   .padding = WEFT_SAME);
    early = weft_relu(weft_batch_norm(early));
    weft_value low = around(weft_max_pool(early, .window = {2, 2}), 48, 16);
    weft_value up = weft_conv_transpose2d(low, .filters = 16, .kernel = {2, 2}, .stride = {2, 2});
    expect_distributed(weft_tanh(conv(weft_concat_channels(early, up), 9, 3)));
    cr_expect(strstr(parts.labels, "normalize + relu + convolution + add"), "%s", parts.labels);
    cr_expect(strstr(parts.labels, "normalize + relu + convolution_filter_gradient\n"), "%s",
              parts.labels);
}

Test(distribute, strides_dilation_and_two_readers)
{
    weft_value v = joined(8);
    weft_value a = weft_conv2d(v, .filters = 5, .kernel = {3, 2}, .stride = {2, 1},
                               .dilation = {1, 2}, .padding = WEFT_SAME);
    weft_value b =
        weft_conv2d(v, .filters = 5, .kernel = {1, 1}, .stride = {2, 1}, .no_bias = true);
    expect_distributed(weft_add(a, b));
}

Test(distribute, five_parts)
{
    weft_value part[5] = {weft_tanh(conv(image(3), 7, 3))};
    for (int i = 1; i < 5; i++)
        part[i] = around(part[i - 1], 7 + i, 6);
    check(conv(weft_concat(part, 5, -1), 6, 3), 0);
    cr_expect_gt(whole.concats, 0);
}

Test(distribute, a_connection_within_another)
{
    weft_value outer = weft_tanh(conv(image(3), 9, 3)), inner = around(outer, 10, 3);
    weft_value v = weft_concat_channels(inner, around(inner, 10, LONG));
    v = weft_concat_channels(outer, around(weft_tanh(conv(v, 8, 3)), 9, LONG));
    expect_distributed(conv(v, 7, 3));
}

Test(distribute, one_and_three_dimensions)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 5, 4, 5, 3));
    weft_value early = weft_tanh(weft_conv3d(x, .filters = 8, .kernel = {1, 1, 1})), late = early;
    for (int i = 0; i < LONG; i++)
        late = weft_tanh(weft_conv3d(late, .filters = 8, .kernel = {1, 1, 1}));
    weft_value y =
        weft_conv3d(weft_concat_channels(early, late), .filters = 4, .kernel = {2, 2, 2});
    expect_distributed(y);
}

Test(distribute, a_second_derivative)
{
    weft_value first[FETCHES], y = weft_tanh(conv(joined(6), 5, 3));
    int count = fetches_of(y, first); /* the gradients of the last filter and bias come last */
    weft_value fetch[] = {weft_mean(weft_square(first[count - 2])), weft_null(graph)};
    weft_gradients(fetch[0], (weft_value[]){weft_variable_at(graph, 0)}, 1, &fetch[1], NULL);
    run(fetch, 2, WEFT_FLOAT64, (weft_compile_options){0}, &parts);
    run(fetch, 2, WEFT_FLOAT64, (weft_compile_options){.without = OFF}, &whole);
    cr_expect_str_neq(parts.labels, whole.labels);
    expect_close(&parts, &whole, 1e-11);
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

/* Convolutions, norms and poolings one after the other, some of which also see one or two values from before. */
static weft_value random_network(uint32_t seed)
{
    enum { LAYERS = 14 };
    weft_value layer[LAYERS + 1] = {weft_tanh(conv(image(1 + draw(&seed, 3)), 6, 3))};
    for (int i = 0; i < LAYERS; i++) {
        weft_value v = layer[i];
        int count = 1 + (int)draw(&seed, 2);
        if (i > 6 && draw(&seed, 3) == 0) {
            weft_value part[3] = {v, layer[draw(&seed, 3)], layer[draw(&seed, 6)]};
            v = weft_concat(part, 1 + count, -1);
        }
        int filters = 3 + (int)draw(&seed, 8), kernel = 1 + 2 * (int)draw(&seed, 2);
        if (draw(&seed, 2))
            v = weft_relu(
                weft_batch_norm(weft_conv2d(v, .filters = filters, .padding = WEFT_SAME,
                                            .kernel = {kernel, kernel}, .no_bias = true)));
        else
            v = weft_tanh(conv(v, filters, kernel));
        layer[i + 1] = v;
    }
    return layer[LAYERS];
}

Test(distribute, random_networks)
{
    const char *times = getenv("WEFT_TEST_CASES");
    int distributed = 0;
    for (uint32_t seed = 0; seed < 20 * (times ? (uint32_t)atoi(times) : 1); seed++) {
        weft_graph_destroy(graph);
        graph = weft_graph_create(context);
        weft_value fetch[FETCHES];
        int fetches = fetches_of(random_network(seed), fetch);
        run(fetch, fetches, WEFT_FLOAT64, (weft_compile_options){.without = OFF}, &whole);
        run(fetch, fetches, WEFT_FLOAT64, (weft_compile_options){.poison = true}, &parts);
        expect_close(&parts, &whole, 1e-10);
        distributed += strcmp(parts.labels, whole.labels) != 0;
        run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){0}, &parts);
        expect_close(&parts, &whole, 1e-3); /* norms of few values magnify what float32 rounds */
        run(fetch, fetches, WEFT_FLOAT32,
            (weft_compile_options){.memory_limit = WEFT_LEAST_MEMORY, .poison = true}, &other);
        expect_bits(&parts, &other, "under a limit");
    }
    cr_expect_gt(distributed, 5, "%d of all networks changed", distributed);
}

/* ---- What is left as it is ---- */

Test(distribute, not_without_gradients)
{
    weft_value fetch = conv(joined(9), 11, 3);
    run(&fetch, 1, WEFT_FLOAT32, (weft_compile_options){0}, &parts);
    run(&fetch, 1, WEFT_FLOAT32, (weft_compile_options){.without = OFF}, &whole);
    cr_expect_str_eq(parts.labels, whole.labels);
    expect_bits(&parts, &whole, "without the pass");
}

Test(distribute, not_a_short_connection)
{
    weft_value early = weft_tanh(conv(image(3), 9, 3));
    expect_left(conv(weft_concat_channels(early, around(early, 9, 1)), 11, 3), 1);
}

Test(distribute, not_what_others_read)
{
    weft_value v = joined(9);
    expect_left(weft_add(conv(v, 20, 3), weft_tanh(v)), 1);
}

Test(distribute, not_groups)
{
    weft_value v = joined(8);
    expect_left(weft_conv2d(v, .filters = 6, .kernel = {3, 3}, .groups = 2), 1);
}

Test(distribute, not_rows_one_below_the_other)
{
    weft_value early = weft_tanh(conv(image(3), 9, 3));
    weft_value v = weft_concat((weft_value[]){early, around(early, 9, LONG)}, 2, 1);
    expect_left(conv(v, 11, 3), 1);
}

Test(distribute, not_a_filter_larger_than_the_image)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 3, 3, 3));
    weft_value early = weft_tanh(conv(x, 24, 1));
    expect_left(conv(weft_concat_channels(early, around(early, 24, LONG)), 24, 3), 1);
}

Test(distribute, not_what_is_fetched)
{
    weft_value v = joined(9), fetch[FETCHES];
    int fetches = fetches_of(conv(v, 11, 3), fetch);
    fetch[fetches++] = v;
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){0}, &parts);
    run(fetch, fetches, WEFT_FLOAT32, (weft_compile_options){.without = OFF}, &whole);
    expect_close(&parts, &whole, 1e-6);
    cr_expect_eq(whole.count[fetches - 1], BATCH * SIDE * SIDE * 20);
}

/* A part of a filter is copied, and the convolution keeps its kernel. */
Test(distribute, a_part_of_a_filter_is_made_dense)
{
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 3, 8, 6));
    weft_value part = weft_slice(w, .begin = {0, 0, 3, 0}, .size = {0, 0, 5, 0});
    weft_value y = weft_convolution(image(5), part, NULL);
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = {.fetch = &y, .fetches = 1, .batch = BATCH};
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK);
    weft_step_report step;
    bool found = false;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        if (strstr(step.op, "convolution")) {
            found = true;
            cr_expect(step.algorithm[0] != 0, "the plain form");
        }
    cr_expect(found);
    weft_program_destroy(program);
    weft_state_destroy(state);
}

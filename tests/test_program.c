/* Compiling and running: what is fed and fetched, batches, states shared by programs, errors. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_error error;

static void begin(void)
{
    context = weft_context_create(&(weft_context_options){.threads = 2});
    graph = weft_graph_create(context);
    state = NULL;
    error = (weft_error){0};
}

static void end(void)
{
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(program, .init = begin, .fini = end);

static weft_value vector(const char *name, int64_t extent)
{
    return weft_input(graph, .name = name, .shape = weft_shape_of(extent));
}

static void need_state(void)
{
    if (!state)
        cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
}

static weft_status try_compile(weft_compile_options options, weft_program **program)
{
    need_state();
    return weft_compile(graph, state, &options, program, &error);
}

static weft_program *compile(weft_compile_options options)
{
    weft_program *program = NULL;
    cr_assert_eq(try_compile(options, &program), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    return program;
}

static weft_program *compile_fetch(const weft_value *fetch, int fetches)
{
    return compile((weft_compile_options){.fetch = fetch, .fetches = fetches});
}

static void run(weft_program *program, weft_value input, const float *data, size_t count)
{
    weft_feed feed = {input, data, count * sizeof(*data)};
    cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
}

static const float *fetched(const weft_program *program, weft_value value)
{
    weft_tensor tensor = weft_fetch(program, value);
    cr_assert_not_null(tensor.data, "\"%s\" is not fetched", weft_name_get(value));
    cr_expect(weft_tensor_dense(&tensor));
    return tensor.data;
}

/* A mistake of the caller's: the status, and a part of the message. */
static void expect_refused(weft_status got, weft_status expected, const char *part)
{
    cr_expect_eq(got, expected, "status %d: %s", got, error.message);
    cr_expect(strstr(error.message, part), "\"%s\" is not in: %s", part, error.message);
}

/* ---- Feeds ---- */

static weft_value two_inputs(weft_value *a, weft_value *b)
{
    *a = vector("a", 3);
    *b = vector("b", 3);
    return weft_add(*a, *b);
}

Test(program, feeds_that_are_wrong)
{
    weft_value a, b, y = two_inputs(&a, &b), other = vector("other", 3);
    weft_program *program = compile_fetch(&y, 1);
    float data[4] = {1, 2, 3, 4};
    weft_graph *strange = weft_graph_create(context);
    weft_value far = weft_input(strange, .shape = weft_shape_of(3));
    weft_feed good_a = {a, data, 12}, good_b = {b, data, 12};

    expect_refused(weft_run(program, &good_a, 1, NULL, &error), WEFT_ERROR_ARGUMENT, "\"b\"");
    expect_refused(weft_run(program, (weft_feed[]){good_a, {b, data, 16}}, 2, NULL, &error),
                   WEFT_ERROR_SHAPE, "\"b\" has 16 bytes, 12 are needed");
    expect_refused(weft_run(program, (weft_feed[]){good_a, {b, data, 8}}, 2, NULL, &error),
                   WEFT_ERROR_SHAPE, "\"b\" has 8 bytes");
    expect_refused(weft_run(program, (weft_feed[]){good_a, {b, NULL, 12}}, 2, NULL, &error),
                   WEFT_ERROR_ARGUMENT, "NULL");
    weft_feed extra[] = {good_a, good_b, {other, data, 12}};
    expect_refused(weft_run(program, extra, 3, NULL, &error), WEFT_ERROR_NOT_FOUND, "\"other\"");
    extra[2].input = far;
    expect_refused(weft_run(program, extra, 3, NULL, &error), WEFT_ERROR_GRAPH, "another graph");
    extra[2].input = weft_null(graph);
    expect_refused(weft_run(program, extra, 3, NULL, &error), WEFT_ERROR_GRAPH, "null");

    cr_expect(weft_program_reads(program, a) && weft_program_reads(program, b));
    cr_expect(!weft_program_reads(program, other) && !weft_program_reads(program, far));
    cr_expect_eq(weft_run(program, extra, 2, NULL, &error), WEFT_OK, "none of it did harm");
    cr_expect_eq(fetched(program, y)[2], 6);
    weft_program_destroy(program);
    weft_graph_destroy(strange);
}

Test(program, what_is_fed_stays_as_it_is)
{
    weft_value a = vector("a", 1000);
    weft_value y = weft_exp(weft_negate(weft_tanh(a)));
    weft_program *program = compile_fetch(&y, 1);
    float data[1000], copy[1000];
    for (int i = 0; i < 1000; i++)
        data[i] = copy[i] = (float)i / 500 - 1;
    run(program, a, data, 1000);
    cr_expect_eq(memcmp(data, copy, sizeof(data)), 0);
    weft_program_destroy(program);
}

/* ---- Fetches ---- */

Test(program, anything_can_be_fetched)
{
    weft_value a = weft_input(graph, .name = "a", .shape = weft_shape_of(2, 3));
    double elements[] = {1, 2, 3, 4, 5, 6};
    weft_value w = weft_variable(graph, .shape = weft_shape_of(2),
                                 .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 7});
    weft_value constant = weft_constant(graph, weft_shape_of(2, 3), elements), part[3];
    weft_split(a, 1, NULL, 3, part);
    weft_value sum = weft_add(a, constant);
    weft_value fetch[] = {a,
                          weft_reshape(a, 6),
                          part[1],
                          w,
                          constant,
                          sum,
                          sum,
                          weft_flatten(sum, 0),
                          weft_slice(sum, .begin = {1, 1}),
                          weft_fill_like(a, 9)};
    enum { COUNT = sizeof(fetch) / sizeof(fetch[0]) };
    weft_program *program = compile_fetch(fetch, COUNT);
    float data[] = {10, 20, 30, 40, 50, 60};
    run(program, a, data, 6);
    float expected[COUNT][6] = {
        {10, 20, 30, 40, 50, 60},
        {10, 20, 30, 40, 50, 60},
        {20, 50},
        {7, 7},
        {1, 2, 3, 4, 5, 6},
        {11, 22, 33, 44, 55, 66},
        {11, 22, 33, 44, 55, 66},
        {11, 22, 33, 44, 55, 66},
        {55, 66},
        {9, 9, 9, 9, 9, 9},
    };
    for (int i = 0; i < COUNT; i++) {
        weft_tensor tensor = weft_fetch(program, fetch[i]);
        const float *got = fetched(program, fetch[i]);
        cr_expect_eq(weft_tensor_elements(&tensor), weft_shape_elements(weft_shape_get(fetch[i])));
        for (int64_t k = 0; k < weft_tensor_elements(&tensor); k++)
            cr_expect_eq(got[k], expected[i][k], "fetch %d, element %d: %g", i, (int)k,
                         (double)got[k]);
    }
    cr_expect_null(weft_fetch(program, part[0]).data, "not among the fetches");
    cr_expect(isnan(weft_fetch_scalar(program, part[0])));
    cr_expect_eq(weft_fetch_scalar(program, sum), 11);
    weft_program_destroy(program);
}

Test(program, every_value_of_a_chain_lasts_to_the_end)
{
    weft_value a = vector("a", 64), chain[10];
    chain[0] = weft_offset(a, 1);
    for (int i = 1; i < 10; i++)
        chain[i] = weft_offset(chain[i - 1], 1);
    weft_program *program = compile_fetch(chain, 10);
    float data[64] = {0};
    run(program, a, data, 64);
    for (int i = 0; i < 10; i++)
        cr_expect_eq(fetched(program, chain[i])[63], (float)(i + 1));
    weft_program_destroy(program);
}

/* ---- Compile's errors ---- */

Test(program, options_that_are_wrong)
{
    weft_value a, b, y = two_inputs(&a, &b);
    weft_program *program = NULL;
    weft_graph *strange = weft_graph_create(context);
    weft_value far = weft_input(strange, .shape = weft_shape_of(3));
    weft_compile_options good = {.fetch = &y, .fetches = 1}, options = {0};

    expect_refused(try_compile(options, &program), WEFT_ERROR_ARGUMENT, "nothing to run");
    options = good;
    options.batch = -1;
    expect_refused(try_compile(options, &program), WEFT_ERROR_ARGUMENT, "batch");
    options = good;
    options.fetch = &far;
    expect_refused(try_compile(options, &program), WEFT_ERROR_GRAPH, "fetch 0");
    options = good;
    weft_extents extents = {y, weft_shape_of(4)};
    options.extents = &extents;
    options.extent_count = 1;
    expect_refused(try_compile(options, &program), WEFT_ERROR_ARGUMENT, "extents 0");
    extents = (weft_extents){a, weft_shape_of(4, 4)};
    expect_refused(try_compile(options, &program), WEFT_ERROR_SHAPE, "\"a\"");
    extents = (weft_extents){a, weft_shape_of(4)};
    expect_refused(try_compile(options, &program), WEFT_ERROR_SHAPE, "add");
    expect_refused(weft_compile(strange, state, &good, &program, &error), WEFT_ERROR_GRAPH,
                   "another graph");
    cr_expect_null(program);
    weft_graph_destroy(strange);
}

Test(program, graph_in_error_does_not_compile)
{
    weft_value a, b, y = two_inputs(&a, &b);
    weft_program *program = NULL;
    need_state();
    weft_add(a, vector("c", 4));
    expect_refused(try_compile((weft_compile_options){.fetch = &y, .fetches = 1}, &program),
                   WEFT_ERROR_SHAPE, "add");
    expect_refused(weft_state_create(graph, NULL, &(weft_state *){0}, &error), WEFT_ERROR_SHAPE,
                   "add");
}

Test(program, batch_beyond_64_bits)
{
    weft_value a = weft_input(graph, .name = "a", .shape = weft_shape_of(WEFT_BATCH, 1 << 20));
    weft_value y = weft_tanh(a);
    weft_program *program = NULL;
    weft_compile_options options = {.fetch = &y, .fetches = 1, .batch = INT64_MAX / 4};
    expect_refused(try_compile(options, &program), WEFT_ERROR_SHAPE, "\"a\"");
}

Test(program, arena_beyond_memory)
{
    weft_value a = weft_input(graph, .name = "a", .shape = weft_shape_of(WEFT_BATCH, 1 << 20));
    weft_value y = weft_tanh(a);
    weft_program *program = NULL;
    static const int64_t batches[] = {1LL << 33, 1LL << 38};
    for (int i = 0; i < 2; i++) {
        weft_compile_options options = {.fetch = &y, .fetches = 1, .batch = batches[i]};
        expect_refused(try_compile(options, &program), WEFT_ERROR_MEMORY, "out of memory");
    }
}

Test(program, most_negative_extent)
{
    weft_value a = vector("a", 3), y = weft_tanh(a);
    weft_extents extents = {a, weft_shape_of(INT64_MIN)};
    weft_program *program = NULL;
    weft_compile_options options = {
        .fetch = &y, .fetches = 1, .extents = &extents, .extent_count = 1};
    expect_refused(try_compile(options, &program), WEFT_ERROR_SHAPE, "\"a\"");
}

/* ---- Batches and image sizes ---- */

Test(program, programs_of_other_batches_and_sizes_on_one_state)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 8, 8, 2));
    weft_value y = weft_conv2d(x, .filters = 3, .kernel = {3, 3}, .padding = WEFT_SAME);
    weft_extents larger = {x, weft_shape_of(WEFT_BATCH, 12, 10, 2)};
    weft_compile_options options = {.fetch = &y, .fetches = 1};
    options.no_winograd = true; /* which is chosen by extents: the same algorithm for all */
    weft_program *one = compile(options);
    options.batch = 5;
    weft_program *five = compile(options);
    options.extents = &larger;
    options.extent_count = 1;
    weft_program *large = compile(options);
    static float pixels[5 * 12 * 10 * 2];
    for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
        pixels[i] = (float)(i % 17) - 8;
    run(one, x, pixels, 8 * 8 * 2);
    run(five, x, pixels, 5 * 8 * 8 * 2);
    run(large, x, pixels, 5 * 12 * 10 * 2);
    cr_expect_eq(memcmp(fetched(one, y), fetched(five, y), 8 * 8 * 3 * sizeof(float)), 0);
    weft_tensor tensor = weft_fetch(large, y);
    int64_t expected[] = {5, 12, 10, 3};
    cr_expect_eq(memcmp(tensor.extent, expected, sizeof(expected)), 0);
    weft_program_destroy(one);
    weft_program_destroy(five);
    weft_program_destroy(large);
}

/* ---- Training and inference ---- */

static const weft_optimizer_options unit_step = {.learning_rate = 1};

static weft_value learn(weft_value *w)
{
    *w = weft_variable(graph, .name = "w", .shape = weft_shape_of(4),
                       .initializer = {.kind = WEFT_INIT_ONES});
    weft_value loss = weft_sum(weft_scale(*w, 0.25));
    cr_assert_eq(weft_minimize(loss, &unit_step, NULL), WEFT_OK);
    return loss;
}

/* A child has none of the threads that its parent's runs made. */
Test(program, a_forked_process_runs_too, .timeout = 20)
{
    weft_value a = vector("a", 5000), y = weft_exp(weft_tanh(a));
    weft_program *program = compile_fetch(&y, 1);
    static float data[5000] = {1, 2, 3};
    run(program, a, data, 5000);
    float before = fetched(program, y)[1];
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        weft_feed feed = {a, data, sizeof(data)};
        alarm(10);
        weft_status status = weft_run(program, &feed, 1, NULL, &error);
        _exit(status == WEFT_OK && ((const float *)weft_fetch(program, y).data)[1] == before ? 0
                                                                                             : 1);
    }
    int status = -1;
    cr_expect_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    weft_program_destroy(program);
}

Test(program, training_and_inference_share_the_state)
{
    weft_value w, loss = learn(&w);
    weft_value y = weft_square(w);
    weft_program *train =
        compile((weft_compile_options){.mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1});
    weft_program *infer = compile_fetch(&y, 1);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weft_run(infer, NULL, 0, NULL, &error), WEFT_OK);
        float expected = 1 - 0.25f * (float)i;
        cr_expect_eq(fetched(infer, y)[0], expected * expected);
        cr_expect_eq(weft_state_step(state), i);
        cr_assert_eq(weft_run(train, NULL, 0, NULL, &error), WEFT_OK);
        cr_expect_eq(weft_fetch_scalar(train, loss), (double)expected, "before the update");
    }
    cr_expect_eq(weft_state_step(state), 2);
    weft_program_destroy(train);
    weft_program_destroy(infer);
}

Test(program, no_writes_leaves_the_state_alone)
{
    weft_value w, loss = learn(&w);
    weft_program *program = compile((weft_compile_options){
        .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .no_writes = true});
    uint64_t before = weft_state_hash(state);
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
    cr_expect_eq(weft_state_hash(state), before);
    cr_expect_eq(weft_state_step(state), 0);
    weft_program_destroy(program);
}

/* ---- Before an update and after it ---- */

/* Runs a training program once; element 0 of each of the fetches is as expected. */
static void expect_first(const weft_value *fetch, int fetches, const double *expected)
{
    for (int left_out = 0; left_out < 2; left_out++) {
        weft_state_destroy(state);
        state = NULL;
        weft_program *program = compile((weft_compile_options){
            .mode = WEFT_TRAIN,
            .fetch = fetch,
            .fetches = fetches,
            .without = left_out ? 1u << WEFT_PASS_VIEW | 1u << WEFT_PASS_FOLD : 0});
        cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
        for (int i = 0; i < fetches; i++)
            cr_expect_float_eq(fetched(program, fetch[i])[0], (float)expected[i], 1e-6f,
                               "fetch %d: %g", i, (double)fetched(program, fetch[i])[0]);
        weft_program_destroy(program);
    }
}

Test(program, views_of_a_variable_are_from_before_its_update)
{
    weft_value w;
    learn(&w);
    weft_value fetch[] = {weft_reshape(w, 2, 2),
                          weft_stop_gradient(w),
                          weft_scale(w, 1),
                          weft_scale(w, 2),
                          weft_reshape(weft_stop_gradient(w), 4, 1),
                          weft_reshape(weft_updated(w), 2, 2)};
    expect_first(fetch, 6, (double[]){1, 1, 1, 2, 1, 0.75});
}

Test(program, what_reads_before_and_after_an_update_is_refused)
{
    weft_value w;
    learn(&w);
    weft_value change = weft_subtract(weft_updated(w), w);
    weft_program *program = NULL;
    expect_refused(
        try_compile((weft_compile_options){.mode = WEFT_TRAIN, .fetch = &change, .fetches = 1},
                    &program),
        WEFT_ERROR_UNSUPPORTED, "before an update");
}

Test(program, reads_what_two_updates_leave)
{
    weft_value w;
    learn(&w);
    weft_value once = weft_updated(w), twice = weft_constrain(w, .bound = 0.5);
    weft_value norm = weft_global_norm(graph, &twice, 1, NULL);
    weft_value fetch[] = {weft_scale(w, 2), weft_scale(once, 2), weft_scale(once, 1), once, norm};
    expect_first(fetch, 5, (double[]){2, 1.5, 0.75, 0.75, 1});
}

Test(program, two_optimizers_follow_each_other)
{
    weft_value w, loss = learn(&w);
    cr_assert_eq(weft_minimize(weft_scale(loss, 2), &unit_step, NULL), WEFT_OK);
    weft_value after = weft_scale(weft_updated(w), 1000);
    expect_first(&after, 1, (double[]){250});
}

/* Each update reads what others change, one also what it writes over; with the least memory, too, where steps move. */
Test(program, updates_in_circles)
{
    static const double ones[] = {1, 1, 1, 1}, twos[] = {2, 2, 2, 2};
    weft_value v[3], half, average, product;
    for (int i = 0; i < 3; i++)
        v[i] = weft_variable(graph, .shape = weft_shape_of(4), .frozen = true,
                             .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 1 + i});
    weft_value gradient[] = {v[0], v[1]};
    cr_assert_eq(weft_apply_gradients(graph, v + 1, gradient, 2, &unit_step, NULL), WEFT_OK);
    half = weft_scale(v[2], 0.5);
    average = weft_moving_average(v[0], v[2], .decay = 0.5);
    weft_moving_average(v[2], v[2], .decay = 0.5);
    product = weft_multiply(weft_scale(v[0], 3), half);
    weft_value fetch[] = {average, product};
    for (int limited = 0; limited < 2; limited++) {
        need_state();
        for (int i = 0; i < 3; i++)
            cr_assert_eq(weft_state_write(state, v[i], i ? twos : ones, 4, &error), WEFT_OK);
        weft_program *program =
            compile((weft_compile_options){.mode = WEFT_TRAIN,
                                           .fetch = fetch,
                                           .fetches = 2,
                                           .memory_limit = limited ? WEFT_LEAST_MEMORY : 0});
        cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
        cr_expect_eq(fetched(program, average)[0], 1.5f); /* of 1 and 2 */
        cr_expect_eq(fetched(program, product)[0], 3);
        double now[4], expected[] = {1.5, 1, 1}; /* 2 - 1; then of 2 - 2 and 2 */
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(weft_state_read(state, v[i], now, 4, &error), WEFT_OK);
            cr_expect_eq(now[0], expected[i], "%d: %g", i, now[0]);
        }
        weft_program_destroy(program);
    }
}

/* As in a network that is applied twice: what reads the second average comes after both. */
Test(program, averages_follow_each_other)
{
    weft_value w = weft_variable(graph, .shape = weft_shape_of(4), .frozen = true);
    weft_value one = weft_add(w, weft_scalar(graph, 1));
    weft_value first = weft_moving_average(w, one, .decay = 0.5);
    weft_value second = weft_moving_average(w, one, .decay = 0.5);
    cr_expect(weft_same(weft_updated(w), second));
    weft_value fetch[] = {weft_scale(first, 8), weft_scale(second, 8)};
    expect_first(fetch, 2, (double[]){4, 6});
}

/* An average of a variable is no reason to copy the variable. */
Test(program, an_average_reads_the_variable_itself)
{
    weft_value w, loss = learn(&w);
    weft_value teacher = weft_variable(graph, .shape = weft_shape_of(4), .frozen = true);
    weft_value average = weft_scale(weft_moving_average(teacher, w, .decay = 0.5), 2);
    expect_first((weft_value[]){loss, average}, 2, (double[]){1, 1});
    weft_program *program = compile((weft_compile_options){.mode = WEFT_TRAIN});
    weft_step_report step;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        cr_expect(!strstr(step.op, "copy"), "%s", step.op);
    weft_program_destroy(program);
}

/* Each variable is the other one's gradient. */
Test(program, updates_that_read_each_others_variables)
{
    weft_value w =
        weft_variable(graph, .shape = weft_shape_of(4), .initializer = {.kind = WEFT_INIT_ONES});
    weft_value v = weft_variable(graph, .shape = weft_shape_of(4),
                                 .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 3});
    cr_assert_eq(weft_minimize(weft_sum(weft_multiply(w, v)),
                               &(weft_optimizer_options){.learning_rate = 0.5}, NULL),
                 WEFT_OK);
    weft_value fetch[] = {weft_scale(weft_updated(w), 2), weft_scale(weft_updated(v), 2)};
    expect_first(fetch, 2, (double[]){-1, 5});
}

Test(program, updates_run_without_fetches)
{
    weft_value w;
    learn(&w);
    weft_program *program = compile((weft_compile_options){.mode = WEFT_TRAIN});
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
    double elements[4];
    cr_assert_eq(weft_state_read(state, w, elements, 4, &error), WEFT_OK);
    cr_expect_eq(elements[3], 0.75);
    weft_program_destroy(program);
}

Test(program, readers_built_after_an_update_still_read_the_old_value)
{
    weft_value w, loss = learn(&w);
    weft_value late = weft_negate(w);
    weft_program *program = compile((weft_compile_options){
        .mode = WEFT_TRAIN, .fetch = (weft_value[]){loss, late}, .fetches = 2});
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
    cr_expect_eq(fetched(program, late)[0], -1);
    weft_program_destroy(program);
}

Test(program, variables_made_after_the_state_are_added_to_it)
{
    weft_value a = vector("a", 3);
    need_state();
    weft_value w = weft_variable(graph, .shape = weft_shape_of(3),
                                 .initializer = {.kind = WEFT_INIT_CONSTANT, .a = 2});
    weft_value y = weft_multiply(a, w);
    weft_program *program = compile_fetch(&y, 1);
    run(program, a, (float[]){1, 2, 3}, 3);
    cr_expect_eq(fetched(program, y)[2], 6);
    weft_program_destroy(program);
}

/* ---- NaN and infinity ---- */

Test(program, first_step_that_makes_no_number_is_named)
{
    weft_value a = vector("a", 3);
    weft_scope_push(graph, "block");
    weft_value y = weft_exp(weft_log(a));
    weft_scope_pop(graph);
    weft_program *program =
        compile((weft_compile_options){.fetch = &y, .fetches = 1, .check_finite = true});
    run(program, a, (float[]){1, 2, 3}, 3);
    float bad[] = {1, -2, 3};
    weft_feed feed = {a, bad, sizeof(bad)};
    expect_refused(weft_run(program, &feed, 1, NULL, &error), WEFT_ERROR_NUMERIC,
                   "log \"block.log\"");
    run(program, a, (float[]){1, 2, 3}, 3);
    weft_program_destroy(program);
}

/* ---- What a run leaves behind ---- */

Test(program, affinity_and_floating_point_mode_are_restored)
{
    weft_value a = weft_input(graph, .shape = weft_shape_of(256, 1024));
    weft_value y = weft_tanh(a);
    weft_program *program = compile_fetch(&y, 1);
    float *data = calloc(256 * 1024, sizeof(*data));
    cpu_set_t before, after;
    cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
#ifdef __SSE__
    unsigned mode = _mm_getcsr();
#endif
    run(program, a, data, 256 * 1024);
    cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
    cr_expect(CPU_EQUAL(&before, &after));
#ifdef __SSE__
    cr_expect_eq(_mm_getcsr() & 0xFFC0u, mode & 0xFFC0u, "but for the sticky flags");
#endif
    free(data);
    weft_program_destroy(program);
}

typedef struct work {
    weft_program *program;
    weft_value input, output;
    const float *data;
    bool same;
} work;

static void *run_often(void *user)
{
    work *w = user;
    weft_feed feed = {w->input, w->data, 4096 * sizeof(float)};
    float first[4096];
    w->same = true;
    for (int i = 0; i < 50; i++) {
        if (weft_run(w->program, &feed, 1, NULL, NULL) != WEFT_OK)
            w->same = false;
        const float *y = weft_fetch(w->program, w->output).data;
        if (i == 0)
            memcpy(first, y, sizeof(first));
        else if (memcmp(first, y, sizeof(first)) != 0)
            w->same = false;
    }
    return NULL;
}

Test(program, two_programs_run_at_once_from_two_threads)
{
    weft_value a = weft_input(graph, .shape = weft_shape_of(64, 64));
    weft_value w = weft_variable(graph, .shape = weft_shape_of(64, 64));
    weft_value y = weft_tanh(weft_matmul(weft_sigmoid(a), w));
    float data[2][4096];
    work works[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 4096; k++)
            data[i][k] = (float)(k % (50 + i)) / 25 - 1;
        works[i] =
            (work){.program = compile_fetch(&y, 1), .input = a, .output = y, .data = data[i]};
    }
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_often, &works[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        cr_expect(works[i].same, "thread %d", i);
        weft_program_destroy(works[i].program);
    }
}

/* ---- Passes and reports ---- */

static int steps_of(const weft_value *fetch, int fetches, weft_mode mode, unsigned without)
{
    weft_program *program = compile((weft_compile_options){
        .fetch = fetch, .fetches = fetches, .mode = mode, .without = without});
    int steps = weft_program_report(program).steps;
    weft_program_destroy(program);
    return steps;
}

Test(program, equal_computations_run_once)
{
    weft_value a = vector("a", 5);
    weft_value y = weft_add(weft_tanh(a), weft_scale(weft_tanh(a), 3));
    int with = steps_of(&y, 1, WEFT_INFER, 0);
    cr_expect_eq(steps_of(&y, 1, WEFT_INFER, 1u << WEFT_PASS_CSE), with + 1);
}

Test(program, random_ops_are_not_merged)
{
    weft_value a = vector("a", 500);
    weft_value y[] = {weft_dropout(a, .rate = 0.5), weft_dropout(a, .rate = 0.5)};
    weft_program *program =
        compile((weft_compile_options){.mode = WEFT_TRAIN, .fetch = y, .fetches = 2});
    float data[500];
    for (int i = 0; i < 500; i++)
        data[i] = 1;
    run(program, a, data, 500);
    cr_expect_neq(memcmp(fetched(program, y[0]), fetched(program, y[1]), sizeof(data)), 0);
    weft_program_destroy(program);
}

Test(program, what_nothing_needs_does_not_run)
{
    weft_value a = vector("a", 5);
    weft_value y = weft_tanh(a);
    weft_exp(y);
    cr_expect_eq(steps_of(&y, 1, WEFT_INFER, 0), 1);
}

Test(program, chain_runs_in_one_buffer)
{
    weft_value y = weft_input(graph, .shape = weft_shape_of(1000));
    for (int i = 0; i < 6; i++)
        y = i % 2 ? weft_tanh(y) : weft_sigmoid(y);
    weft_program *program = compile_fetch(&y, 1);
    weft_report report = weft_program_report(program);
    cr_expect_leq(report.arena_bytes, 4096, "%lld bytes", (long long)report.arena_bytes);
    cr_expect_eq(report.steps, 6);
    weft_program_destroy(program);
}

Test(program, concat_and_split_copy_nothing)
{
    weft_value x = weft_input(graph, .shape = weft_shape_of(2, 4, 4, 16)), part[2];
    weft_split(weft_tanh(x), -1, NULL, 2, part);
    weft_value joined = weft_concat_channels(weft_sigmoid(part[0]), weft_exp(part[1]));
    weft_value y = weft_negate(joined);
    cr_expect_eq(steps_of(&y, 1, WEFT_INFER, 0), 4, "the four maps alone");
    cr_expect_gt(steps_of(&y, 1, WEFT_INFER, 1u << WEFT_PASS_VIEW), 4);
}

Test(program, reports_count)
{
    weft_value a = weft_input(graph, .shape = weft_shape_of(16, 32));
    weft_value w = weft_variable(graph, .shape = weft_shape_of(32, 8));
    weft_value y = weft_tanh(weft_matmul(a, w));
    weft_program *program = compile_fetch(&y, 1);
    float data[16 * 32] = {0};
    run(program, a, data, 16 * 32);
    run(program, a, data, 16 * 32);
    weft_report report = weft_program_report(program);
    cr_expect_eq(report.runs, 2);
    cr_expect_geq(report.flops, 2.0 * 16 * 32 * 8);
    cr_expect_lt(report.flops, 2.0 * 16 * 32 * 8 + 100 * 16 * 8);
    cr_expect_eq(report.state_bytes, 32 * 8 * 4);
    cr_expect_geq(report.arena_bytes, report.bound_bytes);
    int steps = 0;
    weft_step_report step;
    double flops = 0;
    for (; weft_program_step(program, steps, &step); steps++)
        flops += step.flops;
    cr_expect_eq(steps, report.steps);
    cr_expect_eq(flops, report.flops);
    cr_expect_not(weft_program_step(program, -1, &step));
    weft_program_destroy(program);
}

Test(program, programs_and_passes_print)
{
    weft_value a = vector("a", 5), y = weft_tanh(weft_tanh(a));
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    weft_program *program =
        compile((weft_compile_options){.fetch = &y, .fetches = 1, .trace = file});
    weft_program_print(program, file);
    fclose(file);
    cr_expect(strstr(text, "after cse"), "%s", text);
    cr_expect(strstr(text, "after plan"), "%s", text);
    cr_expect(strstr(text, "tanh_1"), "%s", text);
    cr_expect(strstr(text, "2 steps"), "%s", text);
    free(text);
    weft_program_destroy(program);
}

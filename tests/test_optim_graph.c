/* What an optimizer appends to a graph: updates from a loss or gradients, the norm, names; mistakes, and memory that
 * is short. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/allocator.h"
#include "support/optimizer_rig.h"

/* ---- From a loss ---- */

static void expect_elements(weft_state *state, weft_value variable, const double *expected,
                            int count)
{
    double got[8];
    cr_assert_eq(weft_state_read(state, variable, got, count, NULL), WEFT_OK);
    for (int i = 0; i < count; i++)
        cr_expect_float_eq(got[i], expected[i], 1e-15, "%s[%d]: %g, not %g",
                           weft_name_get(variable), i, got[i], expected[i]);
}

/* loss = x w u. Both gradients read the other variable's old value, whichever is updated first. */
Test(optim_graph, minimize_updates_what_the_loss_depends_on)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_initializer ones = {WEFT_INIT_ONES}, two = {WEFT_INIT_CONSTANT, .a = 2};
    weft_value x = weft_input(graph, .shape = weft_shape_of(1, 3));
    weft_value w =
        weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 2), .initializer = ones);
    weft_value u =
        weft_variable(graph, .name = "u", .shape = weft_shape_of(2, 1), .initializer = two);
    weft_value still = weft_variable(graph, .name = "still", .shape = weft_shape_of(1, 1),
                                     .initializer = two, .frozen = true);
    weft_value aside = weft_variable(graph, .name = "aside", .initializer = two);
    weft_value loss = weft_matmul(weft_matmul(weft_matmul(x, w), u), still);
    weft_optimizer_options options = {.learning_rate = 0.125, .weight_decay = 0.5};
    weft_optimizer optimizer;
    weft_error error = {0};
    cr_assert_eq(weft_minimize(loss, &options, &optimizer), WEFT_OK, "%s",
                 weft_graph_error(graph)->message);
    weft_state *state;
    weft_program *train, *infer;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, &error),
        WEFT_OK);
    weft_compile_options compile = {.mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1};
    cr_assert_eq(weft_compile(graph, state, &compile, &train, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(train, &error), WEFT_OK, "%s", error.message);
    compile.mode = WEFT_INFER;
    cr_assert_eq(weft_compile(graph, state, &compile, &infer, &error), WEFT_OK, "%s",
                 error.message);
    double input[3] = {1, 2, 3};
    weft_feed feed = {x, input, sizeof(input)};
    cr_assert_eq(weft_run(infer, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(weft_fetch_scalar(infer, loss), (1 + 2 + 3) * 2 * 2 * 2);
    cr_assert_eq(weft_run(train, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
    /* d loss / dw[i][k] = x[i] u[k] still = 4 x[i]; d loss / du[k] = still sum_i x[i] w[i][k] = 12. */
    double new_w[6];
    for (int i = 0; i < 6; i++)
        new_w[i] = 1 - 0.125 * (4 * input[i / 2] + 0.5 * 1);
    double new_u = 2 - 0.125 * (12 + 0.5 * 2);
    expect_elements(state, w, new_w, 6);
    expect_elements(state, u, (double[]){new_u, new_u}, 2);
    expect_elements(state, still, (double[]){2}, 1);
    expect_elements(state, aside, (double[]){2}, 1);
    cr_expect(weft_is_null(weft_find(graph, "sgd.aside.update")));
    cr_expect_not(weft_is_null(weft_find(graph, "sgd.w.update")));
    weft_program_destroy(train);
    weft_program_destroy(infer);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* One run on 8 rows and four runs on 2 rows each end in the same variables. */
static void run_batches(int micro_batches, double *w)
{
    enum { ROWS = 8 };
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 3));
    weft_value weight = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 1));
    weft_value mean = weft_input(graph, .shape = weft_shape_of(1, WEFT_BATCH));
    weft_value loss = weft_matmul(mean, weft_matmul(x, weight));
    weft_optimizer_options options = {
        .kind = WEFT_ADAM, .clip_norm = 0.5, .micro_batches = micro_batches};
    cr_assert_eq(weft_minimize(loss, &options, NULL), WEFT_OK, "%s",
                 weft_graph_error(graph)->message);
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    int rows = ROWS / micro_batches;
    cr_assert_eq(
        weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, &error),
        WEFT_OK);
    cr_assert_eq(weft_compile(graph, state,
                              &(weft_compile_options){.mode = WEFT_TRAIN, .batch = rows}, &program,
                              &error),
                 WEFT_OK, "%s", error.message);
    double data[ROWS * 3], share[ROWS];
    for (int i = 0; i < ROWS * 3; i++)
        data[i] = test_drawn(5, i);
    for (int i = 0; i < rows; i++)
        share[i] = 1.0 / rows;
    for (int update = 0; update < 3; update++)
        for (int micro = 0; micro < micro_batches; micro++) {
            size_t bytes = (size_t)rows * sizeof(double);
            weft_feed feeds[] = {{x, data + micro * rows * 3, 3 * bytes}, {mean, share, bytes}};
            weft_run_options run = {
                .first_sample = micro * rows, .micro_batch = micro, .micro_batches = micro_batches};
            cr_assert_eq(weft_run(program, feeds, 2, &run, &error), WEFT_OK, "%s", error.message);
        }
    cr_assert_eq(weft_state_read(state, weight, w, 3, NULL), WEFT_OK);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

Test(optim_graph, micro_batches_are_as_the_whole_batch)
{
    double whole[3], parts[3];
    run_batches(1, whole);
    run_batches(4, parts);
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq(parts[i], whole[i], 1e-14);
}

Test(optim_graph, loss_must_depend_on_a_trainable_variable)
{
    weft_context *context = weft_context_create(NULL);
    for (int trainable = 0; trainable < 2; trainable++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value x = weft_input(graph, .shape = weft_shape_of(1, 1));
        weft_variable(graph, .frozen = !trainable);
        weft_optimizer optimizer;
        cr_expect_eq(weft_minimize(weft_matmul(x, x, .name = "product"), NULL, &optimizer),
                     WEFT_ERROR_GRADIENT);
        cr_expect(strstr(weft_graph_error(graph)->message,
                         "\"product\" depends on no trainable variable"),
                  "%s", weft_graph_error(graph)->message);
        cr_expect(weft_is_null(optimizer.learning_rate));
        weft_graph_destroy(graph);
    }
    weft_context_destroy(context);
}

/* ---- The norm ---- */

static double norm_in(weft_dtype dtype, int count, int64_t each)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value *x = calloc((size_t)count, sizeof(*x));
    for (int i = 0; i < count; i++)
        x[i] = weft_variable(graph, .shape = weft_shape_of(each),
                             .initializer = {.kind = WEFT_INIT_CONSTANT, .a = i + 1});
    weft_value norm = weft_global_norm(graph, x, count);
    weft_state *state;
    weft_program *program;
    weft_error error = {0};
    weft_compile_options options = {.fetch = &norm, .fetches = 1};
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.dtype = dtype}, &state, &error),
                 WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
    double result = weft_fetch_scalar(program, norm);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    free(x);
    return result;
}

Test(optim_graph, norm_of_more_values_than_a_mask_has_bits)
{
    /* sum_{i=1}^{n} i^2 = n (n + 1) (2 n + 1) / 6 for each of the elements. */
    double expected = sqrt(5000 * (45.0 * 46 * 91 / 6));
    cr_expect_float_eq(norm_in(WEFT_FLOAT64, 45, 5000) / expected, 1, 1e-13);
    cr_expect_float_eq(norm_in(WEFT_FLOAT32, 45, 5000) / expected, 1, 1e-6);
    /* 1-element values: many segments in one piece. */
    expected = sqrt(100.0 * 101 * 201 / 6);
    cr_expect_float_eq(norm_in(WEFT_FLOAT32, 100, 1) / expected, 1, 1e-6);
}

/* ---- Names ---- */

Test(optim_graph, names_of_variables)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_scope_push(graph, "layer1");
    weft_value w = weft_variable(graph, .name = "weight", .shape = weft_shape_of(2, 3));
    weft_scope_pop(graph);
    weft_value g = weft_input(graph, .shape = weft_shape_of(2, 3));
    static const weft_variable_group all = {.name = "all", .pattern = "layer?.*"};
    weft_optimizer_options adam = {.kind = WEFT_ADAM,
                                   .micro_batches = 2,
                                   .clip_norm = 1,
                                   .average_decay = 0.9,
                                   .groups = &all,
                                   .group_count = 1};
    weft_optimizer_options sgd = {.momentum = 0.9, .name = "slow"};
    weft_optimizer first, second, third;
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &adam, &first), WEFT_OK);
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &sgd, &second), WEFT_OK);
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &sgd, &third), WEFT_OK);
    static const char *const names[] = {"adam.learning_rate",
                                        "adam.averages",
                                        "adam.groups.all.rate",
                                        "adam.groups.all.step",
                                        "adam.layer1.weight.average",
                                        "slow_1.learning_rate",
                                        "slow_1.layer1.weight.momentum",
                                        "adam.step",
                                        "adam.layer1.weight.accumulated",
                                        "adam.layer1.weight.m",
                                        "adam.layer1.weight.v",
                                        "slow.learning_rate",
                                        "slow.layer1.weight.momentum"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        weft_value found = weft_find(graph, names[i]);
        cr_expect(weft_is_variable(found), "%s", names[i]);
        cr_expect(!weft_is_trainable(found), "%s", names[i]);
    }
    cr_expect_str_eq(weft_name_get(first.gradient_norm), "adam.gradient_norm");
    cr_expect_str_eq(weft_name_get(second.learning_rate), "slow.learning_rate");
    cr_expect_eq(first.micro_batches, 2);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* ---- Memory ---- */

/* The whole of a small training with the n-th allocation failing. */
static weft_status train_once(weft_context *context, weft_optimizer_kind kind, weft_error *error)
{
    weft_graph *graph = weft_graph_create(context);
    if (!graph)
        return WEFT_ERROR_MEMORY;
    weft_value x = weft_input(graph, .shape = weft_shape_of(1, 3));
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 1));
    static const weft_variable_group all = {.name = "all", .pattern = "*"};
    weft_optimizer_options options = {.kind = kind,
                                      .clip_norm = 1,
                                      .micro_batches = 2,
                                      .average_decay = 0.5,
                                      .groups = &all,
                                      .group_count = 1};
    weft_optimizer optimizer;
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_status status = weft_minimize(weft_matmul(x, w), &options, &optimizer);
    if (status == WEFT_OK)
        status = weft_state_create(graph, NULL, &state, error);
    else
        *error = *weft_graph_error(graph);
    if (status == WEFT_OK)
        status = weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &program,
                              error);
    float data[3] = {1, 2, 3};
    if (status == WEFT_OK)
        status = weft_run(program, &(weft_feed){x, data, sizeof(data)}, 1,
                          &(weft_run_options){.micro_batch = 1, .micro_batches = 2}, error);
    if (status == WEFT_OK)
        status = weft_optimizer_swap_averages(&optimizer, state, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    return status;
}

static void fail_each_allocation(weft_optimizer_kind kind)
{
    test_allocator allocator = {0};
    weft_context_options options = test_allocator_options(&allocator);
    weft_context *context = weft_context_create(&options);
    int64_t live = allocator.live_bytes;
    for (int64_t n = 1;; n++) {
        weft_error error = {.message = "none"};
        allocator.requests = allocator.failed = 0;
        allocator.fail_at = n;
        weft_status status = train_once(context, kind, &error);
        cr_expect_eq(allocator.live_bytes, live, "request %lld", (long long)n);
        cr_expect_eq(allocator.wrong_releases, 0);
        if (!allocator.failed) {
            cr_expect_eq(status, WEFT_OK, "%s", error.message);
            cr_expect_gt(n, 8);
            break;
        }
        cr_expect_eq(status, WEFT_ERROR_MEMORY, "request %lld: %s", (long long)n, error.message);
    }
    allocator.fail_at = 0;
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
}

Test(optim_graph, every_allocation_fails_once)
{
    fail_each_allocation(WEFT_ADAM);
    fail_each_allocation(WEFT_LAMB);
}

/* ---- Mistakes ---- */

Test(optim_graph, mistakes_are_named)
{
    static const struct {
        weft_optimizer_options options;
        const char *says;
    } wrong[] = {
        {{.kind = (weft_optimizer_kind)77}, "kind 77"},
        {{.learning_rate = -1}, "learning_rate"},
        {{.learning_rate = NAN}, "learning_rate"},
        {{.momentum = 1}, "momentum"},
        {{.nesterov = true}, "nesterov needs a momentum"},
        {{.kind = WEFT_ADAM, .momentum = 0.9}, "momentum is an option of SGD"},
        {{.kind = WEFT_RMSPROP, .momentum = 0.9, .nesterov = true}, "nesterov is an option"},
        {{.amsgrad = true}, "amsgrad is an option of Adam"},
        {{.kind = WEFT_ADAM, .centered = true}, "centered is an option of RMSProp"},
        {{.beta1 = 0.5}, "options of Adam"},
        {{.kind = WEFT_RMSPROP, .rho = 1}, "rho must be in (0, 1)"},
        {{.kind = WEFT_NADAM, .momentum_decay = -1}, "momentum_decay"},
        {{.kind = WEFT_ADAGRAD, .initial_accumulator = -1}, "initial_accumulator"},
        {{.kind = WEFT_LAMB, .trust_coefficient = 1}, "trust_coefficient"},
        {{.clip_value = -1}, "clip_value"},
        {{.clip_each_norm = NAN}, "clip_each_norm"},
        {{.clip_value = 1, .clip_norm = 1}, "exclude each other"},
        {{.kind = WEFT_ADAM, .beta2 = 1}, "beta2"},
        {{.kind = WEFT_ADAM, .epsilon = -1}, "epsilon"},
        {{.weight_decay = -1}, "weight_decay"},
        {{.clip_norm = INFINITY}, "clip_norm"},
        {{.micro_batches = -1}, "micro_batches"},
        {{.average_decay = 1}, "average_decay"},
        {{.group_count = -1}, "group_count"},
        {{.group_count = 2}, "group_count without groups"},
    };
    weft_context *context = weft_context_create(NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .shape = weft_shape_of(2));
        weft_value g = weft_input(graph, .shape = weft_shape_of(2));
        weft_optimizer out;
        cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, &wrong[i].options, &out),
                     WEFT_ERROR_ARGUMENT, "%zu", i);
        cr_expect(strstr(weft_graph_error(graph)->message, wrong[i].says), "%s",
                  weft_graph_error(graph)->message);
        cr_expect(strstr(weft_graph_error(graph)->message, "test_optim_graph.c:"), "%s",
                  weft_graph_error(graph)->message);
        cr_expect(weft_is_null(out.learning_rate));
        weft_graph_destroy(graph);
    }
    weft_graph *graph = weft_graph_create(context);
    weft_value w = weft_variable(graph, .shape = weft_shape_of(2));
    weft_value g = weft_input(graph, .shape = weft_shape_of(3));
    cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, NULL, NULL), WEFT_ERROR_SHAPE);
    weft_graph_destroy(graph);
    graph = weft_graph_create(context);
    g = weft_input(graph, .shape = weft_shape_of(3));
    cr_expect_eq(weft_apply_gradients(graph, &g, &g, 1, NULL, NULL), WEFT_ERROR_ARGUMENT);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

/* Groups of variables that a program is compiled without: what is computed, and that it makes no difference. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "weft/weft.h"

enum { BATCH = 4, IN = 6, WIDTH = 5, OUT = 3, MICRO = 2 };

/* Three dense layers, "stem", "body" and "head"; the first two are groups. */
typedef struct rig {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_value x, loss, rate[2];
    weft_optimizer optimizer;
} rig;

static const char *const group_names[] = {"stem", "body"};

static rig begin(weft_optimizer_options options, weft_dtype dtype)
{
    static const weft_variable_group groups[] = {{.name = "stem", .pattern = "stem"},
                                                 {.name = "body", .pattern = "body"}};
    rig r = {.context = weft_context_create(NULL)};
    weft_error error = {0};
    r.graph = weft_graph_create(r.context);
    r.x = weft_input(r.graph, .shape = weft_shape_of(WEFT_BATCH, IN));
    weft_value y = weft_tanh(weft_dense(r.x, .name = "stem", .units = WIDTH));
    y = weft_tanh(weft_dense(y, .name = "body", .units = WIDTH));
    y = weft_dense(y, .name = "head", .units = OUT);
    r.loss = weft_mean(weft_square(y));
    options.groups = groups;
    options.group_count = 2;
    weft_minimize(r.loss, &options, &r.optimizer);
    for (int i = 0; i < 2; i++)
        r.rate[i] = weft_optimizer_group(&r.optimizer, group_names[i]);
    weft_state_options in = {.dtype = dtype, .seed = 5};
    cr_assert_eq(weft_state_create(r.graph, &in, &r.state, &error), WEFT_OK, "%s", error.message);
    return r;
}

static void end(rig *r)
{
    weft_state_destroy(r->state);
    weft_graph_destroy(r->graph);
    weft_context_destroy(r->context);
}

/* With the first `frozen` groups frozen. */
static weft_program *compile(rig *r, int frozen, unsigned without)
{
    weft_error error = {0};
    weft_program *program;
    weft_compile_options options = {.mode = WEFT_TRAIN,
                                    .batch = BATCH,
                                    .fetch = &r->loss,
                                    .fetches = 1,
                                    .frozen = r->rate,
                                    .frozen_count = frozen,
                                    .without = without};
    cr_assert_eq(weft_compile(r->graph, r->state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    return program;
}

static void run(rig *r, weft_program *program, int seed, int micro_batch)
{
    float single[BATCH * IN];
    double twice[BATCH * IN];
    weft_error error = {0};
    for (int i = 0; i < BATCH * IN; i++)
        twice[i] = single[i] = (float)((i * 7 + seed * 13) % 23 - 11) / 8;
    weft_feed feed = weft_state_dtype(r->state) == WEFT_FLOAT32
                         ? (weft_feed){r->x, single, sizeof(single)}
                         : (weft_feed){r->x, twice, sizeof(twice)};
    weft_run_options options = {.micro_batch = micro_batch,
                                .micro_batches = r->optimizer.micro_batches};
    cr_assert_eq(weft_run(program, &feed, 1, &options, &error), WEFT_OK, "%s", error.message);
}

static int steps_of(const weft_program *program, const char *op)
{
    weft_step_report step;
    int count = 0;
    for (int i = 0; weft_program_step(program, i, &step); i++)
        count += strcmp(step.kernel, op) == 0;
    return count;
}

/* Of three layers: 3 products forward, a gradient of each filter that learns, and of the output of each layer
 * below one that learns; a sum for the gradient of each bias. */
Test(frozen_groups, cost_nothing)
{
    static const struct {
        int products, sums, updates, counts;
    } expected[] = {{8, 3, 6, 3}, {6, 2, 4, 2}, {4, 1, 2, 1}};
    rig r =
        begin((weft_optimizer_options){.kind = WEFT_ADAM, .micro_batches = MICRO}, WEFT_FLOAT32);
    double flops = INFINITY;
    for (int frozen = 0; frozen <= 2; frozen++) {
        weft_program *program = compile(&r, frozen, 0);
        int updates = expected[frozen].updates, steps = weft_program_report(program).steps;
        cr_expect_eq(steps_of(program, "matmul"), expected[frozen].products, "%d frozen", frozen);
        cr_expect_eq(steps_of(program, "sum_like"), expected[frozen].sums, "%d frozen", frozen);
        cr_expect_eq(steps_of(program, "adam_update"), updates, "%d frozen", frozen);
        cr_expect_eq(steps_of(program, "accumulate_gradient"), updates, "%d frozen", frozen);
        cr_expect_eq(steps_of(program, "count_updates"), expected[frozen].counts, "%d frozen",
                     frozen);
        /* and the loss with its gradient, 2 */
        cr_expect_eq(steps, expected[frozen].products + expected[frozen].sums + 2 * updates +
                                expected[frozen].counts + 2);
        cr_expect_lt(weft_program_report(program).flops, flops);
        flops = weft_program_report(program).flops;
        weft_program_destroy(program);
    }
    end(&r);
}

/* Two updates with the groups frozen and one without, by programs for each or by one and its rates. */
static uint64_t hash_of_phases(weft_optimizer_options options, weft_dtype dtype, bool apart,
                               unsigned without)
{
    rig r = begin(options, dtype);
    weft_program *all = compile(&r, 0, without), *head = compile(&r, apart ? 2 : 0, without);
    weft_error error = {0};
    int micro_batches = options.micro_batches ? options.micro_batches : 1;
    for (int update = 0; update < 3; update++) {
        for (int i = 0; i < 2 && !apart; i++)
            cr_assert_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, group_names[i],
                                                       update < 2 ? 0 : 1, &error),
                         WEFT_OK, "%s", error.message);
        for (int micro = 0; micro < micro_batches; micro++)
            run(&r, update < 2 ? head : all, 3 * update + micro, micro);
    }
    uint64_t hash = weft_state_hash(r.state);
    weft_program_destroy(all);
    weft_program_destroy(head);
    end(&r);
    return hash;
}

Test(frozen_groups, are_as_rates_of_zero)
{
    static const weft_optimizer_options cases[] = {
        {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.1},
        {.kind = WEFT_ADAM, .micro_batches = MICRO},
        {.kind = WEFT_ADAM, .clip_norm = 0.01},
        {.kind = WEFT_LAMB, .clip_each_norm = 0.01, .weight_decay = 0.1, .decoupled = true},
        {.learning_rate = 0.1, .average_decay = 0.9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int single = 0; single < 2; single++) {
            weft_dtype dtype = single ? WEFT_FLOAT32 : WEFT_FLOAT64;
            uint64_t hash = hash_of_phases(cases[i], dtype, false, 0);
            cr_expect_eq(hash_of_phases(cases[i], dtype, true, 0), hash, "case %zu", i);
            cr_expect_eq(hash_of_phases(cases[i], dtype, true, 1u << WEFT_PASS_FOLD), hash,
                         "case %zu, not folded", i);
        }
}

/* Gradients of 3 and 4 have the norm 5, alone that of the head is 4. */
Test(frozen_groups, are_not_of_the_norm)
{
    static const weft_variable_group groups[] = {{.name = "a", .pattern = "a"}};
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_error error = {0};
    weft_optimizer optimizer;
    weft_value variable[] = {weft_variable(graph, .name = "a"), weft_variable(graph, .name = "b")};
    weft_value gradient[] = {weft_scalar(graph, 3), weft_scalar(graph, 4)};
    weft_optimizer_options options = {
        .learning_rate = 1, .clip_norm = 1, .groups = groups, .group_count = 1};
    weft_apply_gradients(graph, variable, gradient, 2, &options, &optimizer);
    weft_value rate = weft_optimizer_group(&optimizer, "a");
    for (int frozen = 0; frozen < 3; frozen++) {
        weft_state *state;
        weft_program *program;
        double a, b;
        cr_assert_eq(
            weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, &error),
            WEFT_OK);
        if (frozen == 1)
            weft_optimizer_set_group_rate(&optimizer, state, "a", 0, &error);
        weft_compile_options compile = {.mode = WEFT_TRAIN,
                                        .frozen = &rate,
                                        .frozen_count = frozen == 2,
                                        .fetch = &optimizer.gradient_norm,
                                        .fetches = 1};
        cr_assert_eq(weft_compile(graph, state, &compile, &program, &error), WEFT_OK, "%s",
                     error.message);
        cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK, "%s", error.message);
        double norm = weft_fetch_scalar(program, optimizer.gradient_norm);
        cr_expect_float_eq(norm, frozen ? 4 : 5, 1e-15);
        weft_state_read(state, variable[0], &a, 1, &error);
        weft_state_read(state, variable[1], &b, 1, &error);
        cr_expect_float_eq(a, frozen ? 0 : -0.6, 1e-6);
        cr_expect_float_eq(b, frozen ? -1 : -0.8, 1e-6);
        weft_program_destroy(program);
        weft_state_destroy(state);
    }
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

Test(frozen_groups, must_be_rates)
{
    rig r = begin((weft_optimizer_options){.kind = WEFT_ADAM}, WEFT_FLOAT32);
    cr_expect(weft_is_null(weft_optimizer_group(&r.optimizer, "head")));
    weft_value wrong[] = {weft_null(r.graph), r.loss, weft_find(r.graph, "head.weight"),
                          r.optimizer.step};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_error error = {0};
        weft_program *program;
        weft_compile_options options = {
            .mode = WEFT_TRAIN, .frozen = &wrong[i], .frozen_count = 1, .batch = BATCH};
        cr_expect_eq(weft_compile(r.graph, r.state, &options, &program, &error),
                     WEFT_ERROR_ARGUMENT);
        cr_expect(strstr(error.message, "frozen 0 is not the rate of a group"), "%s",
                  error.message);
    }
    end(&r);
}

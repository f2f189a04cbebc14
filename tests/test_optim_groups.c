/* Groups of variables, with rates and decays of their own, and averages of weights. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

enum { LARGE = 70001 }; /* elements of several pieces */

/* ---- Groups ---- */

/* A graph of three variables of one element with gradients that are fed, all 1 at first. */
typedef struct rig {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_program *program;
    weft_optimizer optimizer;
    weft_value variable[3], gradient[3];
} rig;

static rig rig_begin(const weft_optimizer_options *options, weft_dtype dtype)
{
    static const char *const names[] = {"stem.conv.weight", "stem.conv.bias", "head.weight"};
    rig r = {.context = weft_context_create(NULL)};
    weft_error error = {0};
    r.graph = weft_graph_create(r.context);
    for (int i = 0; i < 3; i++) {
        r.variable[i] = weft_variable(r.graph, .name = names[i], .shape = weft_shape_of(1, 1),
                                      .initializer = {WEFT_INIT_ONES});
        r.gradient[i] = weft_input(r.graph, .shape = weft_shape_of(1, 1));
    }
    cr_assert_eq(weft_apply_gradients(r.graph, r.variable, r.gradient, 3, options, &r.optimizer),
                 WEFT_OK, "%s", weft_graph_error(r.graph)->message);
    cr_assert_eq(
        weft_state_create(r.graph, &(weft_state_options){.dtype = dtype}, &r.state, &error),
        WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(r.graph, r.state, &(weft_compile_options){.mode = WEFT_TRAIN},
                              &r.program, &error),
                 WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_program_verify(r.program, &error), WEFT_OK, "%s", error.message);
    return r;
}

static void rig_end(rig *r)
{
    weft_program_destroy(r->program);
    weft_state_destroy(r->state);
    weft_graph_destroy(r->graph);
    weft_context_destroy(r->context);
}

static void rig_run(rig *r, double gradient, const weft_run_options *options)
{
    weft_feed feed[3];
    float single = (float)gradient;
    weft_error error = {0};
    for (int i = 0; i < 3; i++)
        feed[i] = weft_state_dtype(r->state) == WEFT_FLOAT32
                      ? (weft_feed){r->gradient[i], &single, sizeof(single)}
                      : (weft_feed){r->gradient[i], &gradient, sizeof(gradient)};
    cr_assert_eq(weft_run(r->program, feed, 3, options, &error), WEFT_OK, "%s", error.message);
}

static double rig_read(rig *r, const char *name)
{
    double value = NAN;
    cr_assert_eq(weft_state_read(r->state, weft_find(r->graph, name), &value, 1, NULL), WEFT_OK,
                 "%s", name);
    return value;
}

Test(optim_groups, groups_have_rates_and_decays)
{
    static const weft_variable_group groups[] = {
        {.name = "biases", .pattern = "*.bias", .rate = 2, .weight_decay = -1},
        {.name = "stem", .pattern = "stem", .rate = 0.25, .weight_decay = 0.5},
    };
    weft_optimizer_options options = {
        .learning_rate = 0.5, .weight_decay = 0.125, .groups = groups, .group_count = 2};
    for (int decoupled = 0; decoupled < 2; decoupled++)
        for (int single = 0; single < 2; single++) {
            options.decoupled = decoupled;
            rig r = rig_begin(&options, single ? WEFT_FLOAT32 : WEFT_FLOAT64);
            rig_run(&r, 0.25, NULL);
            cr_expect_eq(rig_read(&r, "stem.conv.bias"), 1 - 0.5 * 2 * 0.25);
            cr_expect_eq(rig_read(&r, "stem.conv.weight"), 1 - 0.5 * 0.25 * (0.25 + 0.5));
            cr_expect_eq(rig_read(&r, "head.weight"), 1 - 0.5 * (0.25 + 0.125));
            cr_expect_eq(weft_optimizer_group_rate(&r.optimizer, r.state, "stem"), 0.25);
            cr_expect(isnan(weft_optimizer_group_rate(&r.optimizer, r.state, "head")));
            rig_end(&r);
        }
}

/* While the stem is frozen nothing of it moves; when it is not any more its first update is the first of
 * Adam, of size lr whatever the gradient, as that of the head was. */
static void unfreeze(weft_optimizer_options options, weft_dtype dtype)
{
    static const weft_variable_group groups[] = {
        {.name = "stem", .pattern = "s*", .frozen = true, .rate = 7}};
    weft_error error = {0};
    options.groups = groups;
    options.group_count = 1;
    options.learning_rate = 0.125;
    options.epsilon = 1e-30;
    rig r = rig_begin(&options, dtype);
    const char *scope = options.kind == WEFT_LAMB ? "lamb" : "adam";
    char m[100], step[100];
    snprintf(m, sizeof(m), "%s.stem.conv.weight.m", scope);
    snprintf(step, sizeof(step), "%s.groups.stem.step", scope);
    for (int i = 0; i < 3; i++)
        rig_run(&r, 2 - i, NULL);
    cr_expect_eq(rig_read(&r, "stem.conv.weight"), 1);
    cr_expect_eq(rig_read(&r, m), 0);
    cr_expect_eq(rig_read(&r, step), 0);
    cr_expect_neq(rig_read(&r, "head.weight"), 1);
    cr_assert_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", 0.5, &error), WEFT_OK,
                 "%s", error.message);
    rig_run(&r, 3, NULL);
    cr_expect_float_eq(rig_read(&r, "stem.conv.weight"), 1 - 0.125 * 0.5, 1e-6);
    cr_expect_float_eq(rig_read(&r, m), 0.3, 1e-6);
    cr_expect_eq(rig_read(&r, step), 1);
    cr_assert_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", 0, &error), WEFT_OK);
    rig_run(&r, 3, NULL);
    cr_expect_float_eq(rig_read(&r, "stem.conv.weight"), 1 - 0.125 * 0.5, 1e-6);
    cr_expect_eq(rig_read(&r, step), 1);
    double total = 0;
    cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &total, 1, NULL), WEFT_OK);
    cr_expect_eq(total, 5);
    cr_expect_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "tail", 1, &error),
                 WEFT_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "no group \"tail\""), "%s", error.message);
    cr_expect_eq(weft_optimizer_set_group_rate(&r.optimizer, r.state, "stem", -1, &error),
                 WEFT_ERROR_ARGUMENT);
    rig_end(&r);
}

Test(optim_groups, frozen_groups_start_when_they_are_unfrozen)
{
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int i = 0; i < 2; i++) {
        unfreeze((weft_optimizer_options){.kind = WEFT_ADAM}, dtypes[i]);
        unfreeze((weft_optimizer_options){.kind = WEFT_ADAM, .weight_decay = 0}, dtypes[i]);
        unfreeze((weft_optimizer_options){.kind = WEFT_LAMB}, dtypes[i]);
    }
}

Test(optim_groups, groups_that_are_wrong)
{
    static const struct {
        weft_variable_group group;
        const char *says;
    } wrong[] = {
        {{.name = "a", .pattern = "ste"}, "group \"a\" has no variable, of pattern \"ste\""},
        {{.name = "a", .pattern = "stem.*.weigh"}, "has no variable"},
        {{.name = "a", .pattern = "stem?"}, "has no variable"},
        {{.name = "a"}, "group 0 needs a name and a pattern"},
        {{.name = "a", .pattern = "*", .rate = -1}, "group \"a\" has rate -1"},
    };
    weft_context *context = weft_context_create(NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .name = "stem.conv.weight");
        weft_value g = weft_input(graph, .name = "g");
        weft_optimizer_options options = {.groups = &wrong[i].group, .group_count = 1};
        cr_expect_eq(weft_apply_gradients(graph, &w, &g, 1, &options, NULL), WEFT_ERROR_ARGUMENT);
        cr_expect(strstr(weft_graph_error(graph)->message, wrong[i].says), "%s",
                  weft_graph_error(graph)->message);
        weft_graph_destroy(graph);
    }
    weft_context_destroy(context);
}

/* ---- Averages ---- */

/* w goes 1, 0.5, 0, -0.5; the first average is the first new w. */
Test(optim_groups, averages_of_weights)
{
    static const weft_dtype dtypes[] = {WEFT_FLOAT32, WEFT_FLOAT64};
    for (int i = 0; i < 2; i++)
        for (int warmup = 0; warmup < 2; warmup++) {
            weft_optimizer_options options = {.learning_rate = 0.5,
                                              .average_decay = 0.75,
                                              .average_warmup = warmup,
                                              .micro_batches = 2};
            rig r = rig_begin(&options, dtypes[i]);
            weft_error error = {0};
            cr_expect_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error),
                         WEFT_ERROR_ARGUMENT);
            cr_expect(strstr(error.message, "no update has been averaged"), "%s", error.message);
            double average = 0;
            for (int t = 1; t <= 3; t++) {
                double w = 1 - 0.5 * t, d = warmup ? fmin(0.75, (1.0 + t) / (10 + t)) : 0.75;
                average = t == 1 ? w : d * average + (1 - d) * w;
                rig_run(&r, 1, &(weft_run_options){.micro_batch = 0, .micro_batches = 2});
                rig_run(&r, 1, &(weft_run_options){.micro_batch = 1, .micro_batches = 2});
                cr_expect_float_eq(rig_read(&r, "head.weight"), w, 1e-7);
                cr_expect_float_eq(rig_read(&r, "sgd.head.weight.average"), average, 1e-7);
            }
            cr_assert_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error), WEFT_OK, "%s",
                         error.message);
            cr_expect_float_eq(rig_read(&r, "head.weight"), average, 1e-7);
            cr_expect_float_eq(rig_read(&r, "stem.conv.bias"), average, 1e-7);
            cr_expect_float_eq(rig_read(&r, "sgd.head.weight.average"), -0.5, 1e-7);
            cr_assert_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, &error), WEFT_OK);
            cr_expect_float_eq(rig_read(&r, "head.weight"), -0.5, 1e-7);
            rig_end(&r);
        }
    rig r = rig_begin(&(weft_optimizer_options){.momentum = 0.5}, WEFT_FLOAT64);
    cr_expect_eq(weft_optimizer_swap_averages(&r.optimizer, r.state, NULL), WEFT_ERROR_ARGUMENT);
    rig_end(&r);
}

/* Arrays of several pieces, and what is kept of them from run to run. */
Test(optim_groups, swapping_reaches_every_element_and_program)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(LARGE),
                                 .initializer = {WEFT_INIT_ONES});
    weft_value twice = weft_scale(weft_tanh(w), 2);
    weft_value g = weft_input(graph, .shape = weft_shape_of(LARGE));
    weft_optimizer optimizer;
    weft_state *state;
    weft_program *train, *infer;
    float *ones = malloc(LARGE * sizeof(float));
    for (int i = 0; i < LARGE; i++)
        ones[i] = 1;
    weft_optimizer_options options = {.learning_rate = 0.5, .average_decay = 0.5};
    cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &options, &optimizer), WEFT_OK);
    cr_assert_eq(weft_state_create(graph, NULL, &state, NULL), WEFT_OK);
    cr_assert_eq(
        weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &train, NULL),
        WEFT_OK);
    cr_assert_eq(weft_compile(graph, state, &(weft_compile_options){.fetch = &twice, .fetches = 1},
                              &infer, NULL),
                 WEFT_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_run(train, &(weft_feed){g, ones, LARGE * sizeof(float)}, 1, NULL, NULL),
                     WEFT_OK);
    /* w is 0 now; the average (0.5 + 0) / 2 */
    for (int swapped = 0; swapped < 2; swapped++) {
        double expected = swapped ? 2 * tanh(0.25) : 0;
        cr_assert_eq(weft_run(infer, NULL, 0, NULL, NULL), WEFT_OK);
        const float *result = weft_fetch(infer, twice).data;
        for (int i = 0; i < LARGE; i += i < LARGE - 40 ? 997 : 1)
            cr_assert_float_eq(result[i], expected, 1e-6, "element %d", i);
        cr_assert_eq(weft_optimizer_swap_averages(&optimizer, state, NULL), WEFT_OK);
    }
    free(ones);
    weft_program_destroy(train);
    weft_program_destroy(infer);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

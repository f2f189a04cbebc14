/* Optimizers against formulas, which tests/support/optimizer_formulas.c has, and against worked numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "support/optimizer_rig.h"

enum { STEPS = 5 };

/* ---- Every option, five steps, the learning rate changed on the way ---- */

static const weft_optimizer_options cases[] = {
    {.learning_rate = 0.5},
    {.learning_rate = 0.5, .weight_decay = 0.1},
    {.learning_rate = 0.5, .weight_decay = 0.1, .decoupled = true},
    {.learning_rate = 0.25, .clip_norm = 3},
    {.learning_rate = 0.25, .clip_norm = 1e6},
    {.learning_rate = 0.1, .momentum = 0.9},
    {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.2, .decoupled = true},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .clip_norm = 2},
    {.learning_rate = 0.1, .momentum = 0.5, .weight_decay = 0.5, .decay_filters_only = true},
    {.kind = WEFT_ADAM},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.3},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.3, .decoupled = true},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .clip_norm = 3, .weight_decay = 0.1},
    {.kind = WEFT_ADAM, .beta1 = 1e-30},
    {.learning_rate = 0.5, .clip_value = 0.25, .weight_decay = 0.1},
    {.learning_rate = 0.5, .clip_each_norm = 2},
    {.learning_rate = 0.5, .clip_each_norm = 2, .keras = true},
    {.learning_rate = 0.5, .clip_norm = 3, .keras = true},
    {.learning_rate = 0.1, .momentum = 0.9, .keras = true, .weight_decay = 0.2},
    {.learning_rate = 0.1, .momentum = 0.75, .nesterov = true, .keras = true, .clip_value = 0.5},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 0.125, .keras = true},
    {.kind = WEFT_ADAM, .learning_rate = 0.1, .amsgrad = true, .beta2 = 0.5},
    {.kind = WEFT_ADAM,
     .learning_rate = 0.1,
     .amsgrad = true,
     .beta2 = 0.5,
     .epsilon = 0.125,
     .keras = true,
     .weight_decay = 0.1,
     .decoupled = true},
    {.kind = WEFT_NADAM, .learning_rate = 0.1},
    {.kind = WEFT_NADAM, .learning_rate = 0.1, .keras = true, .weight_decay = 0.1},
    {.kind = WEFT_NADAM,
     .learning_rate = 0.1,
     .momentum_decay = 0.25,
     .beta1 = 0.75,
     .beta2 = 0.5,
     .weight_decay = 0.1,
     .decoupled = true,
     .clip_norm = 3},
    {.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .weight_decay = 0.1},
    {.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .keras = true, .clip_each_norm = 1},
    {.kind = WEFT_ADAGRAD,
     .learning_rate = 0.1,
     .initial_accumulator = 0.5,
     .epsilon = 0.125,
     .weight_decay = 0.1,
     .decoupled = true},
    {.kind = WEFT_ADADELTA},
    {.kind = WEFT_ADADELTA, .learning_rate = 0.5, .keras = true, .weight_decay = 0.1},
    {.kind = WEFT_ADADELTA,
     .rho = 0.5,
     .epsilon = 0.125,
     .weight_decay = 0.1,
     .decoupled = true,
     .clip_norm = 3},
    {.kind = WEFT_RMSPROP},
    {.kind = WEFT_RMSPROP, .keras = true, .epsilon = 0.125, .weight_decay = 0.1},
    {.kind = WEFT_RMSPROP, .momentum = 0.75, .weight_decay = 0.1, .decoupled = true},
    {.kind = WEFT_RMSPROP, .momentum = 0.75, .keras = true, .clip_value = 0.5},
    {.kind = WEFT_RMSPROP, .centered = true, .rho = 0.75, .weight_decay = 0.1},
    {.kind = WEFT_RMSPROP, .centered = true, .keras = true, .epsilon = 0.125},
    {.kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .clip_norm = 3},
    {.kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .keras = true},
    {.kind = WEFT_LAMB, .learning_rate = 0.1},
    {.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.2, .clip_norm = 3},
    {.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.2, .decay_filters_only = true},
    {.kind = WEFT_LAMB,
     .learning_rate = 0.1,
     .weight_decay = 0.2,
     .decoupled = true,
     .keras = true,
     .epsilon = 0.125},
    {.kind = WEFT_LARS},
    {.kind = WEFT_LARS, .learning_rate = 2, .trust_coefficient = 0.125, .weight_decay = 0.1},
    {.kind = WEFT_LARS,
     .learning_rate = 0.5,
     .momentum = 0.5,
     .weight_decay = 0.1,
     .decay_filters_only = true},
    {.kind = WEFT_LARS,
     .learning_rate = 0.5,
     .keras = true,
     .weight_decay = 0.1,
     .decoupled = true,
     .epsilon = 0.125,
     .trust_coefficient = 0.5,
     .clip_each_norm = 1},
    {.kind = WEFT_LION, .learning_rate = 0.125},
    {.kind = WEFT_LION, .learning_rate = 0.125, .beta1 = 0.5, .beta2 = 0.75, .weight_decay = 0.1},
    {.kind = WEFT_LION, .keras = true, .weight_decay = 0.1, .decoupled = true, .clip_value = 0.5},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void five_steps(const weft_optimizer_options *o, int number, weft_dtype dtype,
                       double tolerance)
{
    test_rig r;
    char where[80];
    test_rig_begin(&r, o, dtype, 1);
    double lr = weft_optimizer_learning_rate(&r.optimizer, r.state);
    if (o->learning_rate != 0)
        cr_expect_float_eq(lr, o->learning_rate, 1e-8);
    for (int step = 1; step <= STEPS; step++) {
        if (step == 4) {
            lr *= 0.125;
            cr_assert_eq(weft_optimizer_set_learning_rate(&r.optimizer, r.state, lr, NULL),
                         WEFT_OK);
        }
        test_rig_feed(&r, step);
        for (int i = 0; i < TEST_RIG_VARIABLES; i++)
            for (int64_t k = 0; k < test_rig_elements[i]; k++)
                r.g[i][k] = test_drawn(step, k + 7 * i);
        test_rig_run(&r, NULL);
        test_rig_expect(&r, o, lr);
        snprintf(where, sizeof(where), "case %d, %s, step %d", number, weft_dtype_name(dtype),
                 step);
        test_rig_compare(&r, tolerance, where);
        if (o->clip_norm > 0)
            cr_expect_float_eq(weft_fetch_scalar(r.program, r.optimizer.gradient_norm) / r.norm, 1,
                               dtype == WEFT_FLOAT32 ? 1e-6 : 1e-13, "%s", where);
    }
    if (o->kind == WEFT_ADAM || o->kind == WEFT_NADAM || o->kind == WEFT_LAMB) {
        double counted = 0;
        cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &counted, 1, NULL), WEFT_OK);
        cr_expect_eq(counted, STEPS);
    } else {
        cr_expect(weft_is_null(r.optimizer.step));
    }
    test_rig_end(&r);
}

Test(optim, five_steps_in_double)
{
    for (int i = 0; i < CASES; i++)
        five_steps(&cases[i], i, WEFT_FLOAT64, 1e-13);
}

Test(optim, five_steps_in_single)
{
    for (int i = 0; i < CASES; i++)
        five_steps(&cases[i], i, WEFT_FLOAT32, 4e-6);
}

/* With and without decay and clipping, those that tests/parity/optimizer_cases.c cannot compare. */
Test(optim, five_steps_of_what_pytorch_has_not)
{
    static const weft_optimizer_options kinds[] = {
        {.kind = WEFT_NADAM, .learning_rate = 0.1},
        {.kind = WEFT_LAMB, .learning_rate = 0.1},
        {.kind = WEFT_LARS, .learning_rate = 0.5, .trust_coefficient = 0.125},
        {.kind = WEFT_LION, .learning_rate = 0.125},
    };
    for (int i = 0; i < 16; i++) {
        weft_optimizer_options options = kinds[i / 4];
        options.weight_decay = i & 1 ? 0.1 : 0;
        options.clip_norm = i & 2 ? 3 : 0;
        five_steps(&options, i, WEFT_FLOAT64, 1e-13);
        five_steps(&options, i, WEFT_FLOAT32, 4e-6);
    }
}

/* ---- Micro-batches ---- */

static void micro_batches(weft_optimizer_options options, weft_dtype dtype, double tolerance)
{
    enum { K = 4 };
    test_rig r;
    options.micro_batches = K;
    test_rig_begin(&r, &options, dtype, 1);
    double lr = weft_optimizer_learning_rate(&r.optimizer, r.state);
    for (int update = 0; update < 3; update++) {
        for (int i = 0; i < TEST_RIG_VARIABLES; i++)
            memset(r.g[i], 0, (size_t)test_rig_elements[i] * sizeof(double));
        for (int micro = 0; micro < K; micro++) {
            test_rig_feed(&r, K * update + micro);
            for (int i = 0; i < TEST_RIG_VARIABLES; i++)
                for (int64_t k = 0; k < test_rig_elements[i]; k++)
                    r.g[i][k] += test_drawn(K * update + micro, k + 7 * i) / K;
            test_rig_compare(&r, tolerance, "before the last micro-batch");
            test_rig_run(&r, &(weft_run_options){.micro_batch = micro, .micro_batches = K});
        }
        test_rig_expect(&r, &options, lr);
        test_rig_compare(&r, tolerance, "after the last micro-batch");
        cr_expect_eq(weft_state_step(r.state), update + 1);
    }
    if (options.kind != WEFT_SGD) {
        double counted = 0;
        cr_assert_eq(weft_state_read(r.state, r.optimizer.step, &counted, 1, NULL), WEFT_OK);
        cr_expect_eq(counted, 3);
    }
    test_rig_end(&r);
}

Test(optim, micro_batches_make_one_update)
{
    static const weft_optimizer_options kinds[] = {
        {.learning_rate = 0.5, .weight_decay = 0.1},
        {.learning_rate = 0.1, .momentum = 0.9, .clip_norm = 1},
        {.kind = WEFT_ADAM, .learning_rate = 0.1},
        {.kind = WEFT_LAMB, .learning_rate = 0.1, .clip_each_norm = 2},
    };
    for (int i = 0; i < 4; i++) {
        micro_batches(kinds[i], WEFT_FLOAT64, 1e-13);
        micro_batches(kinds[i], WEFT_FLOAT32, 4e-6);
    }
}

/* ---- Threads ---- */

static uint64_t hash_after(const weft_optimizer_options *options, int threads)
{
    test_rig r;
    test_rig_begin(&r, options, WEFT_FLOAT32, threads);
    for (int step = 0; step < 3; step++) {
        test_rig_feed(&r, step);
        test_rig_run(&r, NULL);
    }
    uint64_t hash = weft_state_hash(r.state);
    test_rig_end(&r);
    return hash;
}

Test(optim, bits_do_not_depend_on_threads)
{
    for (int i = 0; i < CASES; i++) {
        uint64_t one = hash_after(&cases[i], 1);
        cr_expect_eq(hash_after(&cases[i], 2), one, "case %d", i);
        cr_expect_eq(hash_after(&cases[i], 3), one, "case %d", i);
    }
}

/* ---- Numbers ---- */

Test(optim, worked_numbers)
{
    /* First step: SGD moves by lr g, Adam by lr, whatever g is. */
    struct {
        weft_optimizer_options options;
        double expected;
    } const worked[] = {
        {{.learning_rate = 0.1}, 1 - 0.1 * 2},
        {{.learning_rate = 0.1, .weight_decay = 0.5}, 1 - 0.1 * (2 + 0.5)},
        {{.learning_rate = 0.1, .momentum = 0.5}, 1 - 0.1 * 2},
        {{.learning_rate = 0.1, .momentum = 0.5, .nesterov = true}, 1 - 0.1 * (2 + 0.5 * 2)},
        {{.learning_rate = 0.1, .clip_norm = 1}, 1 - 0.1 * 2 * (1 / (2 + 1e-6))},
        {{.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 1e-30}, 1 - 0.1},
        {{.kind = WEFT_ADAM, .learning_rate = 0.1, .epsilon = 2}, 1 - 0.1 * 2 / (2 + 2)},
        {{.learning_rate = 0.1, .clip_value = 0.5}, 1 - 0.1 * 0.5},
        {{.learning_rate = 0.1, .clip_each_norm = 1, .keras = true}, 1 - 0.1 * 1},
        {{.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .epsilon = 2}, 1 - 0.1 * 2 / (2 + 2)},
        {{.kind = WEFT_ADAGRAD,
          .learning_rate = 0.1,
          .keras = true,
          .initial_accumulator = 3,
          .epsilon = 9},
         1 - 0.1 * 2 / 4},
        /* a = 2, u = 0; s = sqrt(2) / sqrt(4) 2 */
        {{.kind = WEFT_ADADELTA, .rho = 0.5, .epsilon = 2}, 1 - 1.4142135623730951},
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.75, .epsilon = 3},
         1 - 0.1 * 2 / (1 + 3)},
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.75, .epsilon = 3, .keras = true},
         1 - 0.1 * 2 / 2},
        /* a = 2, c = 1 */
        {{.kind = WEFT_RMSPROP, .learning_rate = 0.1, .rho = 0.5, .epsilon = 3, .centered = true},
         1 - 0.1 * 2 / (1 + 3)},
        /* mu_1 = 0.48, mu_2 = 0.5 (1 - 0.4608); m = 1 */
        {{.kind = WEFT_NADAM, .learning_rate = 0.1, .keras = true, .beta1 = 0.5, .epsilon = 2},
         1 - 0.1 * (0.2696 * 1 / (1 - 0.26 * 0.2696) + (1 - 0.26) * 2 / (1 - 0.26)) / 4},
        /* r = 1 + 0.5, as large as needed to be of the variable's norm */
        {{.kind = WEFT_LAMB, .learning_rate = 0.1, .weight_decay = 0.5, .epsilon = 1e-30}, 1 - 0.1},
        {{.kind = WEFT_LAMB,
          .learning_rate = 0.1,
          .weight_decay = 0.5,
          .decoupled = true,
          .epsilon = 1e-30},
         0.95 - 0.1 * 0.95},
        {{.kind = WEFT_LARS,
          .learning_rate = 0.1,
          .trust_coefficient = 0.5,
          .weight_decay = 0.5,
          .epsilon = 1e-30},
         1 - 0.1 * 0.5 / 2.5 * 2.5},
        {{.kind = WEFT_LION, .learning_rate = 0.1, .weight_decay = 0.5, .decoupled = true},
         1 - 0.1 * (1 + 0.5)},
    };
    for (size_t i = 0; i < sizeof(worked) / sizeof(worked[0]); i++) {
        weft_context *context = weft_context_create(NULL);
        weft_graph *graph = weft_graph_create(context);
        weft_value w = weft_variable(graph, .name = "w", .initializer = {WEFT_INIT_ONES});
        weft_value g = weft_input(graph, .name = "g");
        cr_assert_eq(weft_apply_gradients(graph, &w, &g, 1, &worked[i].options, NULL), WEFT_OK);
        weft_state *state;
        weft_program *program;
        cr_assert_eq(
            weft_state_create(graph, &(weft_state_options){.dtype = WEFT_FLOAT64}, &state, NULL),
            WEFT_OK);
        cr_assert_eq(
            weft_compile(graph, state, &(weft_compile_options){.mode = WEFT_TRAIN}, &program, NULL),
            WEFT_OK);
        double gradient = 2, result = 0;
        cr_assert_eq(weft_run(program, &(weft_feed){g, &gradient, sizeof(gradient)}, 1, NULL, NULL),
                     WEFT_OK);
        cr_assert_eq(weft_state_read(state, w, &result, 1, NULL), WEFT_OK);
        cr_expect_float_eq(result, worked[i].expected, 1e-15, "case %zu: %.17g", i, result);
        weft_program_destroy(program);
        weft_state_destroy(state);
        weft_graph_destroy(graph);
        weft_context_destroy(context);
    }
}

/* After many updates with one gradient, NAdam's product of momenta is 0 and its moments are the gradient
 * and its square, so that a step is lr (mu + 1 - mu); with psi 0 all momenta are b1 / 2. */
Test(optim, nadam_after_many_updates)
{
    static const weft_optimizer_options options[] = {
        {.kind = WEFT_NADAM, .learning_rate = 0.125, .epsilon = 1e-30},
        {.kind = WEFT_NADAM, .learning_rate = 0.125, .epsilon = 1e-30, .keras = true},
    };
    for (int i = 0; i < 2; i++) {
        test_rig r;
        test_rig_begin(&r, &options[i], WEFT_FLOAT64, 1);
        for (int64_t k = 0; k < TEST_RIG_LARGE; k++)
            ((double *)r.feed[2])[k] = k % 2 ? -3 : 3;
        double before, after, step = 30000, gradient = 3, square = 9;
        ((double *)r.feed[0])[0] = gradient;
        weft_value m = weft_find(r.graph, "nadam.w.m"), v = weft_find(r.graph, "nadam.w.v");
        cr_assert_eq(weft_state_write(r.state, m, &gradient, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_write(r.state, v, &square, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_write(r.state, r.optimizer.step, &step, 1, NULL), WEFT_OK);
        cr_assert_eq(weft_state_read(r.state, r.variable[0], &before, 1, NULL), WEFT_OK);
        test_rig_run(&r, NULL);
        cr_assert_eq(weft_state_read(r.state, r.variable[0], &after, 1, NULL), WEFT_OK);
        /* mu changes from step to step by what 0.96^psi does */
        cr_expect_float_eq(before - after, 0.125, 1e-6, "%.17g", before - after);
        test_rig_end(&r);
    }
}

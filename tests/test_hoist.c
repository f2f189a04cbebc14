/* What depends on variables alone is computed once, and again after each change of the state: the same
 * results as without keeping anything. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "graph/program.h"
#include "support/allocator.h"
#include "weft/weft.h"

enum { BATCH = 2, SIDE = 9, PIXELS = BATCH * SIDE * SIDE * 3, CLASSES = 5 };

static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_error error;
static weft_value x, filter, y, loss;
static float image[PIXELS];

static void begin(void)
{
    context = weft_context_create(&(weft_context_options){.threads = 2});
    graph = weft_graph_create(context);
    state = NULL;
    for (int i = 0; i < PIXELS; i++)
        image[i] = (float)(i * 37 % 101) / 50 - 1;
}

static void end(void)
{
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(hoist, .init = begin, .fini = end);

/* A filter that is normalized in the graph, a batch norm, a dense layer: nodes and phases to hoist. */
static void build(void)
{
    x = weft_input(graph, .name = "x", .shape = weft_shape_of(WEFT_BATCH, SIDE, SIDE, 3));
    filter = weft_variable(graph, .name = "filter", .shape = weft_shape_of(3, 3, 3, 20),
                           .initializer = {.kind = WEFT_INIT_NORMAL, .b = 1});
    weft_value scaled = weft_multiply(weft_tanh(filter), weft_sigmoid(weft_scale(filter, 2)));
    y = weft_convolution(x, scaled, NULL);
    y = weft_relu(weft_batch_norm(y));
    y = weft_dense(weft_flatten(weft_conv2d(y, .filters = 7, .kernel = {3, 3}), 1),
                   .units = CLASSES);
    loss = weft_mean(weft_square(y));
    weft_minimize(loss, &(weft_optimizer_options){.learning_rate = 0.05}, NULL);
}

static weft_program *compile(weft_compile_options options)
{
    weft_program *program = NULL;
    options.fetch = options.mode == WEFT_TRAIN && !options.no_writes ? &loss : &y;
    options.fetches = 1;
    options.batch = BATCH;
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    return program;
}

static void start(void)
{
    build();
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
}

static void run(weft_program *program)
{
    weft_feed feed = {x, image, sizeof(image)};
    cr_assert_eq(weft_run(program, &feed, 1, NULL, &error), WEFT_OK, "%s", error.message);
}

static bool same_result(weft_program *a, weft_program *b)
{
    run(a);
    run(b);
    return memcmp(weft_fetch(a, y).data, weft_fetch(b, y).data, BATCH * CLASSES * 4) == 0;
}

/* Checks that the kept results follow the change, and that there was one. */
static void expect_follows(weft_program *kept, weft_program *fresh, void (*change)(void))
{
    float before[BATCH * CLASSES];
    cr_assert(same_result(kept, fresh));
    cr_assert(same_result(kept, fresh), "a second run");
    memcpy(before, weft_fetch(kept, y).data, sizeof(before));
    change();
    cr_expect(same_result(kept, fresh), "after the change");
    cr_expect(same_result(kept, fresh), "a second run after the change");
    cr_expect_neq(memcmp(before, weft_fetch(kept, y).data, sizeof(before)), 0);
}

static void train_once(void)
{
    weft_program *train = compile((weft_compile_options){.mode = WEFT_TRAIN});
    cr_expect_eq(weft_program_report(train).prepared_bytes, 0, "it changes variables itself");
    run(train);
    weft_program_destroy(train);
}

static void write_filter(void)
{
    double element[3 * 3 * 3 * 20];
    for (int i = 0; i < 540; i++)
        element[i] = (i * 13 % 29) * 0.1 - 1.4;
    cr_assert_eq(weft_state_write(state, filter, element, 540, &error), WEFT_OK);
}

static void write_through_new_pointer(void)
{
    ((float *)weft_state_tensor(state, filter).data)[7] += 1;
}

static float *pointer;

static void write_through_old_pointer(void)
{
    pointer[5] -= 2;
    weft_state_changed(state);
}

static void check_follows(weft_compile_options options, void (*change)(void))
{
    weft_program *kept = compile(options);
    options.without |= 1u << WEFT_PASS_HOIST;
    weft_program *fresh = compile(options);
    cr_expect_gt(weft_program_report(kept).prepared_bytes, 0);
    cr_expect_eq(weft_program_report(fresh).prepared_bytes, 0);
    /* In train mode the batch norm depends on the batch. */
    cr_expect_gt(kept->hoisted_steps, options.mode == WEFT_TRAIN ? 0 : 1, "the filter's formula");
    cr_expect_gt(kept->hoisted_tasks, kept->hoisted_steps, "the packed filters");
    cr_expect_eq(fresh->hoisted_tasks, 0);
    expect_follows(kept, fresh, change);
    weft_program_destroy(kept);
    weft_program_destroy(fresh);
}

Test(hoist, follows_training)
{
    start();
    check_follows((weft_compile_options){0}, train_once);
}

Test(hoist, follows_weft_state_write)
{
    start();
    check_follows((weft_compile_options){0}, write_filter);
}

Test(hoist, follows_pointers)
{
    start();
    check_follows((weft_compile_options){0}, write_through_new_pointer);
    pointer = weft_state_tensor(state, filter).data;
    check_follows((weft_compile_options){0}, write_through_old_pointer);
}

Test(hoist, train_mode_without_writes)
{
    start();
    check_follows((weft_compile_options){.mode = WEFT_TRAIN, .no_writes = true, .threads = 1},
                  train_once);
    check_follows((weft_compile_options){.profile = true}, write_filter);
}

/* Stepwise runs poison what is not kept, and look at results step by step. */
Test(hoist, poisoned_and_checked)
{
    start();
    check_follows((weft_compile_options){.poison = true, .check_finite = true}, train_once);
}

Test(hoist, no_pass_matters)
{
    start();
    weft_program *plain = compile((weft_compile_options){.without = 1u << WEFT_PASS_HOIST});
    for (unsigned without = 0; without < 1u << WEFT_PASSES; without++) {
        if (without & (1u << WEFT_PASS_CSE | 1u << WEFT_PASS_FOLD | 1u << WEFT_PASS_VIEW))
            continue; /* these may round differently */
        weft_program *program = compile((weft_compile_options){.without = without, .poison = true});
        cr_expect(same_result(program, plain) && same_result(program, plain), "%x", without);
        weft_program_destroy(program);
    }
    weft_program_destroy(plain);
}

/* ---- Networks of each kind, on small images ---- */

static void check_network(const weft_model *model)
{
    int64_t side = model->size > 64 ? 64 : model->size, pixels = side * side * model->channels;
    x = weft_input(graph, .name = "x",
                   .shape = weft_shape_of(WEFT_BATCH, side, side, model->channels));
    y = weft_model_build(model, x, 3);
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
    weft_value fetched = y;
    weft_program *program[2];
    float *data = malloc((size_t)pixels * sizeof(float));
    for (int64_t i = 0; i < pixels; i++)
        data[i] = (float)(i * 31 % 97) / 48 - 1;
    for (int i = 0; i < 2; i++) {
        weft_compile_options options = {
            .fetch = &fetched, .fetches = 1, .without = i ? 1u << WEFT_PASS_HOIST : 0};
        cr_assert_eq(weft_compile(graph, state, &options, &program[i], &error), WEFT_OK, "%s",
                     error.message);
        cr_expect_eq(weft_program_verify(program[i], &error), WEFT_OK, "%s: %s", model->name,
                     error.message);
    }
    cr_expect_gt(weft_program_report(program[0]).prepared_bytes, 0, "%s", model->name);
    for (int run = 0; run < 3; run++) {
        weft_tensor result[2];
        for (int i = 0; i < 2; i++) {
            weft_feed feed = {x, data, (size_t)pixels * sizeof(float)};
            cr_assert_eq(weft_run(program[i], &feed, 1, NULL, &error), WEFT_OK, "%s",
                         error.message);
            result[i] = weft_fetch(program[i], y);
        }
        size_t bytes = (size_t)weft_tensor_elements(&result[0]) * sizeof(float);
        cr_expect_eq(memcmp(result[0].data, result[1].data, bytes), 0, "%s, run %d", model->name,
                     run);
        if (run == 0)
            for (int i = 0; !weft_is_null(weft_variable_at(graph, i)); i++) {
                weft_tensor variable = weft_state_tensor(state, weft_variable_at(graph, i));
                ((float *)variable.data)[0] += 0.25f;
            }
    }
    free(data);
    weft_program_destroy(program[0]);
    weft_program_destroy(program[1]);
}

Test(hoist, networks_have_equal_bits)
{
    static const char *const names[] = {"lenet", "resnet20", "googlenet", "mobilenet_v2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_network(weft_model_find(names[i]));
        end();
        begin();
    }
}

static weft_program *with_kept_parts(void)
{
    start();
    return compile(
        (weft_compile_options){.no_winograd = true}); /* by algorithms that pack filters */
}

static void expect_damage(const weft_program *program, const char *part)
{
    cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
    cr_expect(strstr(error.message, part), "\"%s\" is not in: %s", part, error.message);
}

Test(hoist, verifier_sees_a_prepared_slot_that_is_reused)
{
    weft_program *program = with_kept_parts();
    int found = 0;
    for (int i = program->hoisted_steps; i < program->steps; i++) {
        weft_step *step = &program->step[i];
        int64_t offset = step->prepared_offset;
        if (!step->hoisted_phases)
            continue;
        step->prepared_offset = program->report.prepared_bytes; /* reused from step to step */
        cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
        step->prepared_offset = offset;
        found++;
    }
    cr_expect_eq(found, 3);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    weft_program_destroy(program);
}

Test(hoist, verifier_sees_a_hoisted_value_that_does_not_last)
{
    weft_program *program = with_kept_parts();
    program->report.prepared_bytes = 0;
    expect_damage(program, "there");
    weft_program_destroy(program);
}

Test(hoist, verifier_sees_a_missing_barrier_after_hoisted_tasks)
{
    weft_program *program = with_kept_parts();
    cr_assert(program->task[program->hoisted_tasks].wait);
    program->task[program->hoisted_tasks].wait = false;
    expect_damage(program, "does not wait for");
    weft_program_destroy(program);
}

Test(hoist, verifier_sees_a_hoisted_feed)
{
    weft_program *program = with_kept_parts();
    program->hoisted_steps++;
    cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
    weft_program_destroy(program);
}

Test(hoist, random_values_are_drawn_anew)
{
    weft_value v = weft_variable(graph, .name = "v", .shape = weft_shape_of(64),
                                 .initializer = {.kind = WEFT_INIT_NORMAL, .b = 1});
    y = weft_dropout(weft_tanh(v), .rate = 0.5, .mode = WEFT_MODE_TRAIN);
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK);
    weft_program *program = compile((weft_compile_options){0});
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
    float first[64];
    memcpy(first, weft_fetch(program, y).data, sizeof(first));
    weft_state_set_step(state, 1);
    cr_assert_eq(weft_run(program, NULL, 0, NULL, &error), WEFT_OK);
    cr_expect_neq(memcmp(first, weft_fetch(program, y).data, sizeof(first)), 0);
    weft_program_destroy(program);
}

/* The n-th request for memory fails while an infer program is compiled. */
Test(hoist, failing_allocations)
{
    for (int64_t n = 1, failed = 1; failed; n++) {
        test_allocator allocator = {.fail_at = n};
        weft_context_options options = test_allocator_options(&allocator);
        weft_context *own = weft_context_create(&options);
        weft_graph *outer = graph;
        weft_program *program = NULL;
        weft_state *own_state = NULL;
        graph = own ? weft_graph_create(own) : NULL;
        if (graph) {
            build();
            weft_compile_options compiled = {.fetch = &y, .fetches = 1, .batch = BATCH};
            weft_status status = weft_state_create(graph, NULL, &own_state, &error);
            if (status == WEFT_OK)
                status = weft_compile(graph, own_state, &compiled, &program, &error);
            cr_expect(status == WEFT_OK || status == WEFT_ERROR_MEMORY, "%s", error.message);
        }
        failed = allocator.failed;
        weft_program_destroy(program);
        weft_state_destroy(own_state);
        weft_graph_destroy(graph);
        weft_context_destroy(own);
        cr_expect_eq(allocator.live_blocks, 0);
        graph = outer;
    }
}

/* The plan checker: good plans pass, and each kind of damage to one is found. */
#include <criterion/criterion.h>
#include <string.h>

#include "graph/program.h"
#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_state *state;
static weft_program *program;
static weft_error error;

static void begin(void)
{
    context = weft_context_create(&(weft_context_options){.threads = 2});
    graph = weft_graph_create(context);
    state = NULL;
    program = NULL;
    error = (weft_error){0};
}

static void end(void)
{
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(verify, .init = begin, .fini = end);

static void compile(weft_compile_options options, const weft_value *fetch, int fetches)
{
    options.fetch = fetch;
    options.fetches = fetches;
    cr_assert_eq(weft_state_create(graph, NULL, &state, &error), WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
}

static void expect_damage(const char *part)
{
    cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
    cr_expect(strstr(error.message, part), "\"%s\" is not in: %s", part, error.message);
}

/* The value of the program that output `output` of the node became. */
static weft_plan_value *planned(weft_value value)
{
    for (int i = 0; i < program->values; i++)
        if (program->value[i].graph_node == value.node &&
            program->value[i].graph_output == value.output && program->value[i].storage >= 0)
            return &program->value[i];
    cr_assert_fail("\"%s\" is not in the program", weft_name_get(value));
    return NULL;
}

static weft_step *step_of(weft_value value)
{
    for (int i = 0; i < program->steps; i++)
        if (program->step[i].graph_node == value.node)
            return &program->step[i];
    cr_assert_fail("\"%s\" is no step", weft_name_get(value));
    return NULL;
}

/* A diamond: x feeds a and b, both live until they are joined. */
static weft_value x, a, b, joined, convolved;

static void diamond(weft_compile_options options)
{
    x = weft_input(graph, .shape = weft_shape_of(2, 9, 9, 16));
    a = weft_tanh(x);
    b = weft_sigmoid(x);
    joined = weft_multiply(a, weft_exp(b));
    convolved =
        weft_conv2d(weft_add(joined, a), .filters = 24, .kernel = {3, 3}, .padding = WEFT_SAME);
    compile(options, (weft_value[]){weft_sum(convolved)}, 1);
}

Test(verify, good_plans_pass)
{
    for (unsigned without = 0; without < 1u << WEFT_PASSES; without++) {
        diamond((weft_compile_options){.without = without});
        end();
        begin();
    }
}

/* Every node a step of its own. */
static const unsigned unfused = 1u << WEFT_PASS_FUSE;

Test(verify, shifted_offset)
{
    diamond((weft_compile_options){.without = unfused});
    weft_plan_value *value = planned(a), *other = planned(b);
    value->offset = other->offset;
    cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
}

Test(verify, every_shift_of_any_value_onto_another_that_lives)
{
    diamond((weft_compile_options){.without =
                                       1u << WEFT_PASS_REUSE | 1u << WEFT_PASS_IN_PLACE | unfused});
    /* Nothing shares bytes here, so that only values that live at once can be damaged. */
    weft_value pairs[][2] = {{a, b}, {joined, a}};
    for (int i = 0; i < 2; i++) {
        weft_plan_value *value = planned(pairs[i][0]);
        int64_t offset = value->offset;
        for (int64_t shift = -64; shift <= 64; shift += 64) {
            value->offset = planned(pairs[i][1])->offset + shift;
            cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL, "pair %d, %d",
                         i, (int)shift);
        }
        value->offset = offset;
        cr_expect_eq(weft_program_verify(program, &error), WEFT_OK);
    }
}

Test(verify, value_outside_the_arena)
{
    diamond((weft_compile_options){.without = unfused});
    planned(a)->offset = program->report.arena_bytes;
    expect_damage("outside the arena");
    planned(a)->offset = -64;
    expect_damage("outside the arena");
}

Test(verify, steps_in_the_wrong_order)
{
    diamond((weft_compile_options){.without =
                                       1u << WEFT_PASS_REUSE | 1u << WEFT_PASS_IN_PLACE | unfused});
    weft_step *first = step_of(a), *second = step_of(joined), swap = *first;
    *first = *second;
    *second = swap;
    expect_damage("not there any more, or not yet");
}

/* An op without a float32 form runs on copies in double, which are workspace. */
static bool infer_plain(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static void plain_f64(const weft_operands *operands)
{
    (void)operands;
}

static const weft_op plain_op = {.name = "plain",
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .outputs = 1,
                                 .infer = infer_plain,
                                 .run_f64 = plain_f64};

static weft_step *step_with_workspace(void)
{
    x = weft_input(graph, .shape = weft_shape_of(50));
    a = weft_tanh(x);
    b = weft_apply(graph, &plain_op, NULL, 0, NULL, &a, 1, NULL, 1);
    compile((weft_compile_options){0}, &b, 1);
    cr_assert_gt(step_of(b)->workspace_bytes, 0);
    return step_of(b);
}

Test(verify, workspace_over_an_input)
{
    weft_step *step = step_with_workspace();
    planned(a)->offset = step->workspace_offset;
    expect_damage("workspace over an input");
}

Test(verify, workspace_over_an_output)
{
    weft_step *step = step_with_workspace();
    planned(b)->offset = step->workspace_offset;
    expect_damage("overlap");
}

Test(verify, workspace_outside_the_arena)
{
    weft_step *step = step_with_workspace();
    step->workspace_offset = program->report.arena_bytes;
    expect_damage("workspace outside the arena");
}

Test(verify, fetched_value_that_does_not_last)
{
    x = weft_input(graph, .shape = weft_shape_of(100));
    a = weft_tanh(x);
    b = weft_exp(weft_sigmoid(weft_square(a)));
    compile((weft_compile_options){.without = unfused}, (weft_value[]){a, b}, 2);
    planned(b)->offset = planned(a)->offset;
    expect_damage("does not last to the end");
}

Test(verify, output_over_an_input_that_is_no_in_place_operand)
{
    x = weft_input(graph, .shape = weft_shape_of(8, 8));
    a = weft_tanh(x);
    b = weft_transpose(a, 1, 0);
    compile((weft_compile_options){.without = 1u << WEFT_PASS_VIEW}, &b, 1);
    planned(b)->offset = planned(a)->offset;
    expect_damage("writes over an input that it still reads");
}

/* ---- Updates ---- */

static void train_step(void)
{
    x = weft_input(graph, .shape = weft_shape_of(4, 8));
    weft_value y = weft_dense(x, .units = 3);
    weft_value loss = weft_mean(weft_square(y));
    cr_assert_eq(weft_minimize(loss, &(weft_optimizer_options){.momentum = 0.9}, NULL), WEFT_OK);
    compile((weft_compile_options){.mode = WEFT_TRAIN}, &loss, 1);
}

Test(verify, variable_read_after_its_update)
{
    train_step();
    /* Moves the first update to the front: what it needs is not there, or its variable is read later. */
    int update = 0;
    while (update < program->steps && !program->step[update].op->writes)
        update++;
    cr_assert_lt(update, program->steps);
    weft_step moved = program->step[update];
    memmove(&program->step[1], &program->step[0], (size_t)update * sizeof(moved));
    program->step[0] = moved;
    cr_expect_eq(weft_program_verify(program, &error), WEFT_ERROR_INTERNAL);
}

/* ---- Barriers ---- */

static void wide_steps(void)
{
    x = weft_input(graph, .shape = weft_shape_of(64, 64, 64));
    a = weft_tanh(x);
    b = weft_transpose(a, 2, 1, 0);
    compile((weft_compile_options){0}, (weft_value[]){weft_exp(b)}, 1);
}

Test(verify, missing_barrier)
{
    wide_steps();
    int removed = 0;
    for (int i = 1; i < program->tasks; i++)
        if (program->task[i].wait) {
            program->task[i].wait = false;
            expect_damage("does not wait for");
            program->task[i].wait = true;
            removed++;
        }
    cr_expect_gt(removed, 0);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK);
}

Test(verify, chain_broken_up_without_barriers)
{
    x = weft_input(graph, .shape = weft_shape_of(5));
    a = weft_exp(weft_tanh(weft_sigmoid(x)));
    compile((weft_compile_options){0}, &a, 1);
    int broken = 0;
    for (int i = 1; i < program->tasks; i++)
        if (program->task[i].joined) {
            program->task[i].joined = false;
            expect_damage("does not wait for");
            program->task[i].joined = true;
            broken++;
        }
    cr_expect_gt(broken, 0, "small steps are chained");
}

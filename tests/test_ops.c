/* Every built-in op over its samples: gradients, float32 against float64, equal bits. The variable
 * WEFT_TEST_CASES in the environment asks for more random extents and data (default 1 round);
 * WEFT_TEST_PROGRAMS_ONLY=1 leaves out the gradient checks. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

/* Ops that need no samples: leaves do not compute. */
static bool needs_samples(const weft_op *op)
{
    return op->family != WEFT_FAMILY_LEAF;
}

static int rounds(void)
{
    const char *text = getenv("WEFT_TEST_CASES");
    int count = text ? atoi(text) : 1;
    return count > 0 ? count : 1;
}

/* The gradient checks run in float64, which is the same for all instruction sets. */
static bool programs_only(void)
{
    const char *text = getenv("WEFT_TEST_PROGRAMS_ONLY");
    return text && atoi(text);
}

static void check_op(weft_context *context, const weft_op *op)
{
    for (int round = 0; round < rounds(); round++) {
        weft_error error = {0};
        weft_check_op_report report = {0};
        weft_check_op_options options = {.seed = (uint64_t)round, .programs_only = programs_only()};
        weft_status status = weft_check_op(context, op, &options, &report, &error);
        cr_expect_eq(status, WEFT_OK, "%s", error.message);
        if (status != WEFT_OK)
            return;
        printf("%-24s %3d cases, %4d gradient checks %8.1e %8.1e, %5d programs %8.1e\n", op->name,
               report.cases, report.gradients, report.gradient_error, report.second_error,
               report.programs, report.float_error);
    }
}

/* Every fourth op, so that four processes share the work. */
static void check_quarter(int first)
{
    weft_context *context = weft_context_create(NULL);
    for (int i = first; weft_builtin_op(i); i += 4)
        if (needs_samples(weft_builtin_op(i)))
            check_op(context, weft_builtin_op(i));
    weft_context_destroy(context);
}

Test(ops, hold_over_their_samples_0)
{
    check_quarter(0);
}

Test(ops, hold_over_their_samples_1)
{
    check_quarter(1);
}

Test(ops, hold_over_their_samples_2)
{
    check_quarter(2);
}

Test(ops, hold_over_their_samples_3)
{
    check_quarter(3);
}

Test(ops, have_names_of_their_own)
{
    int count = 0;
    for (int i = 0; weft_builtin_op(i); i++, count++)
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(weft_builtin_op(i)->name, weft_builtin_op(j)->name);
    cr_expect_gt(count, 0);
    cr_expect_null(weft_builtin_op(count));
    cr_expect_null(weft_builtin_op(-1));
}

/* ---- What their pages say ---- */

static bool says(const char *text)
{
    return text && text[0] != '\0';
}

/* How many inputs the shapes name: at least and, -1 where any number is allowed, at most. */
static void count_inputs(const char *shapes, int *least, int *most)
{
    const char *end = strstr(shapes, "->");
    *least = 0;
    *most = 0;
    int depth = 0;
    bool optional = false, inside = false;
    for (const char *c = shapes; c <= end; c++) {
        depth += *c == '[' ? 1 : *c == ']' ? -1 : 0;
        if (depth == 0 && (*c == ',' || c == end) && inside) {
            *least += !optional;
            *most = *most < 0 ? *most : *most + 1;
            optional = inside = false;
        } else if (depth == 0 && strncmp(c, "...", 3) == 0) {
            *most = -1;
        } else if (*c != ' ') {
            optional = optional || *c == '?';
            inside = true;
        }
    }
}

Test(ops, have_pages)
{
    for (int i = 0; weft_builtin_op(i); i++) {
        const weft_op *op = weft_builtin_op(i);
        cr_expect(says(op->summary), "%s: no summary", op->name);
        cr_expect(says(op->source), "%s: no source", op->name);
        cr_expect(!op->label || says(op->parameters), "%s: a label, but no parameters", op->name);
        if (!says(op->shapes) || !strstr(op->shapes, "->")) {
            cr_expect(false, "%s: no shapes", op->name);
            continue;
        }
        int least, most;
        count_inputs(op->shapes, &least, &most);
        cr_expect_eq(least, op->min_inputs, "%s: %d inputs in \"%s\"", op->name, least, op->shapes);
        if (most >= 0)
            cr_expect_eq(most, op->max_inputs, "%s: %d inputs in \"%s\"", op->name, most,
                         op->shapes);
        else
            cr_expect(op->max_inputs < 0 || op->max_inputs > 4, "%s: any number?", op->name);
    }
}

static weft_op_facts facts_of(const char *name)
{
    weft_op_facts facts = {0};
    weft_error error = {0};
    weft_context *context = weft_context_create(NULL);
    for (int i = 0; weft_builtin_op(i); i++)
        if (strcmp(weft_builtin_op(i)->name, name) == 0)
            cr_assert_eq(weft_op_facts_find(context, weft_builtin_op(i), &facts, &error), WEFT_OK,
                         "%s", error.message);
    weft_context_destroy(context);
    return facts;
}

Test(ops, facts_are_found)
{
    weft_op_facts relu = facts_of("relu"), sgd = facts_of("sgd_update");
    cr_expect(relu.gradient_order == 2 && relu.map && !relu.takes_maps);
    cr_expect(strncmp(relu.example, "[", 1) == 0 && strstr(relu.example, "] -> ["), "%s",
              relu.example);
    cr_expect(sgd.gradient_order == 0 && !sgd.map);
    weft_op_facts convolution = facts_of("convolution"), norm = facts_of("batch_norm");
    cr_expect(convolution.gradient_order == 2 && convolution.takes_maps && !convolution.map);
    cr_expect(norm.gradient_order == 2 && norm.expands);
    cr_expect_eq(facts_of("argmax").gradient_order, 0);
}

/* An op whose gradient rule uses one without a rule. */
static bool infer_same(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[0];
    return true;
}

static void run_nothing(const weft_operands *operands)
{
    (void)operands;
}

static const weft_op without_rule = {.name = "without_rule",
                                     .min_inputs = 1,
                                     .max_inputs = 1,
                                     .outputs = 1,
                                     .infer = infer_same,
                                     .run_f64 = run_nothing};

static void gradient_once(weft_gradient_call *call)
{
    call->input_gradient[0] =
        weft_multiply(call->output_gradient[0], weft_apply(call->graph, &without_rule, NULL, 0,
                                                           NULL, call->input, 1, NULL, 1));
}

static bool sample_once(weft_sampler *sampler, int index);

static const weft_op once = {.name = "once",
                             .min_inputs = 1,
                             .max_inputs = 1,
                             .outputs = 1,
                             .infer = infer_same,
                             .gradient = gradient_once,
                             .run_f64 = run_nothing,
                             .sample = sample_once};

static bool sample_once(weft_sampler *sampler, int index)
{
    weft_value x = weft_sampler_input(sampler, weft_shape_of(3), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_apply(x.graph, &once, NULL, 0, NULL, &x, 1, NULL, 1));
    return index < 1;
}

Test(ops, a_gradient_of_first_order_is_found_to_be_that)
{
    weft_op_facts facts = {0};
    weft_error error = {0};
    weft_context *context = weft_context_create(NULL);
    cr_assert_eq(weft_op_facts_find(context, &once, &facts, &error), WEFT_OK, "%s", error.message);
    cr_expect_eq(facts.gradient_order, 1);
    cr_expect_str_eq(facts.example, "[3] -> [3]");
    weft_context_destroy(context);
}

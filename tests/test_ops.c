/* Every built-in op over its samples: gradients, float32 against float64, equal bits. The variable
 * WEFT_TEST_CASES in the environment asks for more random extents and data (default 1 round);
 * WEFT_TEST_PROGRAMS_ONLY=1 leaves out the gradient checks. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Every built-in op over its samples: gradients, float32 against float64, equal bits. The variable
 * WEFT_TEST_CASES in the environment asks for more random extents and data (default 1 round). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
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

ParameterizedTestParameters(ops, holds_over_its_samples)
{
    static int index[1000];
    size_t count = 0;
    for (; weft_builtin_op((int)count); count++)
        index[count] = (int)count;
    return cr_make_param_array(int, index, count);
}

ParameterizedTest(int *index, ops, holds_over_its_samples)
{
    const weft_op *op = weft_builtin_op(*index);
    if (!needs_samples(op))
        return;
    weft_context *context = weft_context_create(NULL);
    for (int round = 0; round < rounds(); round++) {
        weft_error error = {0};
        weft_check_op_report report = {0};
        weft_check_op_options options = {.seed = (uint64_t)round};
        weft_status status = weft_check_op(context, op, &options, &report, &error);
        cr_expect_eq(status, WEFT_OK, "%s", error.message);
        if (status != WEFT_OK)
            break;
        printf("%-24s %3d cases, %4d gradient checks %8.1e %8.1e, %5d programs %8.1e\n", op->name,
               report.cases, report.gradients, report.gradient_error, report.second_error,
               report.programs, report.float_error);
    }
    weft_context_destroy(context);
}

Test(ops, have_names_of_their_own)
{
    int count = 0;
    for (int i = 0; weft_builtin_op(i); i++, count++)
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(weft_builtin_op(i)->name, weft_builtin_op(j)->name);
    cr_expect_geq(count, 50);
    cr_expect_null(weft_builtin_op(count));
    cr_expect_null(weft_builtin_op(-1));
}

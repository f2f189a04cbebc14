/* Comparisons, as numbers 1 and 0, and the choice by one. */
#include "ops/map.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

weft_value weft_equal(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_equal_op, WEFT_MAP_EQUAL, x, y);
}

weft_value weft_not_equal(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_not_equal_op, WEFT_MAP_NOT_EQUAL, x, y);
}

weft_value weft_less(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_less_op, WEFT_MAP_LESS, x, y);
}

weft_value weft_less_equal(weft_value x, weft_value y)
{
    return weft_map_apply_two(&weft_less_equal_op, WEFT_MAP_LESS_EQUAL, x, y);
}

weft_value weft_greater(weft_value x, weft_value y)
{
    return weft_less(y, x);
}

weft_value weft_greater_equal(weft_value x, weft_value y)
{
    return weft_less_equal(y, x);
}

/* x against its own maxima, which some elements equal and none exceeds; and against the larger of it and its
 * mean, which is moved away from what elements may be, so that all precisions say the same. */
static bool sample(weft_sampler *sampler, int index, weft_value (*build)(weft_value, weft_value))
{
    if (index >= 3)
        return false;
    weft_value x =
        weft_sampler_input(sampler, weft_sample_shape(sampler, 3, 2, 6), WEFT_SAMPLE_DISTINCT);
    weft_reduce_options along = {.axes = {index}, .axis_count = 1, .keep_dims = true};
    const double off_grid = 0.007;
    weft_value y = index < 2 ? weft_max(x, &along)
                             : weft_maximum(x, weft_offset(weft_mean(x, &along), off_grid));
    weft_sampler_output(sampler, build(x, y));
    return true;
}

#define COMPARISON(title)                                                                          \
    .name = #title, .family = WEFT_FAMILY_ARITHMETIC, WEFT_MAP_OP_FLAGS(2, WEFT_OP_NO_GRADIENT),   \
    .infer = weft_map_infer_broadcast, .sample = title##_sample,                                   \
    .shapes = "x, y -> x y broadcast", .source = "definition"

#define COMPARISON_SAMPLE(title)                                                                   \
    static bool title##_sample(weft_sampler *sampler, int index)                                   \
    {                                                                                              \
        return sample(sampler, index, weft_##title);                                               \
    }

COMPARISON_SAMPLE(equal)
COMPARISON_SAMPLE(not_equal)
COMPARISON_SAMPLE(less)
COMPARISON_SAMPLE(less_equal)

const weft_op weft_equal_op = {COMPARISON(equal), .summary = "1 where x = y, else 0"};
const weft_op weft_not_equal_op = {COMPARISON(not_equal),
                                   .summary = "1 where x and y differ, else 0"};
const weft_op weft_less_op = {COMPARISON(less), .summary = "1 where x < y, else 0"};
const weft_op weft_less_equal_op = {COMPARISON(less_equal), .summary = "1 where x <= y, else 0"};

/* ---- The choice ---- */

enum { CHOICE, X, Y };

weft_value weft_select(weft_value choice, weft_value x, weft_value y)
{
    return weft_map_apply(&weft_select_op, WEFT_MAP_SELECT, 0, 0, NULL,
                          (weft_value[]){choice, x, y});
}

static void select_gradient(weft_gradient_call *call)
{
    weft_value dy = call->output_gradient[0], choice = call->input[CHOICE];
    weft_value zero = weft_scalar(call->graph, 0);
    if (call->wanted[X])
        call->input_gradient[X] = weft_sum_like(weft_select(choice, dy, zero), call->input[X]);
    if (call->wanted[Y])
        call->input_gradient[Y] = weft_sum_like(weft_select(choice, zero, dy), call->input[Y]);
}

static int select_identity(const weft_bind *bind)
{
    const weft_tensor *choice = &bind->input[CHOICE];
    return weft_tensor_is(choice, 0) ? Y : weft_tensor_is(choice, 1) ? X : -1;
}

/* Operands of one shape, and each of them broadcast. */
static bool select_sample(weft_sampler *sampler, int index)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), h = weft_sampler_integer(sampler, 2, 5);
    int64_t c = weft_sampler_integer(sampler, 2, 19);
    const weft_shape shapes[][3] = {
        {{3, {n, h, c}}, {3, {n, h, c}}, {3, {n, h, c}}},
        {{3, {n, h, 1}}, {1, {c}}, {3, {n, h, c}}},
        {{1, {c}}, {3, {n, 1, c}}, {0}},
        {{3, {n, h, c}}, {0}, {2, {h, 1}}},
    };
    if (index >= (int)(sizeof(shapes) / sizeof(shapes[0])))
        return false;
    weft_value choice = weft_sampler_input(sampler, shapes[index][CHOICE], WEFT_SAMPLE_NORMAL);
    weft_value x = weft_sampler_input(sampler, shapes[index][X], WEFT_SAMPLE_NORMAL);
    weft_value y = weft_sampler_input(sampler, shapes[index][Y], WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler,
                        weft_select(weft_less(choice, weft_scalar(choice.graph, 0)), x, y));
    return true;
}

const weft_op weft_select_op = {
    .name = "select",
    .family = WEFT_FAMILY_ARITHMETIC,
    WEFT_MAP_OP(3),
    .infer = weft_map_infer_broadcast,
    .gradient = select_gradient,
    .identity = select_identity,
    .sample = select_sample,
    .summary = "x where the choice is not 0, else y; the choice has no gradient",
    .shapes = "choice, x, y -> choice x y broadcast",
    .source = "NumPy's where",
};

/* Random graphs with fan-out, views, concats, chains that run in place and several outputs, checked
 * like an op's samples: gradients of both orders, and equal bits however the program is planned. The
 * variable WEFT_TEST_CASES in the environment asks for more of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

enum { MOST_VALUES = 64 };

/* Values to draw operands from. */
typedef struct pool {
    weft_sampler *sampler;
    weft_value value[MOST_VALUES];
    bool used[MOST_VALUES];
    int count;
} pool;

static int64_t draw(pool *p, int64_t low, int64_t high)
{
    return weft_sampler_integer(p->sampler, low, high);
}

static weft_value pick(pool *p)
{
    /* Recent values more often: chains grow long. */
    int64_t at = draw(p, 0, 2) ? draw(p, p->count > 4 ? p->count - 4 : 0, p->count - 1)
                               : draw(p, 0, p->count - 1);
    p->used[at] = true;
    return p->value[at];
}

/* Another value of the same shape, or the same one. */
static weft_value pick_like(pool *p, weft_value x)
{
    for (int tries = 0; tries < 8; tries++) {
        int64_t at = draw(p, 0, p->count - 1);
        if (!weft_shape_equal(weft_shape_get(p->value[at]), weft_shape_get(x)))
            continue;
        p->used[at] = true;
        return p->value[at];
    }
    return x;
}

static void add(pool *p, weft_value x)
{
    if (p->count < MOST_VALUES)
        p->value[p->count++] = x;
}

/* ---- What a graph grows by ---- */

static void grow_unary(pool *p)
{
    weft_value x = pick(p);
    switch (draw(p, 0, 5)) {
    case 0:
        add(p, weft_tanh(x));
        return;
    case 1:
        add(p, weft_sigmoid(x));
        return;
    case 2:
        add(p, weft_scale(x, -0.75));
        return;
    case 3:
        add(p, weft_negate(x));
        return;
    case 4:
        add(p, weft_square(weft_scale(x, 0.5)));
        return;
    default:
        add(p, weft_swish(x));
    }
}

static void grow_binary(pool *p)
{
    weft_value x = pick(p), y = pick_like(p, x);
    switch (draw(p, 0, 2)) {
    case 0:
        add(p, weft_add(x, y));
        return;
    case 1:
        add(p, weft_multiply(x, weft_tanh(y)));
        return;
    default: /* of two different things: a difference that cancels to 0 has no relative error */
        add(p, weft_subtract(y, weft_scale(x, 0.37)));
    }
}

/* A chain in which each value is read once. */
static void grow_chain(pool *p)
{
    weft_value x = pick(p);
    for (int64_t i = draw(p, 2, 5); i > 0; i--)
        x = i % 2 ? weft_tanh(x) : weft_offset(weft_scale(x, 0.9), 0.1);
    add(p, x);
}

static void grow_channel_parts(pool *p)
{
    weft_value x = pick(p), parts[2];
    int64_t channels = weft_channels(x);
    if (channels < 2) {
        add(p, weft_concat_channels(x, weft_tanh(x)));
        return;
    }
    int64_t sizes[2] = {draw(p, 1, channels - 1)};
    sizes[1] = channels - sizes[0];
    weft_split(x, -1, sizes, 2, parts);
    add(p, weft_tanh(parts[0]));
    add(p, parts[1]);
}

static void grow_concat(pool *p)
{
    weft_value x = pick(p), y = pick_like(p, x);
    if (weft_channels(x) > 40)
        return;
    switch (draw(p, 0, 2)) {
    case 0: /* both can be produced in place */
        add(p, weft_concat_channels(weft_tanh(x), weft_scale(y, 2)));
        return;
    case 1: /* of a concat, as in a dense block */
        add(p, weft_concat_channels(weft_concat_channels(weft_tanh(x), weft_negate(y)), x));
        return;
    default: /* the same value twice */
        add(p, weft_concat_channels(x, x));
    }
}

static void grow_view(pool *p)
{
    weft_value x = pick(p);
    weft_shape shape = weft_shape_get(x);
    if (shape.rank != 4) {
        add(p, weft_square(x));
        return;
    }
    switch (draw(p, 0, 3)) {
    case 0: {
        weft_value flat = weft_flatten(x, 1);
        add(p, weft_reshape(weft_tanh(flat), shape.extent[0], shape.extent[1], shape.extent[2],
                            shape.extent[3]));
        return;
    }
    case 1: /* drops a row, where there are two */
        add(p, weft_slice(x, .begin = {0, shape.extent[1] > 1}));
        return;
    case 2:
        add(p, weft_transpose(x, 0, 2, 1, 3));
        return;
    default:
        add(p, weft_pad(x, .before = {0, 1, 0, 0}, .after = {0, 0, 1, 0}));
    }
}

static void grow_broadcast(pool *p)
{
    weft_value x = pick(p);
    weft_value bias = weft_variable(weft_sampler_graph(p->sampler), .name = "bias",
                                    .shape = weft_shape_of(weft_channels(x)),
                                    .initializer = {.kind = WEFT_INIT_NORMAL, .b = 1});
    add(p, draw(p, 0, 1) ? weft_add(x, bias) : weft_multiply(x, bias));
}

/* Nodes that differ in their attributes alone, and two that do not differ at all. */
static void grow_twins(pool *p)
{
    weft_value x = pick(p);
    weft_value unlike = weft_subtract(weft_scale(x, 0.5), weft_scale(x, 0.75));
    add(p, weft_add(unlike, weft_multiply(weft_tanh(x), weft_tanh(x))));
}

static void grow_statistics(pool *p)
{
    weft_value x = pick(p);
    if (weft_channels(x) == 1) /* zero, whatever x is */
        return;
    weft_value centered =
        weft_subtract(x, weft_mean(x, .axes = {-1}, .axis_count = 1, .keep_dims = true));
    add(p, centered);
}

static void (*const growth[])(pool *p) = {
    grow_unary, grow_binary,    grow_chain, grow_channel_parts, grow_concat,
    grow_view,  grow_broadcast, grow_twins, grow_statistics,
};

/* Outputs: whatever nothing reads, and some values in the middle. */
static bool sample_dag(weft_sampler *sampler, int index)
{
    if (index > 0)
        return false;
    pool p = {.sampler = sampler};
    weft_shape shape =
        weft_shape_of(draw(&p, 1, 3), draw(&p, 1, 3), draw(&p, 1, 4), draw(&p, 1, 9));
    for (int64_t i = draw(&p, 1, 3); i > 0; i--)
        add(&p, weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL));
    int kinds = (int)(sizeof(growth) / sizeof(growth[0]));
    for (int64_t i = draw(&p, 3, 24); i > 0; i--)
        growth[draw(&p, 0, kinds - 1)](&p);
    bool any = false;
    for (int i = 0; i < p.count; i++)
        if (!p.used[i] || draw(&p, 0, 7) == 0 || (i == p.count - 1 && !any)) {
            weft_sampler_output(sampler, p.value[i]);
            any = true;
        }
    return true;
}

static const weft_op dag = {.name = "random_dag", .sample = sample_dag};

static int cases(void)
{
    const char *text = getenv("WEFT_TEST_CASES");
    int count = text ? atoi(text) : 1;
    return 20 * (count > 0 ? count : 1);
}

Test(random_dag, holds)
{
    weft_context *context = weft_context_create(NULL);
    weft_check_op_report worst = {0};
    for (int i = 0; i < cases(); i++) {
        weft_error error = {0};
        weft_check_op_report report;
        weft_check_op_options options = {
            .seed = (uint64_t)i, .float_tolerance = 1e-4, .gradient_tolerance = 1e-6};
        weft_status status = weft_check_op(context, &dag, &options, &report, &error);
        cr_expect_eq(status, WEFT_OK, "%s", error.message);
        worst.programs += report.programs;
        worst.gradient_error += report.gradient_error / cases();
        worst.float_error += report.float_error / cases();
    }
    printf("%d programs, mean errors: gradients %.1e, float32 %.1e\n", worst.programs,
           worst.gradient_error, worst.float_error);
    weft_context_destroy(context);
}

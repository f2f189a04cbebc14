/* Chains of convolutions in strips against the same convolutions one after the other, bit by bit: random attributes
 * with odd tails, strided operands, every instruction set of this machine, any number of threads. */
#include "kernels/convolution_strips.h"

#include "kernels/cpu.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS = WEFT_STRIPS_LINKS, GUARD = 64, THREADS = 3 };

static const float untouched = -12345.5f;

static uint64_t seed;

static int64_t between(int64_t low, int64_t high)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)(seed >> 33) % (high - low + 1);
}

/* Numbers between guard zones. */
typedef struct block {
    int64_t floats;
    float *memory, *data;
} block;

static block make_block(int64_t floats, bool values)
{
    block b = {floats, aligned_alloc(64, (size_t)(floats + 2 * GUARD + 15) / 16 * 64), NULL};
    b.data = b.memory + GUARD;
    for (int64_t i = 0; i < floats + 2 * GUARD; i++)
        b.memory[i] = values && i >= GUARD && i < floats + GUARD
                          ? (float)between(-1000, 1000) / 1000
                          : untouched;
    return b;
}

static void expect_guards(const block *b, const char *what)
{
    for (int i = 0; i < GUARD; i++)
        cr_assert(b->memory[i] == untouched && b->memory[GUARD + b->floats + i] == untouched,
                  "wrote outside of %s", what);
}

/* Operands: x, y, then those of each link, then workspace and what is prepared. */
enum { INPUT, OUTPUT, FIRST, EACH = 6, WORKSPACE = FIRST + LINKS * EACH, PREPARED, OPERANDS };
enum { FILTER, BIAS, CENTER, SLOPE, SHIFT, ADDEND };

typedef struct chain {
    weft_strips_problem problem;
    block operand[OPERANDS];
} chain;

static void stride_of(const int64_t extent[3], int64_t channels, bool strided, int64_t stride[4])
{
    stride[3] = channels + (strided ? between(0, 9) : 0);
    stride[2] = stride[3] * (extent[2] + (strided ? between(0, 2) : 0));
    stride[1] = stride[2] * extent[1];
    stride[0] = stride[1] + (strided ? between(0, 30) : 0);
}

/* Height or width. */
static void draw_dimension(weft_convolution_problem *p, int d, bool simple)
{
    p->kernel[d] = simple ? 1 : between(1, 5);
    p->stride[d] = simple ? 1 : between(1, 3);
    p->dilation[d] = p->kernel[d] > 1 && !between(0, 3) ? 2 : 1;
    int64_t span = (p->kernel[d] - 1) * p->dilation[d] + 1;
    if (span > p->in[d])
        p->kernel[d] = span = p->dilation[d] = 1;
    p->pad[d] = between(0, span / 2);
    int64_t high = between(0, span / 2); /* at the other end */
    p->out[d] = (p->in[d] + p->pad[d] + high - span) / p->stride[d] + 1;
}

static weft_convolution_problem draw_link(int64_t batch, const int64_t in[3], int64_t channels,
                                          bool depthwise)
{
    weft_convolution_problem p = {.batch = batch,
                                  .in_channels = channels,
                                  .groups = depthwise ? channels : 1,
                                  .out_channels = depthwise ? channels : between(1, 70),
                                  .kernel = {1, 1, 1},
                                  .stride = {1, 1, 1},
                                  .dilation = {1, 1, 1},
                                  .out = {1, 1, 1},
                                  .flip_filter = between(0, 1),
                                  .bias = between(0, 1),
                                  .exact_products = true,
                                  .steady_filter = true};
    memcpy(p.in, in, sizeof p.in);
    bool simple = !depthwise && between(0, 2);
    draw_dimension(&p, 1, simple);
    draw_dimension(&p, 2, simple);
    return p;
}

static int draw_operand(chain *c, int link, int which, int64_t floats, bool there)
{
    int slot = FIRST + link * EACH + which;
    if (there)
        c->operand[slot] = make_block(floats, true);
    return there ? slot : -1;
}

static void draw_finish(chain *c, int i, int64_t channels)
{
    static const float ceilings[] = {0, 0.8f, INFINITY};
    weft_strips_part *part = &c->problem.part[i];
    bool normalized = between(0, 2);
    part->center = draw_operand(c, i, CENTER, channels, normalized);
    part->slope = draw_operand(c, i, SLOPE, channels, normalized);
    part->shift = draw_operand(c, i, SHIFT, channels, normalized);
    part->ceiling = ceilings[between(0, 2)];
}

static chain draw_chain(int links, int64_t batch, int64_t height, int64_t width, int64_t channels)
{
    chain c = {.problem = {.links = links,
                           .input = INPUT,
                           .output = OUTPUT,
                           .workspace = WORKSPACE,
                           .prepared = PREPARED}};
    int64_t in[3] = {1, height, width}, columns = between(0, links - 1);
    for (int i = 0; i < links; i++) {
        weft_strips_part *part = &c.problem.part[i];
        weft_convolution_problem *p = &part->problem;
        *p = draw_link(batch, in, channels, i == columns);
        bool last = i + 1 == links;
        stride_of(p->in, channels, i == 0 && between(0, 1), p->x_stride);
        stride_of(p->out, p->out_channels, last && between(0, 1), p->y_stride);
        int64_t filter = p->kernel[1] * p->kernel[2] * channels / p->groups * p->out_channels;
        int64_t result = batch * p->y_stride[0];
        part->filter = draw_operand(&c, i, FILTER, filter, true);
        part->bias = draw_operand(&c, i, BIAS, p->out_channels, p->bias);
        part->addend = draw_operand(&c, i, ADDEND, result, last && between(0, 1));
        draw_finish(&c, i, p->out_channels);
        if (i == 0)
            c.operand[INPUT] = make_block(batch * p->x_stride[0], true);
        if (last)
            c.operand[OUTPUT] = make_block(result, false);
        memcpy(in, p->out, sizeof in);
        channels = p->out_channels;
    }
    return c;
}

static void free_chain(chain *c)
{
    for (int i = 0; i < OPERANDS; i++)
        free(c->operand[i].memory);
}

static void describe(const chain *c, char *text, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < c->problem.links && at < size; i++) {
        const weft_convolution_problem *p = &c->problem.part[i].problem;
        at += (size_t)snprintf(text + at, size - at,
                               "n %d g %d ci %d co %d in %dx%d out %dx%d k %dx%d s %dx%d d %dx%d "
                               "p %dx%d; ",
                               (int)p->batch, (int)p->groups, (int)p->in_channels,
                               (int)p->out_channels, (int)p->in[1], (int)p->in[2], (int)p->out[1],
                               (int)p->out[2], (int)p->kernel[1], (int)p->kernel[2],
                               (int)p->stride[1], (int)p->stride[2], (int)p->dilation[1],
                               (int)p->dilation[2], (int)p->pad[1], (int)p->pad[2]);
    }
}

/* Each link on its own; the caller frees. */
static block run_apart(const chain *c)
{
    block from = c->operand[INPUT];
    for (int i = 0; i < c->problem.links; i++) {
        const weft_strips_part *part = &c->problem.part[i];
        weft_convolution_problem p = part->problem;
        enum { IN, W, B, TO, WORK, PACKED, FINISH };
        weft_epilogue epilogue = {.channels = p.out_channels,
                                  .finish = {.center = part->center < 0 ? 0 : FINISH,
                                             .slope = part->slope < 0 ? 0 : FINISH + 1,
                                             .shift = part->shift < 0 ? 0 : FINISH + 2,
                                             .addend = part->addend < 0 ? 0 : FINISH + 3,
                                             .ceiling = part->ceiling}};
        p.epilogue = &epilogue;
        weft_slots slots = {
            .input = {IN, W, B}, .output = TO, .workspace = WORK, .prepared = PACKED};
        weft_kernel_plan plan;
        weft_convolution_plan(&p, WEFT_CONVOLUTION_FORWARD, &slots, &plan);
        block to = make_block(p.batch * p.y_stride[0], false);
        block work = make_block((int64_t)(plan.workspace / 4 + 1), false);
        block packed = make_block((int64_t)(plan.prepared / 4 + 1), false);
        void *operand[FINISH + 4] = {from.data, c->operand[part->filter].data};
        const int slot[] = {part->center, part->slope, part->shift, part->addend};
        operand[B] = part->bias < 0 ? NULL : c->operand[part->bias].data;
        operand[TO] = to.data;
        operand[WORK] = work.data;
        operand[PACKED] = packed.data;
        for (int k = 0; k < 4; k++)
            operand[FINISH + k] = slot[k] < 0 ? NULL : c->operand[slot[k]].data;
        const weft_call call = {.args = plan.args, .operand = operand};
        for (int phase = 0; phase < plan.phases; phase++)
            for (int64_t piece = 0; piece < plan.phase[phase].pieces; piece++)
                plan.phase[phase].run(&call, piece);
        if (i > 0)
            free(from.memory);
        free(work.memory);
        free(packed.memory);
        from = to;
    }
    return from;
}

/* Pieces from the last one to the first, by any thread each. */
static void run_strips(const weft_kernel_plan *plan, const weft_strips *strips, const chain *c,
                       int threads)
{
    void *operand[OPERANDS];
    for (int i = 0; i < OPERANDS; i++)
        operand[i] = c->operand[i].data;
    for (int phase = 0; phase < plan->phases; phase++)
        for (int64_t piece = plan->phase[phase].pieces - 1; piece >= 0; piece--) {
            const weft_call call = {
                .args = strips, .operand = operand, .thread = (int)between(0, threads - 1)};
            plan->phase[phase].run(&call, piece);
        }
}

typedef struct tally {
    int chains, cut, overlapping;
} tally;

static void check_chain(chain *c, int threads, tally *t)
{
    static weft_strips strips;
    weft_kernel_plan plan;
    char text[500];
    describe(c, text, sizeof text);
    if (weft_strips_plan(&c->problem, threads, &strips, &plan) <= 0)
        return;
    t->chains++;
    t->cut += strips.strips > 1;
    t->overlapping += strips.strips > 1 && strips.link[c->problem.links - 1].height.kernel >
                                               strips.link[c->problem.links - 1].height.stride;
    c->operand[WORKSPACE] = make_block((int64_t)(plan.workspace / 4), false);
    c->operand[PREPARED] = make_block((int64_t)(plan.prepared / 4), false);
    memset(c->operand[WORKSPACE].data, 0xff, plan.workspace); /* NaN */
    memset(c->operand[PREPARED].data, 0xff, plan.prepared);
    block want = run_apart(c), *got = &c->operand[OUTPUT];
    run_strips(&plan, &strips, c, threads);
    cr_assert_eq(want.floats, got->floats);
    for (int64_t i = 0; i < want.floats; i++)
        cr_assert(memcmp(&want.data[i], &got->data[i], sizeof(float)) == 0,
                  "%d threads, %d strips: element %d of %d is %.9g, not %.9g: %s", threads,
                  (int)strips.strips, (int)i, (int)want.floats, got->data[i], want.data[i], text);
    expect_guards(got, "the result");
    expect_guards(&c->operand[WORKSPACE], "the workspace");
    expect_guards(&c->operand[PREPARED], "what is prepared");
    free(want.memory);
}

static void check_random(uint64_t first, int cases)
{
    tally count = {0};
    for (int i = 0; i < cases; i++) {
        seed = first + (uint64_t)i;
        for (int k = 0; k < 5; k++)
            between(0, 1);
        chain c = draw_chain((int)between(2, LINKS), between(1, 3), between(1, 30), between(1, 30),
                             between(1, 90));
        check_chain(&c, i % THREADS + 1, &count);
        free_chain(&c);
    }
    cr_expect_gt(count.chains, cases / 3, "%d of %d", count.chains, cases);
    cr_expect_gt(count.cut, cases / 20, "%d of %d in several strips", count.cut, cases);
    cr_expect_gt(count.overlapping, 0, "rows that two strips read");
}

/* A test runs in a process of its own, so the variable is read when it is set already. */
static void use(const char *instruction_set)
{
    setenv("WEFT_ISA", instruction_set, 1);
}

Test(strips, random_chains_baseline)
{
    use("baseline");
    check_random(1000, 200);
}

Test(strips, random_chains_avx2)
{
    use("avx2");
    check_random(2000, 200);
}

Test(strips, random_chains_best)
{
    check_random(3000, 400);
}

/* ---- What is no chain ---- */

/* An inverted residual block: to `wide` channels, depthwise, and back. */
static chain residual_block(int64_t size, int64_t channels, int64_t wide)
{
    chain c = {.problem = {.links = 3,
                           .input = INPUT,
                           .output = OUTPUT,
                           .workspace = WORKSPACE,
                           .prepared = PREPARED}};
    const int64_t channel[] = {channels, wide, wide, channels};
    for (int i = 0; i < 3; i++) {
        weft_strips_part *part = &c.problem.part[i];
        int64_t taps = i == 1 ? 3 : 1;
        part->problem = (weft_convolution_problem){.batch = 2,
                                                   .groups = i == 1 ? wide : 1,
                                                   .in_channels = channel[i],
                                                   .out_channels = channel[i + 1],
                                                   .in = {1, size, size},
                                                   .out = {1, size, size},
                                                   .kernel = {1, taps, taps},
                                                   .stride = {1, 1, 1},
                                                   .dilation = {1, 1, 1},
                                                   .pad = {0, taps / 2, taps / 2},
                                                   .steady_filter = true};
        weft_convolution_dense(part->problem.in, channel[i], part->problem.x_stride);
        weft_convolution_dense(part->problem.out, channel[i + 1], part->problem.y_stride);
        part->filter = FIRST + i * EACH;
        part->bias = part->center = part->slope = part->shift = part->addend = -1;
    }
    return c;
}

/* What pays depends on the cache; these tests have one. */
static void use_cache(void)
{
    setenv("WEFT_L2", "2097152", 1);
}

static double gain(const chain *c)
{
    weft_strips strips;
    weft_kernel_plan plan;
    return weft_strips_plan(&c->problem, 2, &strips, &plan);
}

Test(strips, a_buffer_for_each_thread_or_piece_and_no_more)
{
    use_cache();
    chain c = residual_block(56, 24, 144);
    weft_strips strips;
    weft_kernel_plan one, three, many;
    cr_assert_gt(weft_strips_plan(&c.problem, 1, &strips, &one), 0);
    cr_expect_gt(strips.strips, 1);
    cr_expect_eq(one.workspace, (size_t)strips.buffer * sizeof(float));
    cr_expect_leq(one.workspace, (size_t)weft_cpu_l2() / 2);
    weft_strips_plan(&c.problem, 3, &strips, &three);
    cr_expect_eq(three.workspace, 3 * one.workspace);
    int64_t pieces = three.phase[three.phases - 1].pieces;
    cr_expect_eq(pieces, 2 * strips.strips);
    weft_strips_plan(&c.problem, 1000, &strips, &many);
    cr_expect_eq(many.workspace, (size_t)pieces * one.workspace);
    cr_expect_eq(many.phase[many.phases - 1].pieces, pieces, "as for any number of threads");
}

Test(strips, what_is_no_chain)
{
    use_cache();
    chain c = residual_block(56, 24, 144);
    cr_assert_gt(gain(&c), 0);
    c.problem.part[1].problem.groups = 1;
    cr_expect_eq(gain(&c), 0, "Winograd, or nothing depthwise");
    c.problem.part[1].problem.exact_products = true;
    cr_expect_eq(gain(&c), 0, "nothing depthwise");
    c = residual_block(56, 24, 144);
    for (int i = 0; i < 3; i++)
        c.problem.part[i].problem.in[0] = c.problem.part[i].problem.out[0] = 2;
    cr_expect_eq(gain(&c), 0, "three dimensions");
    c = residual_block(3, 24, 144);
    c.problem.part[1].problem.pad[1] = 3;
    cr_expect_eq(gain(&c), 0, "a row that sees only padding");
    c = residual_block(2, 24, 144);
    c.problem.part[0].problem.steady_filter = false;
    cr_expect_eq(gain(&c), 0, "a filter that every strip would pack");
    c = residual_block(400, 24, 2000);
    cr_expect_eq(gain(&c), 0, "rows that do not fit into the cache");
}

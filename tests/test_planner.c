/* Where the memory planner puts intervals of a program's life. Sizes are in units of 64 bytes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/pack.h"
#include "kernels/philox.h"
#include "support/allocator.h"

static test_allocator allocator;
static weft_context *context;

static void begin(void)
{
    allocator = (test_allocator){0};
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
}

static void end(void)
{
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(planner, .init = begin, .fini = end);

enum { UNIT = 64 };

static weft_interval life(int first, int last, int64_t units)
{
    return (weft_interval){.first = first, .last = last, .bytes = units * UNIT, .offset = -1};
}

static bool overlap(const weft_interval *a, const weft_interval *b)
{
    bool in_time = a->first <= b->last && b->first <= a->last;
    return in_time && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The bound, step by step, by another way than the planner's. */
static int64_t bound_of(const weft_interval *x, int count)
{
    int64_t bound = 0;
    for (int i = 0; i < count; i++) {
        int64_t live = 0;
        for (int j = 0; j < count; j++)
            if (x[j].first <= x[i].first && x[i].first <= x[j].last)
                live += (x[j].bytes + UNIT - 1) / UNIT * UNIT;
        bound = live > bound ? live : bound;
    }
    return bound;
}

/* Packs, and checks what every packing must hold. */
static weft_packing pack(weft_interval *x, int count)
{
    weft_packing packing;
    cr_assert(weft_pack(context, x, count, false, &packing));
    for (int i = 0; i < count; i++) {
        cr_expect_geq(x[i].offset, 0);
        cr_expect_eq(x[i].offset % UNIT, 0);
        cr_expect_leq(x[i].offset + x[i].bytes, packing.bytes, "interval %d ends in the arena", i);
        for (int j = 0; j < i; j++)
            cr_expect_not(overlap(&x[i], &x[j]), "%d and %d share bytes while both live", i, j);
    }
    cr_expect_eq(packing.bound, bound_of(x, count));
    cr_expect_geq(packing.bytes, packing.bound);
    return packing;
}

static void expect_units(weft_interval *x, int count, int64_t units)
{
    weft_packing packing = pack(x, count);
    cr_expect_eq(packing.bytes, units * UNIT, "%lld units, not %lld",
                 (long long)(packing.bytes / UNIT), (long long)units);
}

#define COUNT(x) ((int)(sizeof(x) / sizeof((x)[0])))

Test(planner, nothing_needs_nothing)
{
    expect_units(NULL, 0, 0);
}

Test(planner, one_value_lies_at_the_start)
{
    weft_interval x[] = {life(3, 9, 5)};
    expect_units(x, 1, 5);
    cr_expect_eq(x[0].offset, 0);
}

Test(planner, sizes_are_rounded_up_to_lines)
{
    weft_interval x[] = {{.first = 0, .last = 1, .bytes = 1}, {.first = 1, .last = 2, .bytes = 65}};
    expect_units(x, COUNT(x), 3);
}

Test(planner, lives_apart_share_bytes)
{
    weft_interval x[] = {life(0, 1, 4), life(2, 3, 4), life(4, 5, 3)};
    expect_units(x, COUNT(x), 4);
}

Test(planner, a_value_read_in_the_step_that_writes_another_does_not_share)
{
    weft_interval x[] = {life(0, 1, 4), life(1, 2, 4)};
    expect_units(x, COUNT(x), 8);
}

Test(planner, chain_needs_two_neighbours)
{
    weft_interval x[20];
    for (int i = 0; i < 20; i++)
        x[i] = life(i, i + 1, 7);
    expect_units(x, 20, 14);
}

Test(planner, chain_of_changing_sizes_reaches_the_bound)
{
    weft_interval x[] = {life(0, 1, 8), life(1, 2, 4), life(2, 3, 16), life(3, 4, 2),
                         life(4, 5, 10)};
    expect_units(x, COUNT(x), 20);
}

Test(planner, skip_connection_stays_while_the_branch_runs)
{
    weft_interval x[] = {life(0, 5, 6), life(1, 2, 6), life(2, 3, 6), life(3, 4, 6), life(4, 5, 6)};
    expect_units(x, COUNT(x), 18);
}

Test(planner, small_values_fill_the_hole_of_a_large_one)
{
    weft_interval x[] = {life(0, 1, 10), life(0, 9, 1), life(2, 9, 3), life(2, 9, 3),
                         life(2, 9, 4)};
    expect_units(x, COUNT(x), 11);
}

Test(planner, nested_lives_stack_up)
{
    weft_interval x[10];
    for (int i = 0; i < 10; i++)
        x[i] = life(i, 20 - i, 3);
    expect_units(x, 10, 30);
}

Test(planner, forward_and_backward_mirror)
{
    /* Activations live until their layer's backward step; gradients form a chain. */
    weft_interval x[24];
    for (int i = 0; i < 12; i++)
        x[i] = life(i, 24 - i, 2 + i % 3);
    for (int i = 0; i < 12; i++)
        x[12 + i] = life(12 + i, 13 + i, 2 + i % 3);
    weft_packing packing = pack(x, 24);
    cr_expect_eq(packing.bytes, packing.bound);
}

Test(planner, placing_by_size_alone_is_not_enough)
{
    /* The two long lives must lie side by side for the large ones before and after to fit. */
    weft_interval x[] = {life(0, 2, 5), life(0, 6, 2), life(2, 6, 3), life(4, 8, 5), life(7, 9, 5)};
    weft_packing packing = pack(x, COUNT(x));
    cr_expect_eq(packing.bytes, packing.bound);
}

Test(planner, sizes_beyond_32_bits)
{
    weft_interval x[] = {life(0, 1, 1LL << 36), life(1, 2, 1LL << 36), life(2, 3, 1LL << 36)};
    expect_units(x, COUNT(x), 2LL << 36);
}

Test(planner, apart_means_no_byte_twice)
{
    weft_interval x[] = {life(0, 1, 4), life(2, 3, 4), life(4, 5, 3)};
    weft_packing packing;
    cr_assert(weft_pack(context, x, COUNT(x), true, &packing));
    cr_expect_eq(packing.bytes, 11 * UNIT);
    cr_expect_eq(packing.bound, 4 * UNIT);
    for (int i = 0; i < COUNT(x); i++)
        for (int j = 0; j < i; j++)
            cr_expect(x[i].offset >= x[j].offset + x[j].bytes ||
                      x[j].offset >= x[i].offset + x[i].bytes);
}

static int draw(uint64_t seed, int index, int below)
{
    return (int)(weft_philox(seed, (uint64_t)index, 0).word[0] % (uint32_t)below);
}

/* In every third draw some are so large that the others are placed after them, into what is left. */
static int draw_lives(uint64_t seed, weft_interval *x)
{
    int count = 2 + draw(seed, 0, 60), steps = 2 + draw(seed, 1, 40);
    for (int i = 0; i < count; i++) {
        int first = draw(seed, 4 * i + 2, steps);
        int length = draw(seed, 4 * i + 3, draw(seed, 4 * i + 4, 3) ? 4 : steps);
        x[i] = life(first, first + length, 1);
        x[i].bytes = 1 + draw(seed, 4 * i + 5, 40 * UNIT);
        if (seed % 3 == 0 && i % 4 == 0)
            x[i].bytes *= 3000;
    }
    return count;
}

Test(planner, random_lives_hold_and_repeat)
{
    weft_interval x[64], again[64];
    double worst = 0, sum = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int count = draw_lives(seed, x);
        weft_packing packing = pack(x, count);
        double ratio = (double)packing.bytes / (double)packing.bound;
        worst = ratio > worst ? ratio : worst;
        sum += ratio;
        draw_lives(seed, again);
        pack(again, count);
        for (int i = 0; i < count; i++)
            cr_expect_eq(x[i].offset, again[i].offset, "the same plan each time");
    }
    printf("of the bound: %.4f on average, %.4f at worst\n", sum / 200, worst);
    cr_expect_leq(sum / 200, 1.005);
    cr_expect_leq(worst, 1.05);
}

Test(planner, short_of_memory)
{
    int64_t requests = 0;
    for (int64_t n = 1;; n++) {
        weft_interval x[] = {life(0, 1, 4), life(1, 2, 4), life(2, 3, 4)};
        weft_packing packing;
        allocator.fail_at = allocator.requests + n;
        bool good = weft_pack(context, x, COUNT(x), false, &packing);
        if (allocator.requests < allocator.fail_at) {
            cr_expect(good);
            break;
        }
        cr_expect_not(good);
        requests++;
    }
    cr_expect_gt(requests, 0);
}

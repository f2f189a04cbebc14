/* Learning rates over the steps of a training. */
#include <criterion/criterion.h>
#include <math.h>

#include "weft/schedule.h"

static void expect_rates(const weft_schedule *schedule, const int64_t *step, const double *rate,
                         int count)
{
    for (int i = 0; i < count; i++) {
        double got = weft_schedule_at(schedule, step[i]);
        cr_expect_float_eq(got, rate[i], 1e-12, "step %lld: %g, not %g", (long long)step[i], got,
                           rate[i]);
    }
}

Test(schedule, constant)
{
    weft_schedule schedule = {.rate = 0.3};
    expect_rates(&schedule, (int64_t[]){0, 1, 1000000}, (double[]){0.3, 0.3, 0.3}, 3);
}

Test(schedule, steps_at_milestones)
{
    weft_schedule schedule = {.kind = WEFT_SCHEDULE_STEPS, .rate = 0.1, .milestone = {100, 150}};
    expect_rates(&schedule, (int64_t[]){0, 99, 100, 149, 150, 1000},
                 (double[]){0.1, 0.1, 0.01, 0.01, 0.001, 0.001}, 6);
}

Test(schedule, steps_at_all_eight_milestones)
{
    weft_schedule schedule = {.kind = WEFT_SCHEDULE_STEPS,
                              .rate = 1,
                              .factor = 0.5,
                              .milestone = {1, 2, 3, 4, 5, 6, 7, 8}};
    expect_rates(&schedule, (int64_t[]){0, 7, 8, 9},
                 (double[]){1, pow(0.5, 7), pow(0.5, 8), pow(0.5, 8)}, 4);
}

Test(schedule, steps_at_intervals)
{
    weft_schedule schedule = {
        .kind = WEFT_SCHEDULE_STEPS, .rate = 1, .factor = 0.5, .every = 30, .floor = 0.2};
    expect_rates(&schedule, (int64_t[]){0, 29, 30, 59, 60, 90},
                 (double[]){1, 1, 0.5, 0.5, 0.25, 0.2}, 6);
}

Test(schedule, exponential)
{
    weft_schedule schedule = {
        .kind = WEFT_SCHEDULE_EXPONENTIAL, .rate = 2, .factor = 0.25, .every = 10};
    expect_rates(&schedule, (int64_t[]){0, 5, 10, 20}, (double[]){2, 1, 0.5, 0.125}, 4);
}

Test(schedule, cosine)
{
    weft_schedule schedule = {.kind = WEFT_SCHEDULE_COSINE, .rate = 1, .floor = 0.2, .steps = 300};
    expect_rates(&schedule, (int64_t[]){0, 100, 150, 200, 300, 400},
                 (double[]){1, 0.8, 0.6, 0.4, 0.2, 0.2}, 6);
}

Test(schedule, warmup_leads_into_each)
{
    weft_schedule cosine = {.kind = WEFT_SCHEDULE_COSINE, .rate = 1, .steps = 104, .warmup = 4};
    expect_rates(&cosine, (int64_t[]){0, 1, 2, 3, 4, 54, 104},
                 (double[]){0.25, 0.5, 0.75, 1, 1, 0.5, 0}, 7);
    weft_schedule exponential = {.kind = WEFT_SCHEDULE_EXPONENTIAL,
                                 .rate = 1,
                                 .factor = 0.5,
                                 .every = 10,
                                 .warmup = 4,
                                 .warmup_from = 0.2};
    expect_rates(&exponential, (int64_t[]){0, 1, 3, 4, 14}, (double[]){0.4, 0.6, 1, 1, 0.5}, 5);
    /* Milestones count the warm-up too; one within it takes effect at its end. */
    weft_schedule steps = {
        .kind = WEFT_SCHEDULE_STEPS, .rate = 1, .milestone = {2, 10}, .warmup = 4};
    expect_rates(&steps, (int64_t[]){3, 4, 9, 10}, (double[]){0.1, 0.1, 0.1, 0.01}, 4);
}

Test(schedule, odd_parameters_stay_finite)
{
    weft_schedule none = {.kind = WEFT_SCHEDULE_COSINE, .rate = 1, .floor = 0.5, .warmup = 10};
    expect_rates(&none, (int64_t[]){9, 10, 11}, (double[]){1, 1, 0.5}, 3);
}

/* Each cycle goes 1, (1 + cos(pi / 4)) / 2, 1/2, ... to just above the floor. */
Test(schedule, cosine_with_restarts)
{
    weft_schedule equal = {.kind = WEFT_SCHEDULE_COSINE_RESTARTS, .rate = 1, .every = 4};
    expect_rates(&equal, (int64_t[]){0, 1, 2, 4, 6, 4000000000000},
                 (double[]){1, 0.5 + sqrt(0.125), 0.5, 1, 0.5, 1}, 6);
    /* Cycles begin at 0, 4, 12, 28, at half the rate each. */
    weft_schedule growing = {.kind = WEFT_SCHEDULE_COSINE_RESTARTS,
                             .rate = 8,
                             .floor = 0.5,
                             .factor = 0.5,
                             .every = 4,
                             .growth = 2,
                             .warmup = 2};
    expect_rates(&growing, (int64_t[]){0, 1, 2, 4, 6, 10, 14, 22, 30},
                 (double[]){4, 8, 8, 4.25, 4, 2.25, 2, 1.25, 1}, 9);
    for (int cycle = 0; cycle < 20; cycle++) {
        weft_schedule many = {
            .kind = WEFT_SCHEDULE_COSINE_RESTARTS, .rate = 1, .every = 3, .growth = 3};
        int64_t begin = 3 * ((int64_t)llround(pow(3, cycle)) - 1) / 2;
        cr_expect_float_eq(weft_schedule_at(&many, begin), 1, 1e-9, "cycle %d", cycle);
    }
}

Test(schedule, inverse_time)
{
    weft_schedule schedule = {
        .kind = WEFT_SCHEDULE_INVERSE_TIME, .rate = 3, .factor = 0.5, .every = 10, .floor = 0.5};
    expect_rates(&schedule, (int64_t[]){0, 10, 15, 20, 100}, (double[]){3, 2, 3 / 1.75, 1.5, 0.5},
                 5);
    schedule.staircase = true;
    expect_rates(&schedule, (int64_t[]){9, 10, 19, 20}, (double[]){3, 2, 2, 1.5}, 4);
    weft_schedule stairs = {.kind = WEFT_SCHEDULE_EXPONENTIAL,
                            .rate = 2,
                            .factor = 0.25,
                            .every = 10,
                            .staircase = true};
    expect_rates(&stairs, (int64_t[]){0, 9, 10, 29}, (double[]){2, 2, 0.5, 0.125}, 4);
}

Test(schedule, polynomial)
{
    weft_schedule line = {.kind = WEFT_SCHEDULE_POLYNOMIAL, .rate = 1, .steps = 14, .warmup = 4};
    expect_rates(&line, (int64_t[]){0, 4, 9, 13, 14, 99}, (double[]){0.25, 1, 0.5, 0.1, 0, 0}, 6);
    weft_schedule square = {
        .kind = WEFT_SCHEDULE_POLYNOMIAL, .rate = 5, .floor = 1, .power = 2, .steps = 10};
    expect_rates(&square, (int64_t[]){0, 5, 10, 11}, (double[]){5, 2, 1, 1}, 4);
}

/* torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=20): the top is at step 0.3 * 20 - 1. */
Test(schedule, one_cycle)
{
    weft_schedule cycle = {.kind = WEFT_SCHEDULE_ONE_CYCLE, .rate = 1, .steps = 20};
    expect_rates(&cycle, (int64_t[]){0, 5, 12, 19, 20, 100},
                 (double[]){0.04, 1, (1 + 4e-6) / 2, 4e-6, 4e-6, 4e-6}, 6);
    weft_schedule other = {.kind = WEFT_SCHEDULE_ONE_CYCLE,
                           .rate = 8,
                           .steps = 10,
                           .rise = 0.5,
                           .start = 0.5,
                           .end = 0.25};
    expect_rates(&other, (int64_t[]){0, 2, 4, 9}, (double[]){4, 6, 8, 1}, 4);
    weft_schedule rising = {.kind = WEFT_SCHEDULE_ONE_CYCLE, .rate = 1, .steps = 10, .rise = 1};
    expect_rates(&rising, (int64_t[]){0, 9, 10, 100}, (double[]){0.04, 1, 1, 1}, 4);
}

Test(schedule, composed)
{
    weft_schedule cosine = {.kind = WEFT_SCHEDULE_COSINE, .rate = 1, .steps = 10};
    weft_schedule hold = {.rate = 2, .until = 5, .then = &cosine};
    weft_schedule ramp = {.rate = 4, .warmup = 4, .until = 4, .then = &hold};
    expect_rates(&ramp, (int64_t[]){0, 3, 4, 8, 9, 14, 19, 50},
                 (double[]){1, 4, 2, 2, 1, 0.5, 0, 0}, 8);
    weft_schedule halves = {.kind = WEFT_SCHEDULE_STEPS, .rate = 1, .factor = 0.5, .every = 5};
    weft_schedule both = {.kind = WEFT_SCHEDULE_COSINE, .rate = 3, .steps = 10, .times = &halves};
    expect_rates(&both, (int64_t[]){0, 5, 10}, (double[]){3, 0.75, 0}, 3);
}

static void expect_factors(weft_plateau *plateau, const double *metric, const double *factor,
                           int count)
{
    for (int i = 0; i < count; i++) {
        double got = weft_plateau_next(plateau, metric[i]);
        cr_expect_float_eq(got, factor[i], 1e-12, "metric %d: %g, not %g", i, got, factor[i]);
    }
}

Test(schedule, plateau)
{
    weft_plateau patient = {.factor = 0.5, .patience = 2, .floor = 0.2};
    expect_factors(&patient, (double[]){9, 8, 8, 8, 7, 7, 7, NAN, 7, 7, 7, 7, 7, 7, 6},
                   (double[]){1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2}, 15);
    /* 1 in 100 better does not count, as 2 does; after a fall one metric is let pass. */
    weft_plateau rising = {.patience = -1, .cooldown = 1, .threshold = 0.01, .maximize = true};
    expect_factors(&rising, (double[]){100, 102, 103, 90, 90, 200},
                   (double[]){1, 1, 0.1, 0.1, 0.01, 0.01}, 6);
    weft_plateau absolute = {.patience = -1, .threshold = 5, .absolute = true};
    expect_factors(&absolute, (double[]){-10, -16, -21, -30}, (double[]){1, 1, 0.1, 0.1}, 4);
    weft_plateau usual = {0};
    for (int i = 0; i < 11; i++)
        cr_expect_eq(weft_plateau_next(&usual, 1), 1);
    cr_expect_float_eq(weft_plateau_next(&usual, 1), 0.1, 1e-15);
}

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

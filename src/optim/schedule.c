#include "weft/schedule.h"

#include <math.h>

static int64_t at_least_one(int64_t value)
{
    return value > 0 ? value : 1;
}

/* Milestones reached at a step. */
static int64_t milestones(const weft_schedule *s, int64_t step)
{
    if (s->milestone[0] <= 0)
        return step / at_least_one(s->every);
    int reached = 0;
    while (reached < WEFT_SCHEDULE_MILESTONES && s->milestone[reached] > 0 &&
           step >= s->milestone[reached])
        reached++;
    return reached;
}

static double cosine(const weft_schedule *s, int64_t step)
{
    static const double pi = 3.14159265358979323846;
    double part = (double)(step - s->warmup) / (double)at_least_one(s->steps - s->warmup);
    return s->floor + (s->rate - s->floor) * 0.5 * (1 + cos(pi * fmin(part, 1)));
}

/* Without warm-up. */
static double decayed(const weft_schedule *s, int64_t step)
{
    double factor = s->factor == 0 ? 0.1 : s->factor;
    switch (s->kind) {
    case WEFT_SCHEDULE_CONSTANT:
        break;
    case WEFT_SCHEDULE_STEPS:
        return s->rate * pow(factor, (double)milestones(s, step));
    case WEFT_SCHEDULE_EXPONENTIAL:
        return s->rate * pow(factor, (double)(step - s->warmup) / (double)at_least_one(s->every));
    case WEFT_SCHEDULE_COSINE:
        return cosine(s, step);
    }
    return s->rate;
}

double weft_schedule_at(const weft_schedule *schedule, int64_t step)
{
    int64_t warmup = schedule->warmup;
    if (step >= warmup)
        return fmax(decayed(schedule, step), schedule->floor);
    double part = (double)(step + 1) / (double)warmup;
    return fmax(decayed(schedule, warmup), schedule->floor) *
           (schedule->warmup_from + (1 - schedule->warmup_from) * part);
}

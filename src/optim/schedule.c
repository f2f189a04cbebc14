#include "weft/schedule.h"

#include "optim/default.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

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

/* From high at part 0 to low at part 1 and beyond. */
static double half_cosine(double high, double low, double part)
{
    return low + (high - low) * 0.5 * (1 + cos(pi * fmin(part, 1)));
}

/* The part of the training after the warm-up that is done. */
static double part_done(const weft_schedule *s, double step)
{
    return fmin(step / (double)at_least_one(s->steps - s->warmup), 1);
}

/* In units of `every`, to which the rate goes. */
static double periods(const weft_schedule *s, double step)
{
    double count = step / (double)at_least_one(s->every);
    return s->staircase ? floor(count) : count;
}

/* Cycle i of growth q takes every q^i steps, and begins after every (q^i - 1) / (q - 1). */
static double restarted(const weft_schedule *s, double step)
{
    double count = step / (double)at_least_one(s->every), growth = fmax(s->growth, 1), cycle, part;
    if (growth == 1) {
        cycle = floor(count);
        part = count - cycle;
    } else {
        cycle = floor(log1p(count * (growth - 1)) / log(growth) + 1e-12);
        double length = pow(growth, cycle);
        part = fmax(count - (length - 1) / (growth - 1), 0) / length;
    }
    double high = s->rate * pow(weft_or_default(s->factor, 1), cycle);
    return half_cosine(fmax(high, s->floor), s->floor, part);
}

/* As PyTorch's, the first half ends with step rise * steps - 1, the second with steps - 1. */
static double one_cycle(const weft_schedule *s, double step)
{
    double steps = (double)at_least_one(s->steps - s->warmup);
    double start = s->rate * weft_or_default(s->start, 1.0 / 25);
    double end = start * weft_or_default(s->end, 1e-4);
    double rise = weft_or_default(s->rise, 0.3) * steps - 1;
    step = fmin(step, steps - 1);
    if (step <= rise)
        return half_cosine(s->rate, start, 1 - step / rise);
    return half_cosine(s->rate, end, (step - rise) / fmax(steps - 1 - rise, 1e-9));
}

/* Without warm-up. */
static double decayed(const weft_schedule *s, int64_t step)
{
    double after = (double)(step - s->warmup);
    switch (s->kind) {
    case WEFT_SCHEDULE_CONSTANT:
        break;
    case WEFT_SCHEDULE_STEPS:
        return s->rate * pow(weft_or_default(s->factor, 0.1), (double)milestones(s, step));
    case WEFT_SCHEDULE_EXPONENTIAL:
        return s->rate * pow(weft_or_default(s->factor, 0.1), periods(s, after));
    case WEFT_SCHEDULE_COSINE:
        return half_cosine(s->rate, s->floor, part_done(s, after));
    case WEFT_SCHEDULE_COSINE_RESTARTS:
        return restarted(s, after);
    case WEFT_SCHEDULE_INVERSE_TIME:
        return s->rate / (1 + weft_or_default(s->factor, 1) * periods(s, after));
    case WEFT_SCHEDULE_POLYNOMIAL:
        return s->floor +
               (s->rate - s->floor) * pow(1 - part_done(s, after), weft_or_default(s->power, 1));
    case WEFT_SCHEDULE_ONE_CYCLE:
        return one_cycle(s, after);
    }
    return s->rate;
}

static double floored(const weft_schedule *s, int64_t step)
{
    double rate = decayed(s, step);
    return s->kind == WEFT_SCHEDULE_ONE_CYCLE ? rate : fmax(rate, s->floor);
}

static double warmed_up(const weft_schedule *s, int64_t step)
{
    if (step >= s->warmup)
        return floored(s, step);
    double part = (double)(step + 1) / (double)s->warmup;
    return floored(s, s->warmup) * (s->warmup_from + (1 - s->warmup_from) * part);
}

double weft_schedule_at(const weft_schedule *schedule, int64_t step)
{
    double factor = 1;
    for (const weft_schedule *s = schedule;;) {
        if (s->then && step >= s->until) {
            step -= s->until;
            s = s->then;
            continue;
        }
        factor *= warmed_up(s, step);
        if (!s->times)
            return factor;
        s = s->times;
    }
}

double weft_plateau_next(weft_plateau *p, double metric)
{
    double threshold = weft_or_default(p->threshold, 1e-4), sign = p->maximize ? -1 : 1;
    int64_t patience = p->patience == 0 ? 10 : p->patience < 0 ? 0 : p->patience;
    if (p->scale == 0)
        p->scale = 1;
    double margin = p->absolute ? threshold : threshold * p->best;
    if (!isnan(metric) && (!p->started || sign * metric < sign * p->best - margin)) {
        p->best = metric;
        p->started = true;
        p->waited = 0;
    } else {
        p->waited++;
    }
    if (p->cooling > 0) {
        p->cooling--;
        p->waited = 0;
    }
    if (p->waited > patience) {
        p->scale = fmax(p->scale * weft_or_default(p->factor, 0.1), p->floor);
        p->cooling = p->cooldown;
        p->waited = 0;
    }
    return p->scale;
}

/* What to drop: for ever smaller targets, whatever takes most off what lies above the target for the least work,
 * one storage after the other. After each target, what turned out not to be needed is kept again. */
#include "graph/remat.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Each target to the one before. From fine to coarse: what is worth the most when much has to go is not what is
 * worth the most for a little, and neither leads to all plans that are worth having. */
static const double shrinks[] = {0.95, 0.85, 0.7, 0.5};
enum { SHRINKS = sizeof(shrinks) / sizeof(shrinks[0]) };
/* So many targets that are not reached, after which none will be. */
enum { MOST_MISSED = 6 };

/* Keeping again takes the longest: in larger programs it is tried for one of several targets only. */
enum { STEPS_A_TRIM = 300 };

typedef struct searcher {
    const weft_remat_model *model;
    weft_remat_schedule schedule;
    weft_remat_ladder *ladder;
    uint8_t *level;
    int *candidate, candidates; /* storages with gaps */
    double *promise;            /* of each candidate's next move, at most: excess a unit of cost */
    double *known; /* what it was when it was last tried for this target; INFINITY: it was not */
    double *above; /* of each step: sum of what lies above the target, up to it */
    double free_cost;
    bool beyond;          /* no target after this one will cost so little */
    bool all;             /* go on nevertheless */
    weft_remat_plan free; /* of those before, the one of the smallest peak */
    int64_t target;
    int reached;         /* targets so far */
    double excess, cost; /* of the decisions as they are */
} searcher;

static double excess_of(const searcher *s)
{
    if (s->schedule.peak == INT64_MAX)
        return INFINITY;
    double excess = 0;
    for (int p = 0; p < s->schedule.positions; p++)
        if (s->schedule.live[p] > s->target)
            excess += (double)(s->schedule.live[p] - s->target);
    return excess;
}

static void evaluate(searcher *s)
{
    weft_remat_schedule_make(&s->schedule, s->level);
}

static weft_status record(searcher *s)
{
    weft_remat_ladder *ladder = s->ladder;
    weft_pool *pool = &s->model->ir->scratch;
    if (ladder->plans == ladder->capacity) {
        int capacity = 2 * ladder->capacity + 64;
        weft_remat_plan *plan = weft_pool_array(pool, (size_t)capacity, sizeof(*plan));
        if (!plan)
            return weft_ir_out_of_memory(s->model->ir);
        if (ladder->plans)
            memcpy(plan, ladder->plan, (size_t)ladder->plans * sizeof(*plan));
        ladder->plan = plan;
        ladder->capacity = capacity;
    }
    uint8_t *level = weft_pool_allocate(pool, (size_t)s->model->storages);
    if (!level)
        return weft_ir_out_of_memory(s->model->ir);
    memcpy(level, s->level, (size_t)s->model->storages);
    weft_remat_plan plan = {level, s->schedule.peak, s->schedule.cost};
    ladder->plan[ladder->plans++] = plan;
    if (!s->beyond && plan.cost <= s->free_cost && (ladder->plans == 1 || plan.peak < s->free.peak))
        s->free = plan;
    return WEFT_OK;
}

/* ---- Moves ---- */

static bool can_move(const searcher *s, int storage)
{
    int next = s->level[storage] + 1;
    return next < WEFT_REMAT_LEVELS &&
           weft_remat_dropped_gaps(next) <= s->model->storage[storage].gaps;
}

/* Of the steps that make what the step reads of the storage. */
static double cost_of_writers(const searcher *s, int index, int step)
{
    const weft_remat_storage *storage = &s->model->storage[index];
    const weft_remat_access *access = s->model->step[step].access;
    double cost = 0;
    while (access->storage != index)
        access++;
    for (int w = 0; w < storage->writers; w++)
        if (access->parts >> w & 1)
            cost += s->model->step[storage->writer[w]].cost;
    return cost;
}

/* What lies above the target while first..last run, or are made ready. */
static double excess_between(const searcher *s, int first, int last)
{
    return s->above[last] - s->above[first];
}

/* No move takes more away than there is in the gap, nor costs less than what makes the storage. Lazy ones are
 * not in the arena for a part of the gap that is not known here. */
static double promise_of(const searcher *s, int index)
{
    const weft_remat_storage *storage = &s->model->storage[index];
    if (!can_move(s, index))
        return 0;
    int gap = weft_remat_dropped_gaps(s->level[index] + 1) - 1;
    int first = storage->use[storage->gap[gap]], last = storage->use[storage->gap[gap] + 1];
    double most =
        (double)storage->bytes * (double)(s->schedule.place[last] - s->schedule.place[first]);
    double there = excess_between(s, first, last);
    return (there < most ? there : most) / cost_of_writers(s, index, last);
}

static void promise_all(searcher *s)
{
    double sum = 0;
    for (int p = 0, step = 0; p < s->schedule.positions; p++) {
        if (s->schedule.live[p] > s->target)
            sum += (double)(s->schedule.live[p] - s->target);
        if (!s->schedule.position[p].again) {
            step = s->schedule.position[p].step;
            s->above[step] = sum;
        }
    }
    for (int c = 0; c < s->candidates; c++)
        s->promise[c] = fmin(promise_of(s, s->candidate[c]), s->known[c]);
}

static int most_promising(const searcher *s)
{
    int best = 0;
    for (int c = 1; c < s->candidates; c++)
        if (s->promise[c] > s->promise[best])
            best = c;
    return best;
}

/* Finds the best move and does it; false where none helps. What a move was found to be worth before is taken for the
 * most that it can be worth now: most become worth less as others are made, so that few are tried each time. */
static bool move(searcher *s)
{
    int chosen = -1;
    double best = 0;
    evaluate(s);
    promise_all(s);
    for (int tries = 0; tries < s->candidates; tries++) {
        int c = most_promising(s);
        if (s->promise[c] <= best)
            break;
        s->promise[c] = 0;
        s->level[s->candidate[c]]++;
        evaluate(s);
        double gain = s->excess - excess_of(s), cost = s->schedule.cost - s->cost;
        s->level[s->candidate[c]]--;
        double ratio = gain / (cost > 1 ? cost : 1);
        s->known[c] = ratio;
        if (gain > 0 && ratio > best) {
            best = ratio;
            chosen = c;
        }
    }
    if (chosen < 0)
        return false;
    s->level[s->candidate[chosen]]++;
    s->known[chosen] = INFINITY;
    evaluate(s);
    s->excess = excess_of(s);
    s->cost = s->schedule.cost;
    return true;
}

/* Takes back what the target is reached without. */
static void trim(searcher *s)
{
    for (int c = 0; c < s->candidates; c++) {
        uint8_t *level = &s->level[s->candidate[c]], before = *level;
        if (!before)
            continue;
        for (*level = 0; *level < before; (*level)++) {
            evaluate(s);
            if (s->schedule.peak <= s->target && s->schedule.cost < s->cost) {
                s->cost = s->schedule.cost;
                break;
            }
        }
    }
    evaluate(s);
}

/* ---- The ladder ---- */

static void forget(searcher *s)
{
    for (int c = 0; c < s->candidates; c++)
        s->known[c] = INFINITY;
}

static weft_status reach(searcher *s, bool *reached)
{
    evaluate(s);
    s->excess = excess_of(s);
    s->cost = s->schedule.cost;
    forget(s);
    while (s->excess > 0 && (s->all || !s->beyond)) {
        bool moved = move(s);
        if (!moved) { /* what was worth nothing before may be worth something now */
            forget(s);
            moved = move(s);
        }
        if (!moved)
            break;
        WEFT_TRY(record(s));
    }
    *reached = s->excess <= 0;
    if (!*reached)
        return WEFT_OK;
    bool trims = s->reached++ % (1 + s->model->steps / STEPS_A_TRIM) == 0;
    if (trims)
        trim(s);
    WEFT_TRY(record(s));
    s->beyond |= trims && s->cost > s->free_cost;
    return WEFT_OK;
}

/* From everything kept on, each target being so much smaller than the one before. */
static weft_status descend(searcher *s, double shrink)
{
    memset(s->level, WEFT_REMAT_KEEP, (size_t)s->model->storages);
    s->beyond = false;
    s->reached = 0;
    evaluate(s);
    WEFT_TRY(record(s));
    double target = (double)s->schedule.peak;
    for (int missed = 0;
         s->candidates && missed < MOST_MISSED && (s->all || !s->beyond) && target > 1;) {
        target *= shrink;
        s->target = (int64_t)target;
        bool reached;
        WEFT_TRY(reach(s, &reached));
        missed = reached ? 0 : missed + 1;
    }
    return WEFT_OK;
}

static int by_cost(const void *a, const void *b)
{
    const weft_remat_plan *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost > y->cost ? 1 : -1;
    return (x->peak > y->peak) - (x->peak < y->peak);
}

/* Leaves the free plan, and of those that cost more the ones that no other is better than. */
static void sift(weft_remat_ladder *ladder, const weft_remat_plan *free)
{
    int plans = ladder->plans;
    qsort(ladder->plan, (size_t)plans, sizeof(*ladder->plan), by_cost);
    weft_remat_plan least = *free;
    ladder->plans = 0;
    for (int i = 0; i < plans; i++) {
        weft_remat_plan plan = ladder->plan[i];
        if (ladder->plans == 0 && plan.cost > free->cost)
            ladder->plan[ladder->plans++] = *free; /* i > 0: it is one of those before */
        if (plan.cost <= free->cost || plan.peak >= least.peak)
            continue;
        ladder->plan[ladder->plans++] = least = plan;
    }
    if (ladder->plans == 0)
        ladder->plan[ladder->plans++] = *free;
}

static weft_status begin(searcher *s)
{
    const weft_remat_model *model = s->model;
    weft_pool *pool = &model->ir->scratch;
    size_t storages = (size_t)model->storages;
    s->level = weft_pool_allocate(pool, storages + 1);
    s->candidate = weft_pool_array(pool, storages, sizeof(int));
    s->promise = weft_pool_array(pool, storages, sizeof(double));
    s->known = weft_pool_array(pool, storages, sizeof(double));
    s->above = weft_pool_array(pool, (size_t)model->steps, sizeof(double));
    if (!s->level || !s->candidate || !s->promise || !s->known || !s->above)
        return weft_ir_out_of_memory(model->ir);
    for (int i = 0; i < model->storages; i++)
        if (model->storage[i].gaps)
            s->candidate[s->candidates++] = i;
    return weft_remat_schedule_begin(model, &s->schedule);
}

weft_status weft_remat_search(const weft_remat_model *model, double free_cost, bool all,
                              weft_remat_ladder *ladder)
{
    searcher s = {.model = model, .ladder = ladder, .free_cost = free_cost, .all = all};
    *ladder = (weft_remat_ladder){0};
    WEFT_TRY(begin(&s));
    for (int i = 0; i < SHRINKS; i++)
        WEFT_TRY(descend(&s, shrinks[i]));
    sift(ladder, &s.free);
    return WEFT_OK;
}

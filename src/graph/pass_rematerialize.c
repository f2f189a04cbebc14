/* Rematerialization, to a limit of the arena or, without one, as far as it costs next to nothing. The plans to
 * choose from do not depend on the limit: the cheapest that fits is taken, so that a smaller limit never has a
 * larger arena, and a larger limit never a costlier plan. */
#include "base/error.h"
#include "graph/remat.h"

/* What is done without being asked to: in train mode, so much more work at most, where storages have so many bytes. */
static const double free_share = 0.028;
enum { LEAST_BYTES = 1 << 20 };

static double free_cost(const weft_remat_model *model)
{
    int64_t bytes = 0;
    for (int i = 0; i < model->storages; i++)
        bytes += model->storage[i].bytes;
    bool worth = model->ir->options->mode == WEFT_TRAIN && bytes >= LEAST_BYTES;
    return worth ? free_share * model->cost : 0;
}

typedef struct chooser {
    weft_ir *ir;
    weft_remat_model model;
    weft_remat_schedule schedule;
    weft_remat_ladder ladder;
} chooser;

/* The form of plan i, in *planned; the memory plan too, where `pack`. */
static weft_status apply(chooser *c, int i, bool pack, weft_ir *planned)
{
    weft_remat_schedule_make(&c->schedule, c->ladder.plan[i].level);
    *planned = *c->ir;
    weft_status status = weft_remat_apply(&c->schedule, planned);
    if (status == WEFT_OK && pack)
        status = weft_pass_plan(planned);
    c->ir->scratch = planned->scratch; /* they share it */
    return status;
}

static weft_status take(chooser *c, int i)
{
    weft_ir taken;
    WEFT_TRY(apply(c, i, false, &taken));
    double again = c->ladder.plan[i].cost;
    *c->ir = taken;
    c->ir->again_share = again / c->model.cost;
    return WEFT_OK;
}

/* The limit that plan i keeps: its arena. (It is never below the peak, by which plans are passed over.) */
static weft_status size_of(chooser *c, int i, int64_t *bytes)
{
    weft_ir planned;
    WEFT_TRY(apply(c, i, true, &planned));
    int64_t peak = c->ladder.plan[i].peak;
    *bytes = planned.arena_bytes > peak ? planned.arena_bytes : peak;
    return WEFT_OK;
}

/* The plan of the smallest arena. The ladder's peaks grow smaller: from its end on, until no packing can be
 * better. */
static weft_status find_least(chooser *c, int *plan, int64_t *least)
{
    *least = INT64_MAX;
    for (int i = c->ladder.plans - 1; i >= 0 && c->ladder.plan[i].peak < *least; i--) {
        int64_t bytes;
        WEFT_TRY(size_of(c, i, &bytes));
        if (bytes <= *least)
            *plan = i;
        *least = bytes < *least ? bytes : *least;
    }
    return WEFT_OK;
}

static weft_status choose(chooser *c)
{
    int64_t limit = c->ir->options->memory_limit, least;
    int plan = 0;
    if (!limit)
        return take(c, 0);
    for (int i = 0; i < c->ladder.plans; i++) {
        int64_t bytes;
        if (c->ladder.plan[i].peak > limit)
            continue;
        WEFT_TRY(size_of(c, i, &bytes));
        if (bytes <= limit)
            return take(c, i);
    }
    WEFT_TRY(find_least(c, &plan, &least));
    return limit == WEFT_LEAST_MEMORY ? take(c, plan) : weft_ir_refuse_limit(c->ir, least);
}

weft_status weft_pass_rematerialize(weft_ir *ir)
{
    const weft_compile_options *options = ir->options;
    chooser c = {.ir = ir};
    if (!options->memory_limit && options->mode != WEFT_TRAIN)
        return WEFT_OK;
    WEFT_TRY(weft_remat_model_build(ir, &c.model));
    WEFT_TRY(weft_remat_schedule_begin(&c.model, &c.schedule));
    WEFT_TRY(
        weft_remat_search(&c.model, free_cost(&c.model), options->memory_limit != 0, &c.ladder));
    return choose(&c);
}

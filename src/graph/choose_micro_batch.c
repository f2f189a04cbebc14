/* How many micro-batches a program has: under a limit of memory, of those numbers that divide the batch the one whose
 * plan keeps the limit in the least time, by prediction, or has the least memory. A plan is made for each. */
#include "graph/passes.h"

#include "base/error.h"

#include <stdio.h>

enum { MOST_PARTS = 16 };

typedef struct choice {
    const weft_compile_options *options;
    int count; /* 0: none yet */
    weft_draft draft;
    int least_count;
    int64_t least_limit;
    weft_error reason; /* why there are no micro-batches at all */
} choice;

static bool is_better(const choice *c, const weft_draft *draft)
{
    if (!c->count)
        return true;
    return c->options->memory_limit == WEFT_LEAST_MEMORY ? draft->arena_bytes < c->draft.arena_bytes
                                                         : draft->cycles < c->draft.cycles;
}

/* What came of compiling for so many parts. */
static weft_status consider(choice *c, int count, weft_status status, const weft_draft *draft,
                            const weft_error *error)
{
    if (status == WEFT_OK && is_better(c, draft)) {
        c->count = count;
        c->draft = *draft;
    } else if (count > 1 && (status == WEFT_ERROR_UNSUPPORTED || status == WEFT_ERROR_SHAPE)) {
        c->reason = *error; /* shapes do not fit where an extent is fixed */
    } else if (status == WEFT_ERROR_MEMORY && draft->least_limit > 0) {
        if (!c->least_count || draft->least_limit < c->least_limit) {
            c->least_count = count;
            c->least_limit = draft->least_limit;
        }
    } else if (status != WEFT_OK) {
        return status;
    }
    return WEFT_OK;
}

static weft_status refuse(const choice *c, weft_error *error)
{
    char how[512] = "";
    if (c->least_count > 1)
        snprintf(how, sizeof(how), " in %d micro-batches", c->least_count);
    else if (c->reason.status != WEFT_OK)
        snprintf(how, sizeof(how), " (%.*s)", (int)sizeof(how) - 8, c->reason.message);
    return weft_refuse_limit(c->options, c->least_limit, how, error);
}

weft_status weft_choose_micro_batches(weft_graph *graph, weft_state *state,
                                      const weft_compile_options *options, int *count,
                                      weft_error *error)
{
    int64_t batch = options->batch ? options->batch : 1;
    *count = options->micro_batches ? options->micro_batches : 1;
    if (options->micro_batches || !options->micro_batching || !options->memory_limit)
        return WEFT_OK;
    choice c = {.options = options};
    for (int parts = 1; parts <= MOST_PARTS && c.reason.status == WEFT_OK; parts++) {
        weft_draft draft = {0};
        if (batch % parts)
            continue;
        weft_error mistake = {0};
        weft_status status = weft_passes_draft(graph, state, options, parts, &draft, &mistake);
        status = consider(&c, parts, status, &draft, &mistake);
        if (status != WEFT_OK)
            return weft_error_set(error, status, "%s", mistake.message);
    }
    *count = c.count;
    return c.count ? WEFT_OK : refuse(&c, error);
}

/* The largest batch within a limit. Memory grows almost in a straight line with the batch, so that the next batch
 * to try is where the line through what is known meets the limit; every third try halves what is left. */
#include "weft/plan.h"

#include "base/error.h"

enum { MOST_BATCH = 1 << 30 };

typedef struct search {
    weft_graph *graph;
    weft_dtype dtype;
    weft_compile_options options;
    int64_t limit;
    int64_t unit;             /* images; the batches below are in these */
    int64_t low, low_bytes;   /* fits */
    int64_t high, high_bytes; /* does not; 0: none is known */
    double slope;             /* bytes an image */
    int plans;
} search;

static weft_status bytes_of(search *s, int64_t batch, int64_t *bytes, weft_error *error)
{
    weft_plan *plan = NULL;
    s->options.batch = batch * s->unit;
    WEFT_TRY(weft_plan_create(s->graph, s->dtype, &s->options, &plan, error));
    s->plans++;
    *bytes = plan->total_bytes;
    weft_plan_destroy(plan);
    return WEFT_OK;
}

static weft_status try_batch(search *s, int64_t batch, weft_error *error)
{
    int64_t bytes;
    weft_status status = bytes_of(s, batch, &bytes, error);
    if (status == WEFT_ERROR_MEMORY && batch > 2) /* of more than is counted */
        bytes = INT64_MAX;
    else if (status != WEFT_OK)
        return status;
    if (s->low > 0)
        s->slope = (double)(bytes - s->low_bytes) / (double)(batch - s->low);
    if (bytes > s->limit) {
        s->high = batch;
        s->high_bytes = bytes;
    } else {
        s->low = batch;
        s->low_bytes = bytes;
    }
    return WEFT_OK;
}

static int64_t next_batch(const search *s)
{
    int64_t most = s->high ? s->high - 1 : MOST_BATCH;
    double step = s->slope > 0 ? (double)(s->limit - s->low_bytes) / s->slope : (double)s->low;
    int64_t next = step < (double)(most - s->low) ? s->low + (int64_t)step : most;
    if (s->high && s->plans % 3 == 0)
        next = s->low + (s->high - s->low) / 2;
    return next > s->low ? next : s->low + 1;
}

static weft_status find(search *s, weft_error *error)
{
    WEFT_TRY(try_batch(s, 1, error));
    if (s->high)
        return WEFT_OK;
    WEFT_TRY(try_batch(s, 2, error));
    if (s->slope == 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "largest_batch: memory does not depend on the batch: no input that "
                              "is read has an open extent");
    while (s->high != s->low + 1 && s->low < MOST_BATCH)
        WEFT_TRY(try_batch(s, next_batch(s), error));
    return WEFT_OK;
}

weft_status weft_largest_batch(weft_graph *graph, weft_dtype dtype,
                               const weft_compile_options *options, int64_t limit_bytes,
                               weft_batch_limit *result, weft_error *error)
{
    search s = {.graph = graph,
                .dtype = dtype,
                .options = *options,
                .limit = limit_bytes,
                .unit = options->micro_batches > 1 ? options->micro_batches : 1};
    *result = (weft_batch_limit){0};
    WEFT_TRY(find(&s, error));
    *result = (weft_batch_limit){.batch = s.low * s.unit,
                                 .bytes = s.low_bytes,
                                 .next_bytes = s.high_bytes,
                                 .plans = s.plans};
    return WEFT_OK;
}

/* weft plan: the memory of a model's training step or inference, before anything runs. */
#include "cli/command.h"
#include "cli/plan_table.h"
#include "cli/workload.h"

#include "base/clock.h"

#include <inttypes.h>

/* What is asked for besides the workload. */
typedef struct request {
    int64_t limit;       /* 0: none */
    const char *picture; /* file; NULL: none */
    int lines;
    bool json;
} request;

static void print_head(const workload *w, const request *r, const weft_batch_limit *fit,
                       double seconds)
{
    if (r->limit && fit->batch > 0)
        printf("the largest batch within %.2f MB is %" PRId64 ", which takes %.2f MB; the next "
               "would take %.2f MB (%d plans)\n",
               (double)r->limit * 1e-6, fit->batch, (double)fit->bytes * 1e-6,
               (double)fit->next_bytes * 1e-6, fit->plans);
    printf("%s, %s, batch %" PRId64 " of %" PRId64 "x%" PRId64 "x%d, %d threads, %s: planned in "
           "%.2f s, nothing was run\n\n",
           w->model->name, workload_mode_name(w), w->batch, w->size, w->size, w->model->channels,
           w->threads, weft_instruction_set(), seconds);
}

static void print_json(const workload *w, const request *r, const weft_batch_limit *fit,
                       const weft_plan *plan, double seconds)
{
    printf("{\"name\": \"%s\", \"mode\": \"%s\", \"batch\": %" PRId64 ", \"size\": %" PRId64
           ", \"threads\": %d, \"instruction_set\": \"%s\", \"plans\": %d, \"seconds\": %.4f, ",
           w->model->name, workload_mode_name(w), w->batch, w->size, w->threads,
           weft_instruction_set(), fit->plans + 1, seconds);
    if (r->limit)
        printf("\"limit_bytes\": %" PRId64 ", \"next_batch_bytes\": %" PRId64 ", ", r->limit,
               fit->next_bytes);
    plan_print_json(plan, stdout);
    printf("}\n");
}

static weft_status fit_batch(workload *w, const workload_options *options, const request *r,
                             weft_batch_limit *fit, weft_error *error)
{
    if (!r->limit)
        return WEFT_OK;
    weft_status status = workload_fit(w, options, r->limit, fit, error);
    if (status != WEFT_OK || fit->batch > 0)
        return status;
    return weft_error_set(error, WEFT_ERROR_MEMORY,
                          "not even a batch of 1 fits into %.2f MB: it takes %.2f MB",
                          (double)r->limit * 1e-6, (double)fit->next_bytes * 1e-6);
}

static weft_status draw(const workload *w, const weft_plan *plan, const char *path,
                        weft_error *error)
{
    char title[120];
    snprintf(title, sizeof(title), "%s, %s, batch %" PRId64 " of %" PRId64 "x%" PRId64 "x%d",
             w->model->name, w->mode == WEFT_TRAIN ? "training" : "inference", w->batch, w->size,
             w->size, w->model->channels);
    return weft_plan_draw(plan, title, path, error);
}

static weft_status report(workload *w, const workload_options *options, const request *r,
                          weft_error *error)
{
    weft_plan *plan = NULL;
    weft_batch_limit fit = {0};
    double start = weft_seconds();
    weft_status status = fit_batch(w, options, r, &fit, error);
    if (status == WEFT_OK)
        status = workload_plan(w, options, &plan, error);
    double seconds = weft_seconds() - start;
    if (status == WEFT_OK && r->picture)
        status = draw(w, plan, r->picture, error);
    if (status == WEFT_OK && r->json)
        print_json(w, r, &fit, plan, seconds);
    if (status == WEFT_OK && !r->json) {
        print_head(w, r, &fit, seconds);
        if (!plan_print(plan, r->lines, stdout))
            status = weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    }
    weft_plan_destroy(plan);
    return status;
}

static int run(int argc, char **argv)
{
    workload_options options = workload_defaults();
    request r = {.lines = 12};
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&options, shared);
    const argument own[] = {
        {"memory", "SIZE", "plan for the largest batch within 625MB, 2GiB, ...; instead of --batch",
         .bytes = &r.limit},
        {"svg", "FILE", "draw what lies where, and when", 'o', .text = &r.picture},
        {"lines", "N", "values at the peak to print; 0: all", .integer = &r.lines, .high = 1 << 20},
        {"json", NULL, "one line of JSON, with the place of every value", .flag = &r.json},
        {0},
    };
    const argument_usage usage = {"weft plan", command_plan.purpose, "MODEL", &options.model, own,
                                  shared};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    if (r.limit && options.batch)
        return arguments_refuse(&usage, "--memory finds the batch: --batch cannot say another");
    if (options.measure)
        return arguments_refuse(&usage, "a plan runs nothing, so that --measure has no use");
    workload w;
    weft_error error = {0};
    bool done = workload_build(&w, &options, &error) == WEFT_OK &&
                report(&w, &options, &r, &error) == WEFT_OK;
    workload_close(&w);
    return done ? 0 : workload_fail(&usage, &error);
}

const command command_plan = {
    "plan", "Says what memory a model's training step or inference takes, and runs nothing.", run};

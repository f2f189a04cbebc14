/* weft curve: memory against time, under ever smaller limits. */
#include "cli/command.h"
#include "cli/workload.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* A plan of the model, and how long its runs take. */
typedef struct point {
    char name[32];
    double planning; /* seconds */
    double run;      /* seconds at the least; 0: not run */
    int64_t arena;   /* bytes */
    int steps, again;
    double share, flops, recomputed_flops;
} point;

typedef struct curve {
    workload_options options;
    int runs;
    bool json;
    point stored; /* everything kept */
    int printed;
} curve;

/* Parts of what a program takes that keeps everything. */
static const double parts[] = {1.25, 1.5, 2, 2.5, 3, 4, 6, 8};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static weft_status time_runs(workload *w, int runs, double *least, weft_error *error)
{
    double ignored;
    weft_status status = workload_run(w, &ignored, error); /* to warm up */
    for (int i = 0; i < runs && status == WEFT_OK; i++) {
        double seconds;
        status = workload_run(w, &seconds, error);
        if (i == 0 || seconds < *least)
            *least = seconds;
    }
    return status;
}

static weft_status plan(workload *w, const workload_options *options, point *p, weft_error *error)
{
    weft_plan *made = NULL;
    double start = weft_seconds();
    weft_status status = workload_plan(w, options, &made, error);
    p->planning = weft_seconds() - start;
    if (status != WEFT_OK)
        return status;
    p->arena = made->arena_bytes;
    p->steps = made->steps;
    p->again = made->steps_again;
    p->share = made->again_share;
    p->flops = made->flops;
    p->recomputed_flops = made->recomputed_flops;
    weft_plan_destroy(made);
    return WEFT_OK;
}

/* Plans and runs under the limit. WEFT_ERROR_MEMORY where it cannot be kept. */
static weft_status measure(const curve *c, int64_t limit, bool keep_all, point *p,
                           weft_error *error)
{
    workload w;
    workload_options options = c->options;
    options.limit = limit;
    options.keep_all = keep_all;
    weft_status status = workload_build(&w, &options, error);
    if (status == WEFT_OK)
        status = plan(&w, &options, p, error);
    if (status == WEFT_OK && c->runs)
        status = workload_compile(&w, &options, false, error);
    if (status == WEFT_OK && c->runs)
        status = time_runs(&w, c->runs, &p->run, error);
    workload_close(&w);
    return status;
}

static double times_smaller(const curve *c, const point *p)
{
    return (double)c->stored.arena / (double)p->arena;
}

static double slower(const curve *c, const point *p)
{
    return c->stored.run > 0 ? p->run / c->stored.run - 1 : 0;
}

static void print_json(curve *c, const point *p)
{
    printf("%s{\"plan\": \"%s\", \"arena_bytes\": %" PRId64
           ", \"times_smaller\": %.3f, \"steps\": %d, \"steps_again\": %d, "
           "\"predicted_share\": %.4f, \"recomputed_flops\": %.0f, \"flops\": %.0f, "
           "\"plan_seconds\": %.4f",
           c->printed++ ? ", " : "", p->name, p->arena, times_smaller(c, p), p->steps, p->again,
           p->share, p->recomputed_flops, p->flops, p->planning);
    if (c->runs)
        printf(", \"run_ms\": %.4f, \"measured_share\": %.4f", p->run * 1e3, slower(c, p));
    printf("}");
}

static void print_line(curve *c, const point *p)
{
    if (!c->printed++)
        printf("  %-22s %10s %8s %8s %7s %9s %9s\n", "plan", "arena MB", "smaller", "more time",
               "again", "plan s", c->runs ? "measured" : "");
    printf("  %-22s %10.2f %7.2fx %8.1f%% %7d %9.3f", p->name, (double)p->arena * 1e-6,
           times_smaller(c, p), p->share * 100, p->again, p->planning);
    if (c->runs)
        printf(" %8.1f%%", slower(c, p) * 100);
    printf("\n");
}

/* Measures one more plan and prints it, but not one that was there before. */
static weft_status add(curve *c, const char *name, int64_t limit, point *last, weft_error *error)
{
    point p = {.planning = 0};
    snprintf(p.name, sizeof(p.name), "%s", name);
    weft_status status = measure(c, limit, false, &p, error);
    if (status != WEFT_OK || p.arena == last->arena)
        return status;
    *last = p;
    (c->json ? print_json : print_line)(c, &p);
    return WEFT_OK;
}

static weft_status draw(curve *c, weft_error *error)
{
    snprintf(c->stored.name, sizeof(c->stored.name), "all kept");
    weft_status status = measure(c, 0, true, &c->stored, error);
    if (status != WEFT_OK)
        return status;
    (c->json ? print_json : print_line)(c, &c->stored);
    point last = c->stored;
    status = add(c, "no limit", 0, &last, error);
    for (int i = 0; i < PARTS && status == WEFT_OK; i++) {
        char name[32];
        snprintf(name, sizeof(name), "1/%g of all", parts[i]);
        int64_t limit = (int64_t)((double)c->stored.arena / parts[i]);
        if (limit >= last.arena)
            continue;
        status = add(c, name, limit, &last, error);
    }
    if (status == WEFT_OK || status == WEFT_ERROR_MEMORY)
        status = add(c, "the least", WEFT_LEAST_MEMORY, &last, error);
    return status;
}

static int run(int argc, char **argv)
{
    curve c = {.options = workload_defaults(), .runs = 3};
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&c.options, shared);
    const argument own[] = {
        {"runs", "N", "timed runs of each plan; 0: only predict", .integer = &c.runs, .high = 1000},
        {"json", NULL, "one line of JSON", .flag = &c.json},
        {0},
    };
    const argument_usage usage = {
        "weft curve", command_curve.purpose, "MODEL", &c.options.model, own, shared};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    if (c.options.limit || c.options.keep_all)
        return arguments_refuse(&usage, "limits are what this command tries");
    weft_error error = {0};
    const weft_model *model = weft_model_find(c.options.model);
    if (model && c.json)
        printf("{\"name\": \"%s\", \"plans\": [", model->name);
    else if (model)
        printf("%s\n", model->name);
    bool done = draw(&c, &error) == WEFT_OK;
    if (model && c.json)
        printf("]}\n");
    return done ? 0 : workload_fail(&usage, &error);
}

const command command_curve = {
    "curve", "Says what a model's training step costs under ever smaller limits of memory.", run};

/* weft bench: time and memory of a training step or of inference. */
#include "cli/command.h"
#include "cli/quantile.h"
#include "cli/resident.h"
#include "cli/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_RUNS = 100000, FEWEST_RUNS = 3 };

/* Of the timed runs. */
typedef struct timing {
    double median, least;
    int runs;
} timing;

/* After two runs to warm up: up to `runs` runs, but no more than last `seconds`, and three at least. */
static weft_status measure(workload *w, int runs, double seconds, timing *result, weft_error *error)
{
    double *time = malloc((size_t)runs * sizeof(*time)), total = 0, ignored;
    if (!time)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    weft_status status = workload_run(w, &ignored, error);
    if (status == WEFT_OK)
        status = workload_run(w, &ignored, error);
    int done = 0;
    while (status == WEFT_OK && done < runs && (done < FEWEST_RUNS || total < seconds)) {
        status = workload_run(w, &time[done], error);
        total += time[done++];
    }
    if (done > 0)
        *result = (timing){quantile(time, done, 0.5), quantile(time, done, 0), done};
    free(time);
    return status;
}

static void print(const workload *w, const timing *t, int64_t resident, bool json)
{
    weft_report report = weft_program_report(w->program);
    double gflops = workload_flops(w) / t->median * 1e-9, images = (double)w->batch / t->median;
    const char *mode = workload_mode_name(w);
    if (json) {
        printf("{\"name\": \"%s\", \"mode\": \"%s\", \"batch\": %" PRId64 ", \"size\": %" PRId64
               ", \"threads\": %d, \"instruction_set\": \"%s\", \"runs\": %d, "
               "\"median_ms\": %.4f, \"min_ms\": %.4f, \"gflops\": %.2f, "
               "\"images_per_second\": %.2f, ",
               w->model->name, mode, w->batch, w->size, w->threads, weft_instruction_set(), t->runs,
               t->median * 1e3, t->least * 1e3, gflops, images);
        printf("\"arena_bytes\": %" PRId64 ", \"bound_bytes\": %" PRId64
               ", \"state_bytes\": %" PRId64 ", \"constant_bytes\": %" PRId64
               ", \"peak_resident_bytes\": %" PRId64 ", \"parameters\": %" PRId64
               ", \"flops\": %.0f, \"steps\": %d, \"steps_again\": %d, \"again_share\": %.4f, "
               "\"micro_batches\": %d}\n",
               report.arena_bytes, report.bound_bytes, report.state_bytes, report.constant_bytes,
               resident, w->parameters, workload_flops(w), report.steps, report.steps_again,
               report.again_share, report.micro_batches);
        return;
    }
    printf("%s, %s, batch %" PRId64 " of %" PRId64 "x%" PRId64 "x%d, %d threads, %s\n",
           w->model->name, mode, w->batch, w->size, w->size, w->model->channels, w->threads,
           weft_instruction_set());
    printf("  time        %.3f ms (median of %d runs), %.3f ms at least\n", t->median * 1e3,
           t->runs, t->least * 1e3);
    printf("  speed       %.1f GFLOP/s, %.1f images/s\n", gflops, images);
    printf("  arena       %.2f MB (bound %.2f MB), %d steps\n", (double)report.arena_bytes * 1e-6,
           (double)report.bound_bytes * 1e-6, report.steps);
    if (report.micro_batches > 1)
        printf("  parts       %d micro-batches of %" PRId64 "\n", report.micro_batches,
               w->batch / report.micro_batches);
    if (report.steps_again)
        printf("  again       %d steps, predicted to take %.1f%% more time\n", report.steps_again,
               report.again_share * 100);
    printf("  state       %.2f MB, %" PRId64 " parameters\n", (double)report.state_bytes * 1e-6,
           w->parameters);
    printf("  resident    %.2f MB at most, above what was before the network\n",
           (double)resident * 1e-6);
}

static int run(int argc, char **argv)
{
    workload_options options = workload_defaults();
    int runs = 1000;
    double seconds = 3;
    bool json = false;
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&options, shared);
    const argument own[] = {
        {"runs", "N", "timed runs at most", .integer = &runs, .low = 1, .high = MOST_RUNS},
        {"seconds", "S", "of timed runs, about; three are made in any case", .positive = &seconds},
        {"json", NULL, "one line of JSON", .flag = &json},
        {0},
    };
    const argument_usage usage = {"weft bench", command_bench.purpose, "MODEL", &options.model, own,
                                  shared};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    workload w;
    timing result = {0};
    weft_error error = {0};
    int64_t before = resident_peak_bytes();
    bool done = workload_build(&w, &options, &error) == WEFT_OK &&
                workload_compile(&w, &options, false, &error) == WEFT_OK &&
                measure(&w, runs, seconds, &result, &error) == WEFT_OK;
    if (done)
        print(&w, &result, resident_peak_bytes() - before, json);
    workload_close(&w);
    return done ? 0 : workload_fail(&usage, &error);
}

const command command_bench = {
    "bench", "Measures time and memory of a model's training step or inference.", run};

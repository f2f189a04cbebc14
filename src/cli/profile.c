/* weft profile: where the time of a model's training step or inference goes, and what of it the machine could
 * do without. */
#include "cli/command.h"
#include "cli/machine.h"
#include "cli/profile_table.h"
#include "cli/workload.h"

#include <inttypes.h>

static weft_status measure(workload *w, profile_table *table, int runs, weft_error *error)
{
    double ignored;
    weft_roof roof;
    if (!machine_roof(w->threads, &roof) || !profile_begin(table, w->program, &roof, runs))
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    weft_status status = workload_run(w, &ignored, error); /* to warm up */
    for (int i = 0; i < runs && status == WEFT_OK; i++) {
        status = workload_run(w, &ignored, error);
        profile_add(table, w->program);
    }
    if (status == WEFT_OK)
        profile_finish(table);
    return status;
}

static void print(const workload *w, const profile_table *table, int lines, bool json)
{
    const char *mode = workload_mode_name(w);
    if (json) {
        printf("{\"name\": \"%s\", \"mode\": \"%s\", \"batch\": %" PRId64 ", \"size\": %" PRId64
               ", \"threads\": %d, \"instruction_set\": \"%s\", \"runs\": %d, ",
               w->model->name, mode, w->batch, w->size, w->threads, weft_instruction_set(),
               table->runs);
        profile_print_json(table, stdout);
        printf("}\n");
        return;
    }
    printf("%s, %s, batch %" PRId64 " of %" PRId64 "x%" PRId64
           "x%d, %d threads, %s, medians of %d runs\n",
           w->model->name, mode, w->batch, w->size, w->size, w->model->channels, w->threads,
           weft_instruction_set(), table->runs);
    profile_print(table, lines, stdout);
}

static int run(int argc, char **argv)
{
    workload_options options = workload_defaults();
    int runs = 5, lines = 25;
    bool json = false;
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&options, shared);
    const argument own[] = {
        {"runs", "N", "timed runs", .integer = &runs, .low = 1, .high = 1000},
        {"lines", "N", "slowest steps to print; 0: all", .integer = &lines, .high = 1 << 20},
        {"json", NULL, "one line of JSON, with all steps", .flag = &json},
        {0},
    };
    const argument_usage usage = {
        "weft profile", command_profile.purpose, "MODEL", &options.model, own, shared};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    workload w;
    profile_table table = {0};
    weft_error error = {0};
    bool done = workload_build(&w, &options, &error) == WEFT_OK &&
                workload_compile(&w, &options, true, &error) == WEFT_OK &&
                measure(&w, &table, runs, &error) == WEFT_OK;
    if (done)
        print(&w, &table, lines, json);
    profile_release(&table);
    workload_close(&w);
    return done ? 0 : workload_fail(&usage, &error);
}

const command command_profile = {
    "profile", "Says where the time of a model's training step or inference goes.", run};

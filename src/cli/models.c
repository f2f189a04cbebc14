/* weft models: the networks that there are. */
#include "cli/command.h"
#include "cli/workload.h"

#include <inttypes.h>
#include <stdio.h>

static void print_json(const workload *w, bool first)
{
    const weft_model *m = w->model;
    printf("%s\n  {\"name\": \"%s\", \"parameters\": %" PRId64 ", \"multiply_adds\": %.0f, "
           "\"input\": [%d, %d, %d], \"classes\": %d, \"per_pixel\": %s, \"batch\": %d, "
           "\"paper\": \"%s\"}",
           first ? "" : ",", m->name, w->parameters, w->multiply_adds, m->size, m->size,
           m->channels, m->classes, m->per_pixel ? "true" : "false", m->batch, m->paper);
}

static void print_line(const workload *w)
{
    const weft_model *m = w->model;
    char input[40];
    snprintf(input, sizeof(input), "%dx%dx%d", m->size, m->size, m->channels);
    printf("%-13s %12" PRId64 " %11.1f  %-11s %7d  %s\n", m->name, w->parameters,
           w->multiply_adds * 1e-6, input, m->classes, m->paper);
}

static int run(int argc, char **argv)
{
    bool json = false;
    const argument own[] = {{"json", NULL, "an array of JSON objects", .flag = &json}, {0}};
    const argument_usage usage = {"weft models", command_models.purpose, .own = own};
    int status;
    if (!arguments_parse(argc, argv, &usage, &status))
        return status;
    if (json)
        printf("[");
    else
        printf("%-13s %12s %11s  %-11s %7s  %s\n", "name", "parameters", "MMACs", "input",
               "classes", "paper");
    const weft_model *model;
    for (int i = 0; status != 1 && (model = weft_model_at(i)) != NULL; i++) {
        workload w;
        weft_error error = {0};
        workload_options options = {.model = model->name, .mode = "infer", .threads = 1};
        status =
            workload_build(&w, &options, &error) == WEFT_OK ? 0 : workload_fail(&usage, &error);
        if (status == 0 && json)
            print_json(&w, i == 0);
        else if (status == 0)
            print_line(&w);
        workload_close(&w);
    }
    if (json)
        printf("\n]\n");
    return status;
}

const command command_models = {
    "models", "Lists the models: parameters, multiply-adds of one image, input.", run};

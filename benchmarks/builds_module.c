/* A model of the library that this module is linked with, for bench_builds. */
#include "builds_module.h"

#include "cli/workload.h"

#include <stdio.h>

static workload work;

static bool explained(weft_status status, const weft_error *error)
{
    if (status != WEFT_OK)
        fprintf(stderr, "bench_builds: %s\n", error->message);
    return status == WEFT_OK;
}

bool builds_prepare(int argc, char **argv, builds_settings *settings, int *status)
{
    workload_options options = workload_defaults();
    *settings = (builds_settings){.seconds = 10};
    argument shared[WORKLOAD_ARGUMENTS];
    workload_arguments(&options, shared);
    const argument own[] = {
        {"against", "DIR", "the other build directory", .text = &settings->against},
        {"seconds", "S", "of measuring, about", .positive = &settings->seconds},
        {0},
    };
    const argument_usage usage = {"bench_builds",
                                  "Runs a model of this build and of another one in turn.",
                                  "MODEL",
                                  &options.model,
                                  own,
                                  shared};
    if (!arguments_parse(argc, argv, &usage, status)) {
        fflush(stdout); /* of this name space, which nobody else flushes */
        return false;
    }
    *status = 1;
    if (!settings->against) {
        *status =
            arguments_refuse(&usage, "--against is missing: the directory of the other build");
        return false;
    }
    settings->model = options.model;
    settings->mode = options.mode;
    weft_error error = {0};
    return explained(workload_build(&work, &options, &error), &error) &&
           explained(workload_compile(&work, &options, false, &error), &error);
}

double builds_run(void)
{
    double seconds = 0;
    weft_error error = {0};
    return explained(workload_run(&work, &seconds, &error), &error) ? seconds : -1;
}

void builds_close(void)
{
    workload_close(&work);
}

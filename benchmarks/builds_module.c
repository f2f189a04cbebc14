/* A model of the library that this module is linked with, for bench_builds. */
#include "builds_module.h"

#include "cli/workload.h"

#include <stdio.h>

static workload work;

bool builds_prepare(const builds_workload *wanted)
{
    workload_options options = workload_defaults();
    options.model = wanted->model;
    options.mode = wanted->mode;
    options.batch = wanted->batch;
    options.threads = wanted->threads;
    weft_error error = {0};
    if (workload_build(&work, &options, &error) == WEFT_OK &&
        workload_compile(&work, &options, false, &error) == WEFT_OK)
        return true;
    fprintf(stderr, "bench_builds: %s\n", error.message);
    return false;
}

double builds_run(void)
{
    double seconds = 0;
    weft_error error = {0};
    if (workload_run(&work, &seconds, &error) == WEFT_OK)
        return seconds;
    fprintf(stderr, "bench_builds: %s\n", error.message);
    return -1;
}

void builds_close(void)
{
    workload_close(&work);
}

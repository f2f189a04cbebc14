/* What bench_builds finds in the module of each build. */
#ifndef WEFT_BENCHMARKS_BUILDS_MODULE_H
#define WEFT_BENCHMARKS_BUILDS_MODULE_H

#include <stdbool.h>

typedef struct builds_workload {
    const char *model, *mode; /* of the tool: "train" or "infer" */
    int batch, threads;       /* 0: the usual ones */
} builds_workload;

#define BUILDS_EXPORT __attribute__((visibility("default")))

/* Compiles the model; false, with a message on the standard error, where that fails. builds_close in any case. */
BUILDS_EXPORT bool builds_prepare(const builds_workload *wanted);
/* Seconds of one run; negative after an error, which has been explained. */
BUILDS_EXPORT double builds_run(void);
BUILDS_EXPORT void builds_close(void);

#endif

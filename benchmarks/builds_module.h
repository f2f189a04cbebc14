/* What bench_builds finds in the module of each build. */
#ifndef WEFT_BENCHMARKS_BUILDS_MODULE_H
#define WEFT_BENCHMARKS_BUILDS_MODULE_H

#include <stdbool.h>

/* What the command line says to bench_builds itself; texts point into it. */
typedef struct builds_settings {
    const char *against; /* the other build directory */
    const char *model, *mode;
    double seconds;
} builds_settings;

#define BUILDS_EXPORT __attribute__((visibility("default")))

/* Reads the command line, which has the workload's options as this build knows them, and compiles the model. False: the
 * program should end with *status; what is wrong has been explained. builds_close in any case. */
BUILDS_EXPORT bool builds_prepare(int argc, char **argv, builds_settings *settings, int *status);
/* Seconds of one run; negative after an error, which has been explained. */
BUILDS_EXPORT double builds_run(void);
BUILDS_EXPORT void builds_close(void);

#endif

/* Where the time of a program's runs goes, and how much of it is above what the machine could do: by step, and
 * by op and algorithm. Shared by the tool and the example programs. */
#ifndef WEFT_CLI_PROFILE_TABLE_H
#define WEFT_CLI_PROFILE_TABLE_H

#include "weft/program.h"

/* A step, or all steps of one kernel and algorithm. */
typedef struct profile_row {
    const char *name; /* of the node; NULL of several steps */
    const char *op;   /* of a step with all that is fused, of several steps the kernel's alone */
    const char *kernel, *algorithm;
    int steps;
    double flops, bytes;
    double seconds; /* of a step the median of the runs, of several their sum; 0: does not run */
    double roof;    /* seconds at the roof */
    double lost;    /* seconds above it: summed over the steps that are above their own */
} profile_row;

typedef struct profile_table {
    int steps, groups, runs, most_runs;
    weft_roof roof;
    profile_row *step, *group; /* after profile_finish the slowest first; most time lost first */
    profile_row total;
    double *sample; /* [step][run] */
} profile_table;

/* Makes room for the steps of a program compiled with `profile`, and for that many runs on a machine with this
 * roof; false when memory is short. Release in any case. */
bool profile_begin(profile_table *table, const weft_program *program, const weft_roof *roof,
                   int most_runs);
/* Takes the times of the program's last run. */
void profile_add(profile_table *table, const weft_program *program);
/* Works out the rows from the runs that were added, one at least. */
void profile_finish(profile_table *table);
void profile_release(profile_table *table);

/* Prints the roof, the slowest steps (at most `lines`; 0: all), what each op and algorithm takes and loses, and
 * the sums. */
void profile_print(const profile_table *table, int lines, FILE *file);
/* Prints the same as members of a JSON object, without its braces: "peak_gflops",
 * "peak_gigabytes_per_second", "total_ms", "roof_ms", "lost_ms", "steps" and "ops". */
void profile_print_json(const profile_table *table, FILE *file);

#endif

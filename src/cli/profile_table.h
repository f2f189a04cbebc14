/* Where the time of a program's runs goes: by step and by kind of op. Shared by the tool and the example
 * programs. */
#ifndef WEFT_CLI_PROFILE_TABLE_H
#define WEFT_CLI_PROFILE_TABLE_H

#include "weft/program.h"

/* A step, or all steps of one op. */
typedef struct profile_row {
    const char *name; /* of the node; NULL of all steps of an op */
    const char *op;
    int steps;
    double seconds; /* of a step the median of the runs, of several their sum */
    double flops, bytes;
} profile_row;

typedef struct profile_table {
    int steps, ops, runs, most_runs;
    profile_row *step, *op; /* after profile_finish the slowest first */
    double seconds;         /* of all steps */
    double *sample;         /* [step][run] */
} profile_table;

/* Makes room for the steps of a program compiled with `profile`, and for that many runs; false when memory is
 * short. Release in any case. */
bool profile_begin(profile_table *table, const weft_program *program, int most_runs);
/* Takes the times of the program's last run. */
void profile_add(profile_table *table, const weft_program *program);
/* Works out the rows from the runs that were added, one at least. */
void profile_finish(profile_table *table);
void profile_release(profile_table *table);

/* Prints the sum, the slowest steps (at most `lines`; 0: all), and what each op takes. */
void profile_print(const profile_table *table, int lines, FILE *file);
/* Prints the members "total_ms", "steps" and "ops" of a JSON object, without its braces. */
void profile_print_json(const profile_table *table, FILE *file);

#endif

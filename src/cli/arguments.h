/* Command lines, described by tables: parsed, checked, and explained for --help. Shared by the tool and
 * the example programs. */
#ifndef WEFT_CLI_ARGUMENTS_H
#define WEFT_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* An option. Exactly one of the pointers is set: where its value goes, and what kind it is. What is there
 * before parsing is the default. */
typedef struct argument {
    const char *name;  /* without its dashes; NULL ends a table */
    const char *value; /* how help calls its value: "N"; NULL for flags */
    const char *help;
    char letter; /* a short form, "-o"; 0: none */

    bool *flag;
    int *integer;
    int low, high;     /* of an integer, inclusive */
    double *positive;  /* a real number above 0 */
    uint64_t *seed;    /* a whole number, also hexadecimal */
    int64_t *bytes;    /* a size, as 625MB (1000s), 2GiB (1024s) or in bytes; 0 by default: none */
    const char **text; /* points into argv */
    const char **choice; /* one of the words, and points to it */
    const char *const *words;
} argument;

/* What a program or a subcommand takes. */
typedef struct argument_usage {
    const char *program; /* as it is called: "weft bench" */
    const char *purpose;
    /* How help calls the operand that must be there: "MODEL"; or that may be left out: "[NAME]". NULL: none */
    const char *operand;
    const char **operand_value;   /* points into argv; NULL where it was left out */
    const argument *own, *shared; /* tables; may be NULL */
} argument_usage;

/* Parses argv[1] and on: "--name VALUE", "--name=VALUE", "-o VALUE", the operand, and "--help". Returns true
 * to go on; else the program should end with *status: 0 after --help, 2 after a mistake, which has been
 * explained on the standard error. */
bool arguments_parse(int argc, char **argv, const argument_usage *usage, int *status);

/* Explains a mistake on the standard error, printf style, and where help is; returns the exit status, 2. */
int arguments_refuse(const argument_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

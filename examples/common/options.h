/* The options that the example programs share. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include "cli/arguments.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct example_options {
    const char *data; /* directory of a data set; NULL: a generator draws one */
    int samples;      /* training images that the generator draws */
    int epochs;
    int batch;
    double learning_rate;
    int threads; /* 0: one for each processor */
    uint64_t seed;
    const char *dot; /* where to write the diagram of the graph; NULL: nowhere */
    bool summary;    /* print the table of layers */
    bool profile;    /* print where the time of a step went */
    bool json;       /* the last line is one JSON object */
} example_options;

/* Parses the command line over the defaults in options; own, the table of a program's own options, may be
 * NULL. Returns true to go on; else the program should end with *status: 0 after --help, 2 after a mistake, which
 * has been explained on the standard error. */
bool example_parse(int argc, char **argv, const char *purpose, example_options *options,
                   const argument *own, int *status);

#endif

/* The options that the example programs share. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

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

/* An option of one program alone, with an integer. */
typedef struct example_option {
    const char *name, *help; /* name NULL ends a list */
    int *value;
    int low, high;
} example_option;

/* Parses the command line over the defaults in options; own may be NULL. Returns true to go on; else the
 * program should end with *status: 0 after --help, 2 after a mistake, which has been explained on the
 * standard error. */
bool example_parse(int argc, char **argv, const char *purpose, example_options *options,
                   const example_option *own, int *status);

#endif

/* The data that an example trains on and is tested with. */
#ifndef EXAMPLES_DATA_H
#define EXAMPLES_DATA_H

#include "common/options.h"
#include "weft/data.h"

typedef struct example_data {
    weft_dataset *train, *test;
    int classes;
} example_data;

/* Reads the directory of the options, or draws a set, with a test set a quarter as large. */
weft_status example_data_load(weft_context *context, const example_options *options, bool masks,
                              example_data *data, weft_error *error);
void example_data_release(example_data *data);

/* For each channel what makes the training images' mean 0 and deviation 1: x * scale + shift. The arrays
 * have room for the channels. */
void example_data_normalization(const example_data *data, double *scale, double *shift);

#endif

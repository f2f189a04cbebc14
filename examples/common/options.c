#include "common/options.h"

#include <stddef.h>

enum { LARGEST = 1000000000 };

bool example_parse(int argc, char **argv, const char *purpose, example_options *options,
                   const argument *own, int *status)
{
    const argument shared[] = {
        {"data", "DIR", "read the data set in this directory (default: draw one)",
         .text = &options->data},
        {"samples", "N", "training images to draw", .integer = &options->samples, .low = 1,
         .high = LARGEST},
        {"epochs", "N", "passes over the training images", .integer = &options->epochs, .low = 1,
         .high = LARGEST},
        {"batch", "N", "images in a batch", .integer = &options->batch, .low = 1, .high = LARGEST},
        {"learning-rate", "X", "at its highest", .positive = &options->learning_rate},
        {"threads", "N", "0: one for each processor", .integer = &options->threads, .high = 1024},
        {"seed", "N", "of data, variables and order", .seed = &options->seed},
        {"dot", "FILE", "draw the network: .dot, .svg, .png or .pdf", .text = &options->dot},
        {"summary", NULL, "print the table of layers", .flag = &options->summary},
        {"profile", NULL, "print where the time of the last step went", .flag = &options->profile},
        {"json", NULL, "end with one line of JSON", .flag = &options->json},
        {0},
    };
    const argument_usage usage = {argv[0], purpose, .own = own, .shared = shared};
    return arguments_parse(argc, argv, &usage, status);
}

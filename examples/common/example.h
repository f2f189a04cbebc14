/* What the networks among the example programs share: data, the training loop, scores, output. Each
 * program describes itself in a struct example and calls example_main. */
#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

#include "common/options.h"
#include "weft/weft.h"

typedef struct example {
    const char *purpose; /* for --help */
    /* From images [N, height, width, channels], scaled to mean 0 and deviation 1, to logits: [N, classes]
     * of labels, or [N, height, width, 1] of masks. */
    weft_value (*network)(weft_value images, int classes);
    /* Data with masks to segment, scored by the mean intersection over union of an image; otherwise
     * labelled images to classify, scored by accuracy. */
    bool segment;
    /* Mean loss of logits and target: int32 labels [N], or masks as reals of the logits' shape. */
    weft_value (*loss)(weft_value logits, weft_value target);
    weft_optimizer_options optimizer;
    weft_batch_options augmentation;
    example_options options; /* the defaults, at first */
} example;

/* Trains, evaluates, and reports as the options say. Returns the exit status. */
int example_run(const char *program, const example *description);

/* Reads the command line into the options, with those of this program alone, and runs. */
int example_main(int argc, char **argv, const argument *own, example *description);

#endif

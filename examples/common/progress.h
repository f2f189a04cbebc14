/* How training goes: a bar on a terminal, a line now and then elsewhere. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *score_name;
    int epochs;
    int64_t epoch_images;
    bool terminal;
    double started, shown; /* seconds of a clock that only runs forward */
} progress;

/* Seconds of that clock. */
double progress_clock(void);

progress progress_begin(const char *score_name, int epochs, int64_t epoch_images);

/* epoch counts from 0, done are the images of this epoch so far, loss and score their means. */
void progress_update(progress *bar, int epoch, int64_t done, double loss, double score);

/* Ends the epoch's line: its means, and those over the test set. */
void progress_epoch(progress *bar, int epoch, double loss, double score, double test_loss,
                    double test_score);

#endif

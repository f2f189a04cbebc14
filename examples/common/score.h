/* How good predictions are. */
#ifndef EXAMPLES_SCORE_H
#define EXAMPLES_SCORE_H

#include <stdint.h>

/* How many of count rows of logits are largest at their label. */
double score_correct(const float *logits, int64_t classes, const int32_t *labels, int64_t count);

/* The sum over count images of intersection over union, between the pixels with a positive logit and
 * those with a mask of 1; 1 where both are empty. */
double score_overlap(const float *logits, const uint8_t *masks, int64_t pixels, int64_t count);

#endif

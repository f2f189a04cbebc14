/* What the networks share. They are written as a user would write them, with the builders' macros. */
#ifndef WEFT_MODELS_MODEL_H
#define WEFT_MODELS_MODEL_H

#include "weft/weft.h"

/* A square convolution without bias, padded so that stride 1 keeps the extents; `kernel` is odd. Drawn for
 * the ReLUs that follow. */
weft_value weft_model_conv(weft_value x, const char *name, int filters, int kernel, int stride);

/* Dropout and the dense layer "fc" on features [N, C]. */
weft_value weft_model_classify(weft_value x, const weft_classifier_options *options,
                               double usual_dropout, int usual_classes);

/* x with dropout of that rate (0: the usual one), or as it is. */
weft_value weft_model_dropout(weft_value x, double rate, double usual, bool none);

#endif

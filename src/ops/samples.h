/* What samples of many ops have in common. */
#ifndef WEFT_OPS_SAMPLES_H
#define WEFT_OPS_SAMPLES_H

#include "weft/op.h"

/* A shape of random extents in [low, high]. */
weft_shape weft_sample_shape(weft_sampler *sampler, int rank, int64_t low, int64_t high);

/* Declares as a result x's gradient for a drawn one of y: a case of the op that is y's gradient. */
void weft_sample_gradient(weft_sampler *sampler, weft_value y, weft_value x);

#endif

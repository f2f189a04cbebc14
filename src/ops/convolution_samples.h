/* The cases that the checks draw for the four ops of the convolution family: every attribute. */
#ifndef WEFT_OPS_CONVOLUTION_SAMPLES_H
#define WEFT_OPS_CONVOLUTION_SAMPLES_H

#include "weft/op.h"

bool weft_convolution_sample(weft_sampler *sampler, int index);
bool weft_transposed_convolution_sample(weft_sampler *sampler, int index);
bool weft_convolution_input_gradient_sample(weft_sampler *sampler, int index);
bool weft_convolution_filter_gradient_sample(weft_sampler *sampler, int index);

#endif

/* What losses share: examples to a scalar, gradients of examples spread over their classes. */
#ifndef WEFT_OPS_LOSS_H
#define WEFT_OPS_LOSS_H

#include "weft/loss.h"

/* The name that an op which gives a loss an example should bear: the options' if nothing follows. */
const char *weft_loss_name(const weft_loss_options *options);
/* Reduces a loss an example (or element) as the options, which may be NULL, say. */
weft_value weft_loss_reduce(weft_value losses, const weft_loss_options *options);

/* The shape of the examples: that of the logits without the last extent. */
weft_shape weft_shape_without_classes(weft_shape logits);
/* x summed over the last dimension; keep: which stays, with extent 1. */
weft_value weft_sum_classes(weft_value x, bool keep);
/* A value of each example with a last dimension of extent 1. */
weft_value weft_over_classes(weft_value x);

#endif

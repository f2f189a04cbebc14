/* Ops whose output's pixels are weighted sums of the input's, each spatial dimension for itself (see
 * kernels/resample.h): an op of that kind is a rule that says which; its gradient is the adjoint. */
#ifndef WEFT_OPS_RESAMPLE_H
#define WEFT_OPS_RESAMPLE_H

#include "kernels/resample.h"
#include "ops/rules.h"

enum { WEFT_MOST_TAPS = 2 };

typedef struct weft_taps {
    int count;
    int64_t index[WEFT_MOST_TAPS];
    double weight[WEFT_MOST_TAPS];
} weft_taps;

/* What position `position` of the output's spatial dimension `axis` (from 0) is made of. */
typedef weft_taps weft_tap_rule(const void *attributes, int axis, int64_t input, int64_t output,
                                int64_t position);

/* Images of rank 3 to 5 with fixed extents but the batch's; false, with a message. */
bool weft_resample_infer_image(const weft_infer *infer, int input, const char *what);

/* x to y, and the adjoint, dy to dx, as plain forms and as kernels. Input 0 is read. */
void weft_resample_f64(const weft_operands *operands, weft_tap_rule *rule);
void weft_resample_adjoint_f64(const weft_operands *operands, weft_tap_rule *rule);
bool weft_resample_bind(weft_bind *bind, weft_tap_rule *rule);
bool weft_resample_adjoint_bind(weft_bind *bind, weft_tap_rule *rule);

#endif

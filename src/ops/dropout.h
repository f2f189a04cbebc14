/* What dropout and noise share: in train mode they draw a number for each element, by the node's name, the run, the
 * sample and the element. */
#ifndef WEFT_OPS_DROPOUT_H
#define WEFT_OPS_DROPOUT_H

#include "weft/op.h"

typedef struct weft_draw_attributes {
    double amount; /* a rate or a deviation; 0: nothing is drawn */
    uint64_t name_key;
    int32_t mode; /* weft_mode_choice */
    int32_t unused;
    int64_t batch_multiple; /* k where the extent of dimension 0 is the open -k, else 0 */
} weft_draw_attributes;

/* Appends the op; name may be NULL: the op's. */
weft_value weft_draw_apply(const weft_op *op, weft_value x, double amount, weft_mode_choice mode,
                           const char *name);
/* Appends it to the gradient of its output: the same numbers are drawn. */
weft_value weft_draw_again(const weft_op *op, const weft_gradient_call *call);

/* True where a program of that mode draws. */
bool weft_draws(const weft_draw_attributes *attributes, weft_mode program);
/* Elements along all dimensions but 0. */
int64_t weft_draw_sample_elements(const weft_tensor *tensor);

/* For the descriptor: input 0 where nothing is drawn; the amount, and the mode where it is pinned. */
int weft_draw_identity(const weft_bind *bind);
void weft_draw_label(const void *attributes, char *text, size_t size);

#endif

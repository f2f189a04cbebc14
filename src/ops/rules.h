/* Small rules that many ops share: of shapes, identities, costs. */
#ifndef WEFT_OPS_RULES_H
#define WEFT_OPS_RULES_H

#include "weft/op.h"

/* Output 0 is real and has the shape of input 0, which must be real. */
bool weft_infer_like_input(weft_infer *infer);
/* False, with a message, unless input `input` is real; what names it: "input", "filter". */
bool weft_infer_real(const weft_infer *infer, int input, const char *what);
/* False, with a message, where of the WEFT_MAX_RANK entries of an option one past the dimensions of input 0 is given: is
 * not `unset`. */
bool weft_infer_none_past(const weft_infer *infer, const char *option, const int64_t *entry,
                          int64_t unset);

/* True where data is known while compiling and each element is `value`: for identities. */
bool weft_tensor_is(const weft_tensor *tensor, double value);
/* True where the extents are the same. */
bool weft_tensor_same_extents(const weft_tensor *a, const weft_tensor *b);

/* For weft_op.identity: input 0, where output 0 has its extents. */
int weft_identity_of_extents(const weft_bind *bind);
/* Makes all elements of a float64 tensor 0. */
void weft_clear_f64(const weft_tensor *tensor);

/* Elements of output 0. */
int64_t weft_bind_elements(const weft_bind *bind);
/* Bytes of all operands, each once; inputs that are shape_only not counted. */
double weft_bind_bytes(const weft_bind *bind);

#endif

/* Padding with a value's own elements. */
#ifndef WEFT_OPS_BORDER_H
#define WEFT_OPS_BORDER_H

#include "weft/array.h"

/* weft_pad for every mode but WEFT_PAD_CONSTANT. */
weft_value weft_border(weft_value x, const weft_pad_options *options);

#endif

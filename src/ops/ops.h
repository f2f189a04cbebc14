/* The built-in ops, one declaration each: src/ops/builtin.c lists them. */
#ifndef WEFT_OPS_OPS_H
#define WEFT_OPS_OPS_H

#include "weft/op.h"

#endif

#include "kernels/argmax.h"

WEFT_ISA_DEFINE(weft_argmax_kernels, weft_argmax_table)

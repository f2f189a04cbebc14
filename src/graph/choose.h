/* Choosing among algorithms by what is remembered and measured (weft/wisdom.h). */
#ifndef WEFT_GRAPH_CHOOSE_H
#define WEFT_GRAPH_CHOOSE_H

#include "graph/ir.h"
#include "kernels/convolution.h"

/* *algorithm is the one to take; NULL: the cost model's. Measures where the compile options say so. */
weft_status weft_choose_convolution(const weft_ir *ir, const weft_convolution_problem *problem,
                                    weft_convolution_pass pass, const char **algorithm);

/* The same for an op's bind; false when memory is short: bind then returns false at once. */
bool weft_bind_choose_convolution(weft_bind *bind, const weft_convolution_problem *problem,
                                  weft_convolution_pass pass, const char **algorithm);

#endif

/* How long a kernel takes. */
#ifndef WEFT_GRAPH_MEASURE_H
#define WEFT_GRAPH_MEASURE_H

#include "graph/ir.h"

/* Runs a plan with plain slots as a step of the program that is compiled would: by the executor and its
 * threads, on memory as an arena is, here of its own. Operand i (inputs, then the output) has floats[i]
 * floats. What is prepared of a steady input takes no time. Lowers *fastest to the seconds of the fastest of
 * several runs, as many as fit into about `seconds`; two, even if they take up to 10 times that; one at least.
 * WEFT_ERROR_MEMORY. */
weft_status weft_measure(const weft_ir *ir, const weft_kernel_plan *plan, const int64_t *floats,
                         int operands, bool steady, double seconds, double *fastest);

#endif

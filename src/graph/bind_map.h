/* From an elementwise kernel to the step of a program. */
#ifndef WEFT_GRAPH_BIND_MAP_H
#define WEFT_GRAPH_BIND_MAP_H

#include "kernels/map.h"

/* Binds a node that computes the function of its first inputs in one phase. */
bool weft_map_bind(weft_bind *bind, weft_map_function function, float a, float b);

#endif

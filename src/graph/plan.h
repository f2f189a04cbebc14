/* The inside of a memory plan, for those that draw it. */
#ifndef WEFT_GRAPH_PLAN_H
#define WEFT_GRAPH_PLAN_H

#include "weft/plan.h"

weft_context *weft_plan_context(const weft_plan *plan);

#endif

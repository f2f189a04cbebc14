/* From the plan of a kernel to the step of a program. */
#ifndef WEFT_OPS_BIND_PLAN_H
#define WEFT_OPS_BIND_PLAN_H

#include "kernels/plan.h"
#include "kernels/repeat_plan.h"

/* Where operand number `operand` (inputs, then outputs, then the workspace) is in weft_call.operand. */
int weft_bind_slot(const weft_bind *bind, int operand);

/* The operands of a node as slots of a kernel: inputs in order, output 0, workspace. */
weft_slots weft_bind_slots(const weft_bind *bind);

/* Asks for what the plan needs: arguments, workspace, phases; and names its algorithm. False when memory is short. */
bool weft_bind_plan(weft_bind *bind, const weft_kernel_plan *plan);
/* The same of a plan made with slots NULL and without an epilogue, for each of these places; changes the plan. */
bool weft_bind_repeated(weft_bind *bind, weft_kernel_plan *plan, const weft_repeat_places *places);

#endif

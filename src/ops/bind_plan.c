#include "ops/bind_plan.h"

#include <string.h>

weft_slots weft_bind_slots(const weft_bind *bind)
{
    return (weft_slots){
        .input = {0, 1, 2},
        .output = bind->inputs,
        .workspace = bind->inputs + bind->outputs,
    };
}

bool weft_bind_plan(weft_bind *bind, const weft_kernel_plan *plan)
{
    void *args = weft_bind_args(bind, sizeof(plan->args));
    if (args == NULL)
        return false;
    memcpy(args, plan->args, sizeof(plan->args));
    if (plan->workspace > 0)
        weft_bind_workspace(bind, plan->workspace);
    for (int i = 0; i < plan->phases; i++)
        weft_bind_phase(bind, plan->phase[i].run, plan->phase[i].pieces);
    return true;
}

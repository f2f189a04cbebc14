#include "kernels/merge.h"

#include "kernels/integer.h"

WEFT_ISA_DEFINE(weft_merge_kernels, weft_merge_copies)

void weft_merge_plan(weft_merge *merge, weft_kernel_plan *plan)
{
    int64_t size = weft_merge_floats(merge);
    plan->workspace += (size_t)size * sizeof(float);
    merge->pieces = weft_least(merge->rows, weft_ceiling(size, 65536));
    plan->phase[plan->phases++] = (weft_phase){weft_merge_copies()->run, merge->pieces};
}

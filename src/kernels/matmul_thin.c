#include "kernels/matmul_thin.h"

#include "kernels/integer.h"

#include <string.h>

WEFT_ISA_DEFINE(weft_thin_kernels, weft_matmul_thin)

/* Where the large matrix is small, or its rows are short, tiles are as good; and they write what fits the caches
 * faster. */
static bool is_thin(const weft_matmul_problem *p)
{
    const int64_t few = WEFT_THIN / 2, row = 64, read = 16384, written = 8 << 20; /* floats */
    if (p->transpose_a)
        return p->inner <= few && !p->transpose_b && p->rows * p->columns >= written &&
               p->columns >= row;
    if (p->inner * p->columns < read)
        return false;
    return p->transpose_b ? p->rows <= few && p->inner >= row
                          : p->rows <= WEFT_THIN && p->columns >= row;
}

bool weft_thin_plan(const weft_matmul_problem *problem, const weft_slots *slots,
                    weft_kernel_plan *plan)
{
    const int64_t pieces = 8, unit = 16;
    if (!is_thin(problem))
        return false;
    weft_thin thin = {.slots = *slots, .problem = *problem};
    const weft_thin_kernels *kernels = weft_matmul_thin();
    int64_t extent = problem->transpose_a ? problem->rows : problem->columns;
    thin.block = weft_ceiling(weft_ceiling(extent, pieces), unit) * unit;
    if (!problem->transpose_a)
        thin.block = weft_least(thin.block, WEFT_THIN_COLUMNS);
    thin.blocks = weft_ceiling(extent, thin.block);
    plan->parts = 1;
    plan->phases = 1;
    plan->phase[0] = (weft_phase){problem->transpose_a   ? kernels->outer
                                  : problem->transpose_b ? kernels->columns
                                                         : kernels->rows,
                                  thin.blocks * problem->batch};
    plan->cycles = (double)(problem->batch * problem->rows * problem->columns * problem->inner) / 4;
    _Static_assert(sizeof thin <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &thin, sizeof thin);
    return true;
}

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

static const int64_t PIECES = 8, UNIT = 16;

static void cut(weft_thin *thin, int64_t extent)
{
    thin->block = weft_ceiling(weft_ceiling(extent, PIECES), UNIT) * UNIT;
    thin->blocks = weft_ceiling(extent, thin->block);
}

/* Whole rows of B, or wide parts of them, which the processor follows through memory. */
static void cut_rows(weft_thin *thin, weft_kernel_plan *plan)
{
    const int64_t worth = 16384; /* floats of B for a split */
    const weft_matmul_problem *p = &thin->problem;
    int64_t widest = WEFT_THIN_SUMS / p->rows / UNIT * UNIT;
    int64_t blocks = weft_ceiling(p->columns, widest);
    thin->block = weft_ceiling(weft_ceiling(p->columns, blocks), UNIT) * UNIT;
    thin->blocks = weft_ceiling(p->columns, thin->block);
    int64_t wanted = weft_ceiling(PIECES, thin->blocks * p->batch);
    thin->splits = weft_most(1, weft_least(wanted, p->inner * p->columns / worth));
    if (thin->splits == 1)
        return;
    int64_t floats = p->batch * thin->splits * p->rows * thin->blocks * thin->block;
    plan->workspace = (size_t)floats * sizeof(float);
    plan->phase[plan->phases++] = (weft_phase){
        weft_matmul_thin()->merge, p->batch * weft_ceiling(p->columns, WEFT_THIN_MERGE)};
}

bool weft_thin_plan(const weft_matmul_problem *problem, const weft_slots *slots,
                    weft_kernel_plan *plan)
{
    if (!is_thin(problem))
        return false;
    weft_thin thin = {.slots = *slots, .problem = *problem, .splits = 1};
    const weft_thin_kernels *kernels = weft_matmul_thin();
    plan->parts = 1;
    plan->phases = 1;
    if (problem->transpose_a)
        cut(&thin, problem->rows);
    else if (problem->transpose_b)
        cut(&thin, problem->columns);
    else
        cut_rows(&thin, plan);
    plan->phase[0] = (weft_phase){problem->transpose_a   ? kernels->outer
                                  : problem->transpose_b ? kernels->columns
                                                         : kernels->rows,
                                  thin.splits * thin.blocks * problem->batch};
    plan->cycles = (double)(problem->batch * problem->rows * problem->columns * problem->inner) / 4;
    _Static_assert(sizeof thin <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &thin, sizeof thin);
    return true;
}

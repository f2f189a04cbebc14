/* Plans of reductions: which dimensions are walked how, and how the work is cut. */
#include "kernels/reduce.h"

#include "kernels/integer.h"

WEFT_ISA_DEFINE(weft_reduce_kernels, weft_reduce_table)

enum { ELEMENTS_A_PIECE = 32768, PIECES_ENOUGH = 32 };

/* Drops extents of 1 and merges neighbours that are walked alike. */
static weft_reduce_problem merged(const weft_reduce_problem *given)
{
    weft_reduce_problem out = *given;
    out.rank = 0;
    for (int i = 0; i < given->rank; i++) {
        if (given->extent[i] == 1)
            continue;
        int64_t extent = given->extent[i], from = given->from_stride[i];
        int64_t to = given->reduced[i] ? 0 : given->to_stride[i];
        int last = out.rank - 1;
        bool joins = last >= 0 && out.reduced[last] == given->reduced[i] &&
                     out.from_stride[last] == extent * from && out.to_stride[last] == extent * to;
        int at = joins ? last : out.rank++;
        out.extent[at] = joins ? out.extent[at] * extent : extent;
        out.from_stride[at] = from;
        out.to_stride[at] = to;
        out.reduced[at] = given->reduced[i];
    }
    return out;
}

static void walk_add(weft_reduce_walk *walk, const weft_reduce_problem *problem, int dimension)
{
    walk->extent[walk->rank] = problem->extent[dimension];
    walk->from[walk->rank] = problem->from_stride[dimension];
    walk->to[walk->rank++] = problem->to_stride[dimension];
    walk->count *= problem->extent[dimension];
}

static void cut(weft_reduce_plan *plan, bool deviations)
{
    weft_reduce_args *args = &plan->args;
    int64_t parts = args->run ? weft_ceiling(args->run, WEFT_REDUCE_RUN_PART) : 1;
    args->units = args->rows.count * parts;
    int64_t blocks = weft_ceiling(args->columns, args->column_block);
    int64_t work = args->rows.count * weft_most(args->run, args->column_block);
    args->kept_a_piece = weft_least(args->kept.count, weft_most(1, ELEMENTS_A_PIECE / work));
    plan->pieces = weft_ceiling(args->kept.count, args->kept_a_piece) * blocks;
    args->slices = 1;
    if (plan->pieces < PIECES_ENOUGH && work > ELEMENTS_A_PIECE)
        args->slices = weft_least(weft_least(args->units, weft_ceiling(work, ELEMENTS_A_PIECE)),
                                  PIECES_ENOUGH / plan->pieces);
    plan->pieces *= args->slices;
    if (args->slices > 1)
        plan->workspace_bytes =
            (size_t)(args->slices * args->kept.count * args->columns) * sizeof(float);
    if (deviations)
        plan->workspace_bytes *= 2;
}

weft_reduce_plan weft_reduce_make(const weft_reduce_problem *given)
{
    weft_reduce_problem problem = merged(given);
    weft_reduce_plan plan = {.args = {.output = 1,
                                      .scale = problem.scale,
                                      .kept = {.count = 1},
                                      .rows = {.count = 1},
                                      .columns = 1}};
    weft_reduce_args *args = &plan.args;
    int last = problem.rank - 1;
    for (int i = 0; i < problem.rank; i++) {
        bool inner = i == last && problem.from_stride[i] == 1;
        if (inner && problem.reduced[i])
            args->run = problem.extent[i];
        else if (inner && problem.to_stride[i] == 1)
            args->columns = problem.extent[i];
        else
            walk_add(problem.reduced[i] ? &args->rows : &args->kept, &problem, i);
    }
    args->column_block = weft_least(args->columns, WEFT_REDUCE_COLUMN_BLOCK);
    cut(&plan, problem.kind == WEFT_REDUCE_SUM_DEVIATIONS);
    return plan;
}

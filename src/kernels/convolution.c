#include "kernels/convolution.h"

#include "kernels/convolution_candidates.h"
#include "kernels/epilogue.h"

#include <string.h>

static const weft_convolution_candidate *const candidates[] = {
    &weft_convolution_depthwise_candidate,
    &weft_convolution_grouped_candidate,
    &weft_convolution_direct_candidate,
    &weft_convolution_outer_candidate,
    &weft_winograd_2x2_candidate,
    &weft_winograd_4x4_candidate,
    &weft_winograd_outer_2x2_candidate,
    &weft_winograd_outer_4x4_candidate,
    &weft_winograd_positions_2x2_candidate,
    &weft_winograd_positions_4x4_candidate,
    &weft_winograd_positions_outer_2x2_candidate,
    &weft_winograd_positions_outer_4x4_candidate,
    &weft_winograd_2x2_of_5x5_candidate,
    &weft_winograd_outer_2x2_of_5x5_candidate,
    &weft_winograd_4_of_3_candidate,
    &weft_winograd_outer_4_of_3_candidate,
    &weft_winograd_positions_4_of_3_candidate,
    &weft_winograd_positions_outer_4_of_3_candidate,
    &weft_winograd_3_of_7_candidate,
    &weft_winograd_outer_3_of_7_candidate,
    &weft_winograd_positions_3_of_7_candidate,
    &weft_winograd_positions_outer_3_of_7_candidate,
    &weft_winograd_3x3_of_4x4_candidate,
    &weft_winograd_outer_3x3_of_4x4_candidate,
    &weft_winograd_strided_4x4_candidate,
    &weft_winograd_outer_strided_4x4_candidate,
    &weft_winograd_strided_3x3_candidate,
    &weft_winograd_outer_strided_3x3_candidate,
};

/* Where a filter has one tap and nothing else moves the pixels, a row of them may be as long as memory
 * allows: W takes in H, then D, then the batch, while both arrays go on without a gap. What is left is a
 * matrix product. */
static weft_convolution_problem collapse(const weft_convolution_problem *problem)
{
    weft_convolution_problem p = *problem;
    for (int i = 0; i < 3; i++)
        if (p.kernel[i] != 1 || p.stride[i] != 1 || p.pad[i] != 0 || p.in[i] != p.out[i])
            return p;
    for (int i = 2; i >= 0; i--) { /* stride[i] is of the dimension before in[i] */
        int64_t *extent = i ? &p.in[i - 1] : &p.batch;
        if (*extent > 1 &&
            (p.x_stride[i] != p.in[2] * p.x_stride[3] || p.y_stride[i] != p.in[2] * p.y_stride[3] ||
             !weft_epilogue_goes_on(p.epilogue, i, p.in[2])))
            break;
        p.in[2] *= *extent;
        *extent = 1;
    }
    memcpy(p.out, p.in, sizeof p.out);
    return p;
}

_Static_assert(sizeof candidates / sizeof *candidates == WEFT_CONVOLUTION_ALGORITHMS,
               "weft_convolution_plans has room for all");

/* Plans by one candidate; false where it cannot. */
static bool plan_by(const weft_convolution_candidate *by, const weft_convolution_problem *problem,
                    weft_convolution_pass pass, const weft_slots *slots, weft_kernel_plan *plan)
{
    int inputs = pass != WEFT_CONVOLUTION_FILTER_GRADIENT && problem->bias ? 3 : 2;
    weft_slots plain = {
        .input = {0, 1, 2}, .output = inputs, .workspace = inputs + 1, .prepared = inputs + 2};
    weft_convolution_problem simple = by->keeps_rows ? *problem : collapse(problem);
    if (!by->applicable(&simple, pass))
        return false;
    memset(plan, 0, sizeof *plan);
    plan->algorithm = by->name;
    by->plan(&simple, pass, slots ? slots : &plain, plan);
    return true;
}

/* Tells the epilogue about the plan that is taken. */
static void take(const weft_convolution_problem *problem, weft_kernel_plan *plan)
{
    if (problem->epilogue)
        plan->workspace = weft_epilogue_workspace(problem->epilogue, plan->parts, plan->workspace);
}

int weft_convolution_plans(const weft_convolution_problem *problem, weft_convolution_pass pass,
                           weft_kernel_plan plan[WEFT_CONVOLUTION_ALGORITHMS])
{
    int count = 0;
    for (int i = 0; i < WEFT_CONVOLUTION_ALGORITHMS; i++)
        count += plan_by(candidates[i], problem, pass, NULL, &plan[count]);
    return count;
}

void weft_convolution_plan(const weft_convolution_problem *problem, weft_convolution_pass pass,
                           const weft_slots *slots, weft_kernel_plan *plan)
{
    bool found = false;
    for (int i = 0; i < WEFT_CONVOLUTION_ALGORITHMS; i++) {
        weft_kernel_plan candidate;
        if (!plan_by(candidates[i], problem, pass, slots, &candidate))
            continue;
        if (!found || candidate.cycles < plan->cycles)
            *plan = candidate;
        found = true;
    }
    take(problem, plan);
}

bool weft_convolution_plan_by(const char *algorithm, const weft_convolution_problem *problem,
                              weft_convolution_pass pass, const weft_slots *slots,
                              weft_kernel_plan *plan)
{
    for (int i = 0; i < WEFT_CONVOLUTION_ALGORITHMS; i++)
        if (strcmp(candidates[i]->name, algorithm) == 0 &&
            plan_by(candidates[i], problem, pass, slots, plan)) {
            take(problem, plan);
            return true;
        }
    return false;
}

const char *weft_convolution_algorithm(int index)
{
    return index < WEFT_CONVOLUTION_ALGORITHMS ? candidates[index]->name : NULL;
}

#include "kernels/matmul.h"

#include "kernels/convolution_direct.h"
#include "kernels/convolution_outer.h"
#include "kernels/epilogue.h"
#include "kernels/matmul_thin.h"

WEFT_ISA_DEFINE(weft_tiles, weft_matmul_tiles)

/* A convolution with one tap over one row of pixels: rows of A are pixels, batches are groups. */
static void plan_rows(const weft_matmul_problem *p, const weft_slots *slots, weft_kernel_plan *plan)
{
    weft_direct direct = {
        .slots = *slots,
        .epilogue = p->epilogue,
        .bias = p->bias,
        .batch = 1,
        .groups = p->batch,
        .channels = p->inner,
        .filters = p->columns,
        .dimension = {{1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}, {p->rows, p->rows, 1, 1, 1, 0}},
        .a_stride = {0, 0, 0, p->a_stride},
        .a_group = p->a_batch_stride,
        .c_stride = {0, 0, 0, p->c_stride},
        .c_group = p->c_batch_stride,
        .b_channel = p->transpose_b ? 1 : p->b_stride,
        .b_filter = p->transpose_b ? p->b_stride : 1,
        .b_group = p->b_batch_stride,
        .steady = p->steady_b};
    weft_direct_plan(&direct, plan);
}

/* The filter gradient of the same: the stored rows of A are pixels. */
static void plan_outer(const weft_matmul_problem *p, const weft_slots *slots,
                       weft_kernel_plan *plan)
{
    weft_outer outer = {
        .slots = *slots,
        .bias = p->bias,
        .batch = 1,
        .groups = p->batch,
        .channels = p->rows,
        .filters = p->columns,
        .dimension = {{1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}, {p->inner, p->inner, 1, 1, 1, 0}},
        .a_stride = {0, 0, 0, p->a_stride},
        .a_group = p->a_batch_stride,
        .b_stride = {0, 0, 0, p->transpose_b ? 1 : p->b_stride},
        .b_filter = p->transpose_b ? p->b_stride : 1,
        .b_group = p->b_batch_stride,
        .c = {.channel = p->c_stride, .group = p->c_batch_stride},
        .copy = {.channel = p->columns, .group = p->rows * p->columns},
        .merge = {.rows = p->batch * p->rows,
                  .width = p->columns,
                  .group = p->rows,
                  .outer = p->c_batch_stride,
                  .inner = p->c_stride}};
    weft_outer_plan(&outer, plan);
}

void weft_matmul_plan(const weft_matmul_problem *problem, const weft_slots *slots,
                      weft_kernel_plan *plan)
{
    int inputs = problem->bias ? 3 : 2;
    weft_slots plain = {
        .input = {0, 1, 2}, .output = inputs, .workspace = inputs + 1, .prepared = inputs + 2};
    if (!slots)
        slots = &plain;
    *plan = (weft_kernel_plan){.algorithm = "thin"};
    if (!weft_thin_plan(problem, slots, plan)) {
        plan->algorithm = problem->transpose_a ? "outer" : "rows";
        (problem->transpose_a ? plan_outer : plan_rows)(problem, slots, plan);
    }
    if (problem->epilogue)
        plan->workspace = weft_epilogue_workspace(problem->epilogue, plan->parts, plan->workspace);
}

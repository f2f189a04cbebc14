#include "kernels/convolution_depthwise.h"

#include "kernels/convolution_candidates.h"
#include "kernels/integer.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_depthwise_kernels, weft_convolution_depthwise)

static bool applicable(const weft_convolution_problem *problem, weft_convolution_pass pass)
{
    (void)pass;
    return problem->in_channels == problem->groups && problem->out_channels == problem->groups;
}

static void plan(const weft_convolution_problem *problem, weft_convolution_pass pass,
                 const weft_slots *slots, weft_kernel_plan *result)
{
    bool gradient = pass == WEFT_CONVOLUTION_INPUT_GRADIENT;
    bool filter = pass == WEFT_CONVOLUTION_FILTER_GRADIENT;
    weft_depthwise args = {.slots = *slots,
                           .epilogue = filter ? NULL : problem->epilogue,
                           .prologue = problem->prologue,
                           .gradient = gradient,
                           .flip = problem->flip_filter,
                           .bias = problem->bias && !filter,
                           .batch = problem->batch,
                           .channels = problem->groups};
    memcpy(args.a_stride, gradient ? problem->y_stride : problem->x_stride, sizeof args.a_stride);
    memcpy(args.c_stride, gradient ? problem->x_stride : problem->y_stride, sizeof args.c_stride);
    int64_t taps = 1;
    for (int i = 0; i < 3; i++) {
        args.dimension[i] = (weft_dimension){.in = gradient ? problem->out[i] : problem->in[i],
                                             .out = gradient ? problem->in[i] : problem->out[i],
                                             .kernel = problem->kernel[i],
                                             .stride = problem->stride[i],
                                             .dilation = problem->dilation[i],
                                             .pad = problem->pad[i]};
        args.phases[i] = gradient ? problem->stride[i] : 1;
        args.blocks[i] = weft_ceiling(args.dimension[i].out, args.phases[i]);
        taps *= problem->kernel[i];
    }

    int64_t rows = problem->batch * args.blocks[0] * args.blocks[1];
    double work = weft_convolution_multiply_adds(problem);
    args.channel_blocks = weft_ceiling(problem->groups, 256);
    args.channel_block = weft_ceiling(weft_ceiling(problem->groups, args.channel_blocks), 16) * 16;
    args.channel_blocks = weft_ceiling(problem->groups, args.channel_block);
    int64_t wanted = weft_ceiling((int64_t)ceil(work / 400e3), args.channel_blocks);
    args.ranges = weft_least(weft_most(wanted, 1), filter ? weft_least(rows, 32) : rows);

    const weft_depthwise_kernels *kernels = weft_convolution_depthwise();
    result->cycles = work / 8;
    result->parts = args.ranges;
    result->phases = 1;
    result->phase[0] =
        (weft_phase){filter ? kernels->filter : kernels->run, args.channel_blocks * args.ranges};
    if (filter) {
        args.merge = (weft_merge){.rows = taps,
                                  .width = problem->groups,
                                  .group = taps,
                                  .inner = problem->groups,
                                  .copies = args.ranges,
                                  .output = slots->output,
                                  .workspace = slots->workspace,
                                  .bias = -1};
        weft_merge_plan(&args.merge, result);
    }
    _Static_assert(sizeof args <= sizeof result->args, "the plan has room for its arguments");
    memcpy(result->args, &args, sizeof args);
}

const weft_convolution_candidate weft_convolution_depthwise_candidate = {"depthwise", applicable,
                                                                         plan};

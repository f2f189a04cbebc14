#include "kernels/convolution_depthwise.h"

#include "kernels/convolution_candidates.h"
#include "kernels/cpu.h"
#include "kernels/integer.h"
#include "kernels/matmul_tile.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_depthwise_kernels, weft_convolution_depthwise)

static bool is_depthwise(const weft_convolution_problem *problem, weft_convolution_pass pass)
{
    (void)pass;
    return problem->in_channels == problem->groups && problem->out_channels == problem->groups;
}

static bool is_grouped(const weft_convolution_problem *problem, weft_convolution_pass pass)
{
    (void)pass;
    int64_t group = problem->in_channels / problem->groups;
    return problem->groups > 1 && problem->in_channels == problem->out_channels &&
           (group == 2 || group == 4 || group == 8) && group <= weft_matmul_tiles()->lanes;
}

/* The input gradient in groups reads its filter from there. */
static void prepare_filter(weft_kernel_plan *result, int64_t taps, int64_t floats)
{
    result->phase[result->phases++] = (weft_phase){weft_convolution_depthwise()->swap, taps, 0};
    result->prepare_phases = 1;
    result->prepare_inputs = 1u << 1;
    result->prepared = (size_t)floats * sizeof(float);
}

/* Groups keep a vector's lanes busy, and depthwise convolution loads. */
static double cycles_of(const weft_depthwise *d, bool filter, double multiply_adds)
{
    double lanes = (double)weft_matmul_tiles()->lanes;
    if (d->group == 1)
        return multiply_adds / 8;
    if (!filter)
        return multiply_adds / (1.25 * lanes);
    double each = !weft_depthwise_has_sums(d) ? 4 : d->dimension[2].stride == 1 ? 1.35 : 1.7;
    return multiply_adds / lanes * each;
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
                           .channels = problem->in_channels,
                           .group = problem->in_channels / problem->groups};
    memcpy(args.a_stride, gradient ? problem->y_stride : problem->x_stride, sizeof args.a_stride);
    memcpy(args.c_stride, gradient ? problem->x_stride : problem->y_stride, sizeof args.c_stride);
    int64_t taps = 1;
    for (int i = 0; i < 3; i++) {
        args.dimension[i] = weft_dimension_of(problem, gradient, i);
        args.phases[i] = gradient ? problem->stride[i] : 1;
        args.blocks[i] = weft_ceiling(args.dimension[i].out, args.phases[i]);
        taps *= problem->kernel[i];
    }

    int64_t floats = problem->batch * args.channels;
    for (int i = 0; i < 3; i++)
        floats *= args.dimension[i].out;
    args.far = floats > weft_cpu_floats(floats);
    int64_t rows = problem->batch * args.blocks[0] * args.blocks[1];
    double work = weft_convolution_multiply_adds(problem);
    args.channel_blocks = weft_ceiling(args.channels, 256);
    args.channel_block = weft_ceiling(weft_ceiling(args.channels, args.channel_blocks), 16) * 16;
    args.channel_blocks = weft_ceiling(args.channels, args.channel_block);
    int64_t wanted = weft_ceiling((int64_t)ceil(work / 400e3), args.channel_blocks);
    args.ranges = weft_least(weft_most(wanted, 1), filter ? weft_least(rows, 32) : rows);

    const weft_depthwise_kernels *kernels = weft_convolution_depthwise();
    result->cycles = cycles_of(&args, filter, work);
    result->parts = args.ranges;
    result->phases = 0;
    if (gradient && args.group > 1)
        prepare_filter(result, taps, taps * args.group * args.channels);
    result->phase[result->phases++] =
        (weft_phase){filter ? kernels->filter : kernels->run, args.channel_blocks * args.ranges};
    if (filter) {
        args.merge = (weft_merge){.rows = taps * args.group,
                                  .width = args.channels,
                                  .group = taps * args.group,
                                  .inner = args.channels,
                                  .copies = args.ranges,
                                  .output = slots->output,
                                  .workspace = slots->workspace,
                                  .bias = -1};
        weft_merge_plan(&args.merge, result);
    }
    _Static_assert(sizeof args <= sizeof result->args, "the plan has room for its arguments");
    memcpy(result->args, &args, sizeof args);
}

const weft_convolution_candidate weft_convolution_depthwise_candidate = {"depthwise", is_depthwise,
                                                                         plan, true};
const weft_convolution_candidate weft_convolution_grouped_candidate = {"grouped", is_grouped, plan,
                                                                       true};

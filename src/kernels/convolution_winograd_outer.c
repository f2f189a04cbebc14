#include "kernels/convolution_winograd_outer.h"

#include "kernels/convolution_candidates.h"
#include "kernels/cpu.h"
#include "kernels/matmul_tile.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_2x2)
WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_4x4)
WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_3x3_of_4x4)
WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_2x2_of_5x5)
WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_4_of_3)
WEFT_ISA_DEFINE(weft_winograd_outer_kernels, weft_winograd_outer_3_of_7)

/* Fills in what follows from the blocking; false where a piece has no room for it. */
static bool lay_out(weft_winograd_outer *o, int64_t lanes)
{
    int64_t positions = weft_winograd_positions_of(&o->grid);
    int64_t channels = o->channel_vectors * lanes, filters = o->filter_vectors * lanes;
    o->x_position = weft_winograd_spread(o->group * channels);
    o->y_position = weft_winograd_spread(o->group * filters);
    o->sums_position = weft_winograd_spread(channels * filters);
    o->x_block = positions * o->x_position;
    o->y_block = positions * o->y_position;
    o->sums_block = positions * o->sums_position;
    o->x_floats = o->x_ahead ? o->groups * o->channel_blocks * o->x_block : 0;
    o->y_floats = o->y_ahead ? o->groups * o->filter_blocks * o->y_block : 0;
    return o->sums_block + (o->x_ahead ? 0 : o->x_block) + (o->y_ahead ? 0 : o->y_block) <=
           weft_cpu_floats(WEFT_WINOGRAD_OUTER_STACK);
}

/* Cycles of the products of one position: all channels, a block of `vectors` vectors of filters. */
static double block_cycles(const weft_winograd_outer *o, const weft_tiles *tiles, int64_t vectors)
{
    const double call = 12, keep = 2; /* of a register tile; of a vector of the sums */
    int64_t rows = weft_least(o->channel_vectors * tiles->lanes, o->x.channels);
    int64_t panels = weft_ceiling(vectors, o->vectors);
    double step = 0, calls = 0;
    for (int64_t i = 0; i < panels; i++) {
        int64_t v = vectors * (i + 1) / panels - vectors * i / panels;
        int64_t down = weft_ceiling(rows, tiles->max_rows[v]), larger = rows % down;
        step += (double)(down - larger) * weft_tile_cycles(rows / down, v);
        if (larger)
            step += (double)larger * weft_tile_cycles(rows / down + 1, v);
        calls += (double)down;
    }
    return (double)o->x.channels / (double)rows *
           ((double)o->grid.count * step +
            (double)o->groups * (call * calls + keep * (double)(rows * vectors)));
}

/* Cycles of it all. Through memory goes what many pieces read in turn, at a higher price than in
 * convolution_winograd.c. */
static double cycles_of(const weft_winograd_outer *o, const weft_tiles *tiles)
{
    const weft_winograd_cycles of = weft_winograd_transform_cycles(&o->grid);
    const double near = 0.35, far = 0.9, near_floats = 4e6;
    double positions = (double)(weft_winograd_positions_of(&o->grid));
    double count = (double)o->grid.count;
    double channel_vectors = (double)weft_ceiling(o->x.channels, tiles->lanes);
    double filter_vectors = (double)weft_ceiling(o->y.channels, tiles->lanes);
    int64_t all = weft_ceiling(o->y.channels, tiles->lanes);
    int64_t whole = all / o->filter_vectors, rest = all % o->filter_vectors;
    double cycles = (double)whole * block_cycles(o, tiles, o->filter_vectors) +
                    (rest ? block_cycles(o, tiles, rest) : 0);
    cycles *= positions;
    cycles += of.pixel * count * channel_vectors * (double)(o->x_ahead ? 1 : o->filter_blocks) +
              of.sum * count * filter_vectors * (double)(o->y_ahead ? 1 : o->channel_blocks) +
              of.sum * (double)o->splits * (double)o->x.channels * filter_vectors;
    double floats = (double)(o->x_floats + o->y_floats);
    double move = (floats < near_floats ? near : far) * positions * count;
    if (o->x_ahead)
        cycles += move * (double)o->x.channels * (double)(1 + o->filter_blocks);
    if (o->y_ahead)
        cycles += move * (double)o->y.channels * (double)(1 + o->channel_blocks);
    if (o->splits > 1)
        cycles += (double)(o->merge.rows * o->merge.width * o->splits);
    return cycles;
}

/* Tries sizes of a group for blocks of channels and filters; *best and *least hold the best blocking so far.
 * Few pieces leave a thread without work at the end. */
static void choose_group(weft_winograd_outer *o, const weft_tiles *tiles, weft_winograd_outer *best,
                         double *least, double *cycles)
{
    int64_t blocks = o->channel_blocks * o->filter_blocks;
    for (int64_t most = 8; most <= 256; most += most / 2) {
        o->groups = weft_ceiling(o->grid.count, most);
        o->group = weft_ceiling(o->grid.count, o->groups);
        o->groups = weft_ceiling(o->grid.count, o->group);
        for (int64_t pieces = 1; pieces <= 32; pieces *= 2) {
            o->splits = weft_least(o->groups, weft_ceiling(pieces, blocks));
            for (int ahead = 0; ahead < 4; ahead++) {
                o->x_ahead = ahead & 1;
                o->y_ahead = ahead & 2;
                if (!lay_out(o, tiles->lanes))
                    continue;
                double all = cycles_of(o, tiles);
                double wait = 1 + 1.0 / (double)(blocks * o->splits);
                if (all * wait < *least) {
                    *least = all * wait;
                    *cycles = all;
                    *best = *o;
                }
            }
        }
        if (o->groups == 1)
            break;
    }
}

static void choose(weft_winograd_outer *o, double *cycles)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    int64_t channels = weft_ceiling(o->x.channels, tiles->lanes);
    int64_t filters = weft_ceiling(o->y.channels, tiles->lanes);
    weft_winograd_outer best = *o;
    double least = INFINITY;
    for (o->channel_vectors = 1; o->channel_vectors <= weft_least(channels, 8);
         o->channel_vectors++)
        for (o->filter_vectors = 1; o->filter_vectors <= weft_least(filters, 8);
             o->filter_vectors++)
            for (o->vectors = 1; o->vectors <= weft_least(o->filter_vectors, WEFT_TILE_VECTORS);
                 o->vectors++)
                if (tiles->max_rows[o->vectors]) {
                    o->channel_blocks = weft_ceiling(channels, o->channel_vectors);
                    o->filter_blocks = weft_ceiling(filters, o->filter_vectors);
                    choose_group(o, tiles, &best, &least, cycles);
                }
    *o = best;
}

static void plan_size(weft_winograd_size size, const weft_winograd_outer_kernels *kernels,
                      const weft_convolution_problem *problem, const weft_slots *slots,
                      weft_kernel_plan *plan)
{
    int64_t in = problem->in_channels, out = problem->out_channels;
    int64_t all = problem->kernel[1] * problem->kernel[2];
    weft_winograd_outer o = {
        .merge = {.rows = all * in,
                  .width = out,
                  .group = all * in,
                  .inner = out,
                  .output = slots->output,
                  .workspace = slots->workspace,
                  .bias = -1},
        .slots = *slots,
        .flip = problem->flip_filter,
        .grid = weft_winograd_grid_of(size, problem, WEFT_CONVOLUTION_FILTER_GRADIENT),
        .x = weft_winograd_image_of(problem->in, problem->x_stride, in),
        .y = weft_winograd_image_of(problem->out, problem->y_stride, out)};
    o.x.prologue = problem->prologue;
    o.x.pad[0] = problem->pad[1];
    o.x.pad[1] = problem->pad[2];
    if (o.grid.stride > 1) {
        o.blocks = weft_winograd_blocks_of(problem, slots->input[0]);
        o.x = weft_winograd_blocks_image(problem, &o.grid);
        o.slots.input[0] = slots->workspace;
    }
    choose(&o, &plan->cycles);

    int64_t floats = o.x_floats + o.y_floats;
    plan->phases = 0;
    if (o.grid.stride > 1) {
        plan->cycles += weft_winograd_blocks_cycles(problem, &o.x);
        plan->phase[plan->phases++] = weft_winograd_blocks_phase(problem, &o.x, kernels->blocks);
        floats += weft_winograd_blocks_floats(problem, &o.x);
    }
    plan->workspace = (size_t)floats * sizeof(float);
    if (o.x_ahead)
        plan->phase[plan->phases++] = (weft_phase){kernels->x, o.groups * o.channel_blocks};
    if (o.y_ahead)
        plan->phase[plan->phases++] = (weft_phase){kernels->y, o.groups * o.filter_blocks};
    plan->phase[plan->phases++] =
        (weft_phase){kernels->run, o.channel_blocks * o.filter_blocks * o.splits};
    if (o.splits > 1) {
        o.merge.copies = o.splits;
        weft_merge_plan(&o.merge, plan);
    }
    if (o.grid.stride > 1)
        o.x.at = weft_merge_floats(&o.merge) + o.x_floats + o.y_floats;
    _Static_assert(sizeof o <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &o, sizeof o);
}

#define CANDIDATE(name, kernels, text, may, ...)                                                   \
    static bool applicable_##name(const weft_convolution_problem *problem,                         \
                                  weft_convolution_pass pass)                                      \
    {                                                                                              \
        return pass == WEFT_CONVOLUTION_FILTER_GRADIENT &&                                         \
               may(problem, pass, (weft_winograd_size){__VA_ARGS__});                              \
    }                                                                                              \
    static void plan_##name(const weft_convolution_problem *problem, weft_convolution_pass pass,   \
                            const weft_slots *slots, weft_kernel_plan *plan)                       \
    {                                                                                              \
        (void)pass;                                                                                \
        plan_size((weft_winograd_size){__VA_ARGS__}, weft_winograd_outer_##kernels(), problem,     \
                  slots, plan);                                                                    \
    }                                                                                              \
    const weft_convolution_candidate weft_winograd_outer_##name##_candidate = {                    \
        "winograd outer " text, applicable_##name, plan_##name};

CANDIDATE(2x2, 2x2, "2x2", weft_winograd_applicable, 2, 3, 2)
CANDIDATE(4x4, 4x4, "4x4", weft_winograd_applicable, 4, 3, 2)
CANDIDATE(3x3_of_4x4, 3x3_of_4x4, "3x3 of 4x4", weft_winograd_applicable, 3, 4, 2)
CANDIDATE(2x2_of_5x5, 2x2_of_5x5, "2x2 of 5x5", weft_winograd_applicable, 2, 5, 2)
CANDIDATE(4_of_3, 4_of_3, "4 of 3", weft_winograd_applicable, 4, 3, 1)
CANDIDATE(3_of_7, 3_of_7, "3 of 7", weft_winograd_applicable, 3, 7, 1)
CANDIDATE(strided_4x4, 4x4, "strided 4x4", weft_winograd_strided_applicable, 4, 3, 2)
CANDIDATE(strided_3x3, 3x3_of_4x4, "strided 3x3", weft_winograd_strided_applicable, 3, 4, 2)

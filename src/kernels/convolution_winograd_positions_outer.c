#include "kernels/convolution_winograd_positions_outer.h"

#include "kernels/convolution_candidates.h"
#include "kernels/matmul_tile.h"

#include <string.h>

WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_2x2)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4x4)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4_of_3)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_3_of_7)

enum { BLOCK_VECTORS = 8 }; /* of a piece of the transforms */

/* All extents for so many chunks of the tiles and sections of the channels. */
static void lay_out(weft_winograd_positions_outer *p, int lanes, int64_t chunks, int64_t sections)
{
    int64_t positions = weft_winograd_positions_of(&p->grid);
    p->chunk = weft_ceiling(p->groups, chunks);
    p->chunks = weft_ceiling(p->groups, p->chunk);
    p->section = weft_ceiling(p->channel_vectors, sections);
    p->sections = weft_ceiling(p->channel_vectors, p->section);
    p->x_position = weft_winograd_spread(p->group * p->section * lanes);
    p->y_position = weft_winograd_spread(p->group * p->filter_vectors * lanes);
    p->sums_position = weft_winograd_spread(weft_least(p->x.channels, p->section * lanes) *
                                            p->filter_vectors * lanes);
    p->x_group = positions * p->x_position;
    p->y_group = positions * p->y_position;
    p->x_floats = p->chunk * p->x_group;
    p->y_floats = p->chunk * p->y_group;
}

static int64_t sums_floats(const weft_winograd_positions_outer *p)
{
    return weft_winograd_positions_of(&p->grid) * p->sums_position;
}

static int64_t floats_of(const weft_winograd_positions_outer *p)
{
    return p->x_floats + p->y_floats + sums_floats(p);
}

/* Rounds of chunks, or of sections where that takes less memory. */
static void choose_rounds(weft_winograd_positions_outer *p, int lanes)
{
    lay_out(p, lanes, 1, 1);
    weft_winograd_positions_outer sections = *p;
    int64_t tiles = p->x_floats + p->y_floats, sums = sums_floats(p);
    lay_out(
        p, lanes,
        weft_least(WEFT_POSITIONS_OUTER_CHUNKS, weft_ceiling(tiles, WEFT_POSITIONS_OUTER_ROUND)),
        1);
    lay_out(
        &sections, lanes, 1,
        weft_least(WEFT_POSITIONS_OUTER_SECTIONS, weft_ceiling(sums, WEFT_POSITIONS_OUTER_ROUND)));
    if (floats_of(&sections) < floats_of(p))
        *p = sections;
}

/* Groups of so many tiles that a panel of filters stays in the first-level cache. */
static void choose_blocks(weft_winograd_positions_outer *p, int lanes)
{
    const int64_t most = 256;
    p->groups = weft_ceiling(p->grid.count, most);
    p->group = weft_ceiling(p->grid.count, p->groups);
    p->groups = weft_ceiling(p->grid.count, p->group);
    choose_rounds(p, lanes);
    p->x_blocks = weft_ceiling(p->section, BLOCK_VECTORS);
    p->y_blocks = weft_ceiling(p->filter_vectors, BLOCK_VECTORS);
    p->parts = weft_ceiling(p->section, 8);
}

/* Cycles of it all. */
static double cycles_of(const weft_winograd_positions_outer *p, const weft_tiles *tiles)
{
    const weft_winograd_cycles of = weft_winograd_transform_cycles(&p->grid);
    const double call = 14, keep = 2, near = 0.3;
    double positions = (double)(weft_winograd_positions_of(&p->grid));
    double count = (double)p->grid.count, groups = (double)p->groups;
    int64_t panels = weft_ceiling(p->filter_vectors, p->vectors);
    double step = 0;
    for (int64_t i = 0; i < panels; i++) {
        int64_t v = p->filter_vectors * (i + 1) / panels - p->filter_vectors * i / panels;
        int64_t down = weft_ceiling(tiles->lanes, tiles->max_rows[v]);
        step += (double)down *
                (count * weft_tile_cycles(weft_ceiling(tiles->lanes, down), v) + groups * call);
    }
    double sums = (double)(p->channel_vectors * tiles->lanes * p->filter_vectors);
    double cycles = positions * ((double)p->channel_vectors * step + keep * groups * sums);
    cycles += count * (of.pixel * (double)p->channel_vectors + of.sum * (double)p->filter_vectors) +
              of.sum * sums;
    double floats =
        positions * count * (double)((p->channel_vectors + p->filter_vectors) * tiles->lanes);
    double again =
        positions * count * (double)(p->filter_vectors * tiles->lanes * (p->sections - 1));
    cycles += near * (2 * floats + again + 2 * positions * sums * tiles->lanes * (double)p->chunks);
    return cycles + weft_phase_cycles(0, 1) * (double)(2 * p->chunks + 3 * p->sections);
}

static void add_phases(const weft_winograd_positions_outer *p,
                       const weft_winograd_positions_outer_kernels *kernels, weft_kernel_plan *plan)
{
    plan->phases = 0;
    for (int64_t round = 0; round < p->chunks * p->sections; round++) {
        int64_t groups =
            p->chunks > 1 ? weft_least(p->chunk, p->groups - round * p->chunk) : p->groups;
        plan->phase[plan->phases++] =
            (weft_phase){kernels->transform, groups * weft_positions_outer_blocks(p, round), round};
        plan->phase[plan->phases++] =
            (weft_phase){kernels->multiply, weft_winograd_positions_of(&p->grid) * p->parts, round};
        if (p->sections > 1 || round == p->chunks - 1)
            plan->phase[plan->phases++] = (weft_phase){kernels->taps, p->section, round};
    }
    _Static_assert(2 * WEFT_POSITIONS_OUTER_CHUNKS + 1 <= WEFT_PLAN_PHASES &&
                       3 * WEFT_POSITIONS_OUTER_SECTIONS <= WEFT_PLAN_PHASES,
                   "there is room for all");
}

static void plan_size(weft_winograd_size size, const weft_winograd_positions_outer_kernels *kernels,
                      const weft_convolution_problem *problem, const weft_slots *slots,
                      weft_kernel_plan *plan)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    int64_t in = problem->in_channels, out = problem->out_channels;
    weft_winograd_positions_outer p = {
        .slots = *slots,
        .flip = problem->flip_filter,
        .grid = weft_winograd_grid_of(size, problem, WEFT_CONVOLUTION_FILTER_GRADIENT),
        .x = weft_winograd_image_of(problem->in, problem->x_stride, in),
        .y = weft_winograd_image_of(problem->out, problem->y_stride, out),
        .channel_vectors = weft_ceiling(in, tiles->lanes),
        .filter_vectors = weft_ceiling(out, tiles->lanes),
        .vectors = WEFT_POSITIONS_OUTER_VECTORS};
    p.x.prologue = problem->prologue;
    p.x.pad[0] = problem->pad[1];
    p.x.pad[1] = problem->pad[2];
    choose_blocks(&p, tiles->lanes);

    plan->cycles = cycles_of(&p, tiles);
    plan->workspace = (size_t)floats_of(&p) * sizeof(float);
    add_phases(&p, kernels, plan);
    _Static_assert(sizeof p <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &p, sizeof p);
}

#define CANDIDATE(name, text, ...)                                                                 \
    static bool applicable_##name(const weft_convolution_problem *problem,                         \
                                  weft_convolution_pass pass)                                      \
    {                                                                                              \
        return pass == WEFT_CONVOLUTION_FILTER_GRADIENT &&                                         \
               weft_winograd_applicable(problem, pass, (weft_winograd_size){__VA_ARGS__});         \
    }                                                                                              \
    static void plan_##name(const weft_convolution_problem *problem, weft_convolution_pass pass,   \
                            const weft_slots *slots, weft_kernel_plan *plan)                       \
    {                                                                                              \
        (void)pass;                                                                                \
        plan_size((weft_winograd_size){__VA_ARGS__}, weft_winograd_positions_outer_##name(),       \
                  problem, slots, plan);                                                           \
    }                                                                                              \
    const weft_convolution_candidate weft_winograd_positions_outer_##name##_candidate = {          \
        "winograd positions outer " text, applicable_##name, plan_##name};

CANDIDATE(2x2, "2x2", 2, 3, 2)
CANDIDATE(4x4, "4x4", 4, 3, 2)
CANDIDATE(4_of_3, "4 of 3", 4, 3, 1)
CANDIDATE(3_of_7, "3 of 7", 3, 7, 1)

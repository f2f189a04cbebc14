#include "kernels/convolution_winograd_positions_outer.h"

#include "kernels/convolution_candidates.h"
#include "kernels/matmul_tile.h"

#include <string.h>

WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_2x2)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4x4)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4_of_3)
WEFT_ISA_DEFINE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_3_of_7)

enum { BLOCK_VECTORS = 8 }; /* of a piece of the transforms */

/* Groups of so many tiles that a panel of filters stays in the first-level cache; chunks of so many groups
 * that they leave the caches little to forget. */
static void choose_blocks(weft_winograd_positions_outer *p, int lanes)
{
    const int64_t most = 256;
    int64_t positions = weft_winograd_positions_of(&p->grid);
    p->groups = weft_ceiling(p->grid.count, most);
    p->group = weft_ceiling(p->grid.count, p->groups);
    p->groups = weft_ceiling(p->grid.count, p->group);
    p->x_position = weft_winograd_spread(p->group * p->channel_vectors * lanes);
    p->y_position = weft_winograd_spread(p->group * p->filter_vectors * lanes);
    p->sums_position = weft_winograd_spread(p->x.channels * p->filter_vectors * lanes);
    p->x_group = positions * p->x_position;
    p->y_group = positions * p->y_position;
    int64_t chunks =
        weft_ceiling(p->groups * (p->x_group + p->y_group), WEFT_POSITIONS_OUTER_CHUNK);
    p->chunk = weft_ceiling(p->groups, weft_least(chunks, WEFT_POSITIONS_OUTER_CHUNKS));
    p->chunks = weft_ceiling(p->groups, p->chunk);
    p->x_floats = p->chunk * p->x_group;
    p->y_floats = p->chunk * p->y_group;
    p->x_blocks = weft_ceiling(p->channel_vectors, BLOCK_VECTORS);
    p->y_blocks = weft_ceiling(p->filter_vectors, BLOCK_VECTORS);
    p->parts = weft_ceiling(p->channel_vectors, 8);
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
    return cycles + near * (2 * floats + 2 * positions * sums * tiles->lanes * (double)p->chunks);
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
        .grid = weft_winograd_grid_of(size, problem, &problem->out[1]),
        .x = weft_winograd_image_of(problem->in, problem->x_stride, in),
        .y = weft_winograd_image_of(problem->out, problem->y_stride, out),
        .channel_vectors = weft_ceiling(in, tiles->lanes),
        .filter_vectors = weft_ceiling(out, tiles->lanes),
        .vectors = WEFT_POSITIONS_OUTER_VECTORS};
    p.x.prologue = problem->prologue;
    p.x.pad[0] = problem->pad[1];
    p.x.pad[1] = problem->pad[2];
    choose_blocks(&p, tiles->lanes);

    int64_t positions = weft_winograd_positions_of(&p.grid);
    plan->cycles = cycles_of(&p, tiles);
    plan->workspace =
        (size_t)(p.x_floats + p.y_floats + positions * p.sums_position) * sizeof(float);
    plan->phases = 0;
    for (int64_t i = 0; i < p.chunks; i++) {
        int64_t groups = weft_least(p.chunk, p.groups - i * p.chunk);
        plan->phase[plan->phases++] =
            (weft_phase){kernels->transform[i], groups * (p.x_blocks + p.y_blocks)};
        plan->phase[plan->phases++] = (weft_phase){kernels->multiply[i], positions * p.parts};
    }
    plan->phase[plan->phases++] = (weft_phase){kernels->taps, p.channel_vectors};
    _Static_assert(sizeof p <= sizeof plan->args, "the plan has room for its arguments");
    _Static_assert(2 * WEFT_POSITIONS_OUTER_CHUNKS + 1 <= WEFT_PLAN_PHASES, "and for its phases");
    memcpy(plan->args, &p, sizeof p);
}

#define CANDIDATE(name, text, ...)                                                                 \
    static bool applicable_##name(const weft_convolution_problem *problem,                         \
                                  weft_convolution_pass pass)                                      \
    {                                                                                              \
        return pass == WEFT_CONVOLUTION_FILTER_GRADIENT &&                                         \
               weft_winograd_applicable(problem, (weft_winograd_size){__VA_ARGS__});               \
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

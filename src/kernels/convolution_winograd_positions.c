#include "kernels/convolution_winograd_positions.h"

#include "kernels/convolution_candidates.h"
#include "kernels/matmul_tile.h"

#include <string.h>

WEFT_ISA_DEFINE(weft_winograd_positions_kernels, weft_winograd_positions_2x2)
WEFT_ISA_DEFINE(weft_winograd_positions_kernels, weft_winograd_positions_4x4)
WEFT_ISA_DEFINE(weft_winograd_positions_kernels, weft_winograd_positions_4_of_3)
WEFT_ISA_DEFINE(weft_winograd_positions_kernels, weft_winograd_positions_3_of_7)

/* Floats of a row of n that many rows read side by side: not a multiple of 2 KiB, so that they do not
 * fall into the same sets of the first-level cache. */
static int64_t row_step(int64_t n, int lanes)
{
    int64_t step = weft_ceiling(n, lanes) * lanes;
    return step % 512 == 0 ? step + 16 : step;
}

/* All extents for so many chunks of the tiles and sections of the filters. */
static void lay_out(weft_winograd_positions *p, int lanes, int64_t chunks, int64_t sections)
{
    int64_t vectors = weft_ceiling(p->filters, lanes);
    p->chunk = weft_ceiling(p->grid.count, chunks);
    p->chunks = weft_ceiling(p->grid.count, p->chunk);
    p->vectors = weft_least(2, vectors);
    p->section = weft_ceiling(weft_ceiling(vectors, sections), p->vectors) * p->vectors;
    p->section = weft_least(p->section, vectors);
    p->sections = weft_ceiling(vectors, p->section);
    p->pixels_step = row_step(p->channels, lanes);
    p->products_step = row_step(weft_least(p->filters, p->section * lanes), lanes);
    p->pixels_position = weft_winograd_spread(p->chunk * p->pixels_step);
    p->products_position = weft_winograd_spread(p->chunk * p->products_step);
    p->filters_position = weft_winograd_spread(p->channels * p->section * lanes);
}

static int64_t positions_of(const weft_winograd_positions *p)
{
    return weft_winograd_positions_of(&p->grid);
}

static int64_t chunk_floats(const weft_winograd_positions *p)
{
    return positions_of(p) * (p->pixels_position + p->products_position);
}

static int64_t filters_floats(const weft_winograd_positions *p)
{
    return positions_of(p) * p->filters_position;
}

/* Rounds of chunks, or of sections where that takes less memory. */
static void choose_rounds(weft_winograd_positions *p, int lanes, bool steady)
{
    lay_out(p, lanes, 1, 1);
    weft_winograd_positions sections = *p;
    int64_t tiles = chunk_floats(p), filters = filters_floats(p);
    lay_out(p, lanes, weft_least(WEFT_POSITIONS_ROUNDS, weft_ceiling(tiles, WEFT_POSITIONS_ROUND)),
            1);
    lay_out(&sections, lanes, 1,
            weft_least(WEFT_POSITIONS_ROUNDS, weft_ceiling(filters, WEFT_POSITIONS_ROUND)));
    if (!steady &&
        chunk_floats(&sections) + filters_floats(&sections) < chunk_floats(p) + filters_floats(p))
        *p = sections;
}

static void choose_blocks(weft_winograd_positions *p)
{
    const int64_t few = 16,
                  run = 512; /* tiles; channels whose rows stay in the first-level cache */
    p->groups = weft_most(weft_ceiling(p->chunk, few), weft_least(p->chunk, 4));
    p->group = weft_ceiling(p->chunk, p->groups);
    p->groups = weft_ceiling(p->chunk, p->group);
    int64_t blocks = weft_ceiling(p->channels, run);
    p->channel_block = weft_ceiling(p->channels, blocks);
    p->tile_parts = weft_ceiling(p->chunk, 256);
    p->filter_parts = weft_ceiling(p->section, 16);
    p->filter_blocks = weft_ceiling(p->channels, 64);
}

/* Cycles of the products of one position, in a chunk. */
static double product_cycles(const weft_winograd_positions *p, const weft_tiles *tiles)
{
    const double call = 40; /* of a register tile */
    int64_t rows = weft_ceiling(p->chunk, p->tile_parts);
    int64_t down = weft_ceiling(rows, tiles->max_rows[p->vectors]), larger = rows % down;
    double panels = (double)weft_ceiling(weft_ceiling(p->filters, tiles->lanes), p->vectors);
    double blocks = (double)weft_ceiling(p->channels, p->channel_block);
    double step = (double)(down - larger) * weft_tile_cycles(rows / down, p->vectors);
    if (larger)
        step += (double)larger * weft_tile_cycles(rows / down + 1, p->vectors);
    return (double)p->tile_parts * panels *
           ((double)p->channels * step + call * blocks * (double)down);
}

/* Cycles of it all. */
static double cycles_of(const weft_winograd_positions *p, const weft_tiles *tiles, bool steady)
{
    const weft_winograd_cycles of = weft_winograd_transform_cycles(&p->grid);
    const double move = 0.3, read = steady ? 0.25 : 0.4; /* of a float, and of one of a filter */
    const double row = weft_winograd_row_cycles(chunk_floats(p));
    double positions = (double)positions_of(p), chunk = (double)p->chunk;
    double sections = (double)p->sections;
    double vectors = (double)weft_ceiling(p->filters, tiles->lanes);
    double channel_vectors = (double)weft_ceiling(p->channels, tiles->lanes);
    double filters = positions * (double)p->channels * vectors * tiles->lanes;
    double move_pixels = positions * chunk * (row + move * (double)p->pixels_step);
    double move_products =
        positions * chunk * (row * sections + move * vectors * (double)tiles->lanes);
    double pixels = of.pixel * chunk * channel_vectors + move_pixels;
    double products = positions * product_cycles(p, tiles) + sections * move_pixels +
                      move_products + read * filters;
    double write = of.sum * chunk * vectors + move_products;
    int64_t product_pieces = positions_of(p) * p->tile_parts * p->filter_parts;
    double cycles = weft_phase_cycles(pixels, p->groups) +
                    sections * (weft_phase_cycles(write / sections, p->groups) +
                                weft_phase_cycles(products / sections, product_pieces));
    cycles *= (double)p->chunks;
    if (steady)
        return cycles + weft_kept_cycles(filters);
    double floats = filters / sections;
    return cycles +
           sections * weft_phase_cycles(of.filter * (double)p->channels * vectors / sections +
                                            weft_winograd_move_cycles(floats) * floats,
                                        p->filter_blocks);
}

/* Tiles of the last chunk may be fewer. */
static int64_t groups_of(const weft_winograd_positions *p, int64_t chunk)
{
    return weft_ceiling(weft_least(p->chunk, p->grid.count - chunk * p->chunk), p->group);
}

static void add_phases(const weft_winograd_positions *p,
                       const weft_winograd_positions_kernels *kernels, weft_kernel_plan *plan)
{
    size_t filters = (size_t)filters_floats(p) * sizeof(float);
    plan->phases = 0;
    plan->workspace = (size_t)chunk_floats(p) * sizeof(float);
    plan->parts = p->groups * (p->chunks - 1) + groups_of(p, p->chunks - 1);
    if (p->sections == 1) {
        plan->prepare_phases = 1;
        plan->prepare_inputs = 1u << 1;
        plan->prepared = filters;
    } else {
        plan->workspace += filters;
    }
    for (int64_t round = 0; round < p->chunks * p->sections; round++) {
        int64_t chunk = p->sections == 1 ? round : 0, groups = groups_of(p, chunk);
        if (round == 0 || p->sections > 1)
            plan->phase[plan->phases++] = (weft_phase){kernels->filters, p->filter_blocks, round};
        if (round == 0 || p->chunks > 1)
            plan->phase[plan->phases++] = (weft_phase){kernels->pixels, groups, round};
        plan->phase[plan->phases++] = (weft_phase){
            kernels->multiply, positions_of(p) * p->tile_parts * p->filter_parts, round};
        plan->phase[plan->phases++] = (weft_phase){kernels->write, groups, round};
    }
    _Static_assert(3 * WEFT_POSITIONS_ROUNDS + 1 + 3 <= WEFT_PLAN_PHASES,
                   "there is room for all, and for what is computed from sums");
}

static weft_winograd_positions resolve(weft_winograd_size size,
                                       const weft_convolution_problem *problem,
                                       weft_convolution_pass pass)
{
    bool gradient = pass == WEFT_CONVOLUTION_INPUT_GRADIENT;
    int64_t in = problem->in_channels, out = problem->out_channels;
    weft_winograd_image x = weft_winograd_image_of(problem->in, problem->x_stride, in);
    weft_winograd_image y = weft_winograd_image_of(problem->out, problem->y_stride, out);
    x.prologue = problem->prologue;
    weft_winograd_positions p = {.epilogue = problem->epilogue,
                                 .flip = problem->flip_filter != gradient,
                                 .bias = problem->bias,
                                 .channels = gradient ? out : in,
                                 .filters = gradient ? in : out,
                                 .a = gradient ? y : x,
                                 .c = gradient ? x : y,
                                 .b_tap = in * out,
                                 .b_channel = gradient ? 1 : out,
                                 .b_filter = gradient ? out : 1};
    p.grid = weft_winograd_grid_of(size, problem, pass);
    for (int i = 0; i < 2; i++)
        p.a.pad[i] = gradient ? p.grid.taps[i] - 1 - problem->pad[1 + i] : problem->pad[1 + i];
    choose_rounds(&p, weft_matmul_tiles()->lanes, problem->steady_filter);
    return p;
}

static bool applicable(weft_winograd_size size, const weft_convolution_problem *problem,
                       weft_convolution_pass pass)
{
    if (pass == WEFT_CONVOLUTION_FILTER_GRADIENT || !weft_winograd_applicable(problem, pass, size))
        return false;
    weft_winograd_positions p = resolve(size, problem, pass);
    return chunk_floats(&p) * p.chunks <= (int64_t)WEFT_POSITIONS_ROUNDS * WEFT_POSITIONS_ROUND;
}

static void plan_size(weft_winograd_size size, const weft_winograd_positions_kernels *kernels,
                      const weft_convolution_problem *problem, weft_convolution_pass pass,
                      const weft_slots *slots, weft_kernel_plan *plan)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    weft_winograd_positions p = resolve(size, problem, pass);
    p.slots = *slots;
    choose_blocks(&p);
    plan->cycles = cycles_of(&p, tiles, problem->steady_filter);
    add_phases(&p, kernels, plan);
    _Static_assert(sizeof p <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &p, sizeof p);
}

#define CANDIDATE(name, text, ...)                                                                 \
    static bool applicable_##name(const weft_convolution_problem *problem,                         \
                                  weft_convolution_pass pass)                                      \
    {                                                                                              \
        return applicable((weft_winograd_size){__VA_ARGS__}, problem, pass);                       \
    }                                                                                              \
    static void plan_##name(const weft_convolution_problem *problem, weft_convolution_pass pass,   \
                            const weft_slots *slots, weft_kernel_plan *plan)                       \
    {                                                                                              \
        plan_size((weft_winograd_size){__VA_ARGS__}, weft_winograd_positions_##name(), problem,    \
                  pass, slots, plan);                                                              \
    }                                                                                              \
    const weft_convolution_candidate weft_winograd_positions_##name##_candidate = {                \
        "winograd positions " text, applicable_##name, plan_##name};

CANDIDATE(2x2, "2x2", 2, 3, 2)
CANDIDATE(4x4, "4x4", 4, 3, 2)
CANDIDATE(4_of_3, "4 of 3", 4, 3, 1)
CANDIDATE(3_of_7, "3 of 7", 3, 7, 1)

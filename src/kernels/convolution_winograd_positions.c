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

/* All extents for a chunk of the tiles. */
static void lay_out(weft_winograd_positions *p, int lanes, int64_t chunks)
{
    p->chunk = weft_ceiling(p->grid.count, chunks);
    p->chunks = weft_ceiling(p->grid.count, p->chunk);
    p->pixels_step = row_step(p->channels, lanes);
    p->products_step = row_step(p->filters, lanes);
    p->pixels_position = weft_winograd_spread(p->chunk * p->pixels_step);
    p->products_position = weft_winograd_spread(p->chunk * p->products_step);
    p->filters_position =
        weft_winograd_spread(p->channels * weft_ceiling(p->filters, lanes) * lanes);
}

static int64_t positions_of(const weft_winograd_positions *p)
{
    return weft_winograd_positions_of(&p->grid);
}

static int64_t chunk_floats(const weft_winograd_positions *p)
{
    return positions_of(p) * (p->pixels_position + p->products_position);
}

static void choose_blocks(weft_winograd_positions *p, const weft_tiles *tiles)
{
    const int64_t few = 16,
                  run = 512; /* tiles; channels whose rows stay in the first-level cache */
    int64_t vectors = weft_ceiling(p->filters, tiles->lanes);
    p->groups = weft_most(weft_ceiling(p->chunk, few), weft_least(p->chunk, 4));
    p->group = weft_ceiling(p->chunk, p->groups);
    p->groups = weft_ceiling(p->chunk, p->group);
    p->vectors = weft_least(2, vectors);
    int64_t blocks = weft_ceiling(p->channels, run);
    p->channel_block = weft_ceiling(p->channels, blocks);
    p->tile_parts = weft_ceiling(p->chunk, 256);
    p->filter_parts = weft_ceiling(vectors, 16);
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
    double vectors = (double)weft_ceiling(p->filters, tiles->lanes);
    double channel_vectors = (double)weft_ceiling(p->channels, tiles->lanes);
    double filters = positions * (double)p->channels * vectors * tiles->lanes;
    double move_pixels = positions * chunk * (row + move * (double)p->pixels_step);
    double move_products = positions * chunk * (row + move * (double)p->products_step);
    double pixels = of.pixel * chunk * channel_vectors + move_pixels;
    double products = positions * product_cycles(p, tiles) + move_pixels + move_products +
                      read * filters / (double)p->chunks;
    double write = of.sum * chunk * vectors + move_products;
    double cycles = weft_phase_cycles(pixels, p->groups) + weft_phase_cycles(write, p->groups) +
                    weft_phase_cycles(products, positions_of(p) * p->tile_parts * p->filter_parts);
    cycles *= (double)p->chunks;
    if (steady)
        cycles += weft_kept_cycles(filters);
    else
        cycles += weft_phase_cycles(of.filter * (double)p->channels * vectors +
                                        weft_winograd_move_cycles(filters) * filters,
                                    p->filter_blocks);
    return cycles;
}

static void add_phases(const weft_winograd_positions *p,
                       const weft_winograd_positions_kernels *kernels, weft_kernel_plan *plan)
{
    plan->phases = 0;
    plan->phase[plan->phases++] = (weft_phase){kernels->filters, p->filter_blocks};
    plan->prepare_phases = 1;
    plan->prepare_inputs = 1u << 1;
    plan->prepared = (size_t)(positions_of(p) * p->filters_position) * sizeof(float);
    plan->workspace = (size_t)chunk_floats(p) * sizeof(float);
    plan->parts = p->groups * p->chunks;
    for (int64_t i = 0; i < p->chunks; i++) {
        int64_t tiles = weft_least(p->chunk, p->grid.count - i * p->chunk);
        int64_t groups = weft_ceiling(tiles, p->group);
        plan->phase[plan->phases++] = (weft_phase){kernels->pixels[i], groups};
        plan->phase[plan->phases++] =
            (weft_phase){kernels->multiply[i], positions_of(p) * p->tile_parts * p->filter_parts};
        plan->phase[plan->phases++] = (weft_phase){kernels->write[i], groups};
    }
    _Static_assert(3 * WEFT_POSITIONS_CHUNKS + 1 <= WEFT_PLAN_PHASES, "there is room for all");
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
    p.grid = weft_winograd_grid_of(size, problem, p.c.extent);
    for (int i = 0; i < 2; i++)
        p.a.pad[i] = gradient ? p.grid.taps[i] - 1 - problem->pad[1 + i] : problem->pad[1 + i];
    lay_out(&p, weft_matmul_tiles()->lanes, 1);
    if (chunk_floats(&p) > WEFT_POSITIONS_CHUNK)
        lay_out(&p, weft_matmul_tiles()->lanes, WEFT_POSITIONS_CHUNKS);
    return p;
}

static bool applicable(weft_winograd_size size, const weft_convolution_problem *problem,
                       weft_convolution_pass pass)
{
    if (pass == WEFT_CONVOLUTION_FILTER_GRADIENT || !weft_winograd_applicable(problem, size))
        return false;
    weft_winograd_positions p = resolve(size, problem, pass);
    return chunk_floats(&p) <= WEFT_POSITIONS_CHUNK;
}

static void plan_size(weft_winograd_size size, const weft_winograd_positions_kernels *kernels,
                      const weft_convolution_problem *problem, weft_convolution_pass pass,
                      const weft_slots *slots, weft_kernel_plan *plan)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    weft_winograd_positions p = resolve(size, problem, pass);
    p.slots = *slots;
    choose_blocks(&p, tiles);
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

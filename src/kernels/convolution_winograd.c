#include "kernels/convolution_winograd.h"

#include "kernels/convolution_candidates.h"
#include "kernels/cpu.h"
#include "kernels/matmul_tile.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_2x2)
WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_4x4)
WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_3x3_of_4x4)
WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_2x2_of_5x5)
WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_4_of_3)
WEFT_ISA_DEFINE(weft_winograd_kernels, weft_winograd_3_of_7)

static bool plane(const weft_convolution_problem *p)
{
    return p->groups == 1 && !p->exact_products && p->kernel[0] == 1 && p->pad[0] == 0 &&
           p->in[0] == 1 && p->out[0] == 1;
}

bool weft_winograd_applicable(const weft_convolution_problem *p, weft_convolution_pass pass,
                              weft_winograd_size size)
{
    (void)pass;
    bool plain = plane(p);
    int lines = 0;
    for (int i = 1; i < 3; i++) {
        bool line = p->kernel[i] == size.taps;
        plain = plain && (line || p->kernel[i] == 1) && p->stride[i] == 1 && p->dilation[i] == 1;
        lines += line;
    }
    return plain && lines == size.dimensions;
}

bool weft_winograd_strided_applicable(const weft_convolution_problem *p, weft_convolution_pass pass,
                                      weft_winograd_size size)
{
    bool same = pass != WEFT_CONVOLUTION_INPUT_GRADIENT && p->stride[1] == p->stride[2] &&
                p->stride[2] > 1 && !p->prologue;
    for (int i = 1; i < 3; i++)
        same = same && p->dilation[i] == 1 && weft_ceiling(p->kernel[i], p->stride[i]) == size.taps;
    return same && plane(p);
}

/* Cycles of the products of one position, for a group of tiles and a block of `vectors` vectors. */
static double block_cycles(const weft_winograd *w, const weft_tiles *tiles, int64_t vectors)
{
    const double call = 12, keep = 1; /* of a register tile; of a vector of the sums */
    double step = 0, calls = 0;
    int64_t panels = weft_ceiling(vectors, w->vectors);
    for (int64_t i = 0; i < panels; i++) {
        int64_t v = vectors * (i + 1) / panels - vectors * i / panels;
        int64_t down = weft_ceiling(w->group, tiles->max_rows[v]), larger = w->group % down;
        step += (double)(down - larger) * weft_tile_cycles(w->group / down, v);
        if (larger)
            step += (double)larger * weft_tile_cycles(w->group / down + 1, v);
        calls += (double)down;
    }
    return (double)w->channels * step +
           (double)w->channel_blocks * (call * calls + keep * (double)(w->group * vectors));
}

/* With filters that stay in the second-level cache of each core, threads take groups: they read again what they wrote
 * before. With more, they take blocks of filters. */
static bool groups_first(const weft_winograd *w)
{
    return w->filters_ahead && w->filters_floats <= weft_cpu_floats(WEFT_WINOGRAD_STAY);
}

/* Fills in what follows from the blocking; false where a piece has no room for it. */
static bool lay_out(weft_winograd *w, int64_t lanes)
{
    int64_t positions = weft_winograd_positions_of(&w->grid);
    int64_t channels = weft_ceiling(w->channel_block, lanes) * lanes;
    int64_t filters = w->filter_vectors * lanes;
    w->groups = weft_ceiling(w->grid.count, w->group);
    w->channel_blocks = weft_ceiling(w->channels, w->channel_block);
    w->filter_blocks = weft_ceiling(w->filters, filters);
    w->pixels_step = channels;
    w->pixels_position = weft_winograd_spread(w->group * channels);
    w->filters_position = weft_winograd_spread(w->channel_block * filters);
    w->sums_position = weft_winograd_spread(w->group * filters);
    w->pixels_block = positions * w->pixels_position;
    w->filters_block = positions * w->filters_position;
    w->sums_block = positions * w->sums_position;
    w->filters_floats =
        w->filters_ahead ? w->filter_blocks * w->channel_blocks * w->filters_block : 0;
    w->groups_first = groups_first(w);
    return w->sums_block + (w->pixels_ahead ? 0 : w->pixels_block) +
               (w->filters_ahead ? 0 : w->filters_block) <=
           weft_cpu_floats(WEFT_WINOGRAD_STACK);
}

/* The same for few channels. */
static bool lay_out_few(weft_winograd *w, int64_t lanes)
{
    int64_t positions = weft_winograd_positions_of(&w->grid);
    w->groups = weft_ceiling(w->grid.count, w->group);
    w->filter_blocks = weft_ceiling(w->filters, w->filter_vectors * lanes);
    w->pixels_position = WEFT_WINOGRAD_FEW;
    w->filters_position = w->channels * lanes;
    w->pixels_step = weft_winograd_few_step(positions);
    w->filters_vector = positions * w->filters_position;
    w->pixels_block = w->group * w->pixels_step;
    w->filters_block = w->filter_vectors * w->filters_vector;
    w->sums_block = 0;
    w->filters_floats = w->filter_blocks * w->filters_block;
    w->groups_first = groups_first(w);
    return w->pixels_block <= weft_cpu_floats(WEFT_WINOGRAD_STACK);
}

static int64_t pixels_floats(const weft_winograd *w)
{
    return w->pixels_ahead ? w->groups * w->channel_blocks * w->pixels_block : 0;
}

/* Cycles of it all. The constants are measured: those of memory are for a float. */
static double cycles_of(const weft_winograd *w, const weft_tiles *tiles)
{
    const weft_winograd_cycles of = weft_winograd_transform_cycles(&w->grid);
    const double row = weft_winograd_row_cycles(pixels_floats(w));
    const double move = weft_winograd_move_cycles((double)(w->filters_floats + pixels_floats(w)));
    const double again = w->groups_first ? 0.07 : move; /* of filters, for one more group */
    double positions = (double)(weft_winograd_positions_of(&w->grid));
    double count = (double)w->grid.count, groups = (double)w->groups;
    double channels = (double)w->channels, blocks = (double)w->filter_blocks;
    int64_t all = weft_ceiling(w->filters, tiles->lanes);
    double vectors = (double)all;

    int64_t whole = all / w->filter_vectors, rest = all % w->filter_vectors;
    double products = (double)whole * block_cycles(w, tiles, w->filter_vectors) +
                      (rest ? block_cycles(w, tiles, rest) : 0);
    products *= positions * count / (double)w->group; /* the last group may be smaller */

    double pixels = of.pixel * count * (double)weft_ceiling(w->channels, tiles->lanes);
    double filters = of.filter * channels * vectors;
    double move_pixels = positions * count * (move * channels + row * (double)w->channel_blocks);
    double filter_floats = positions * channels * vectors * tiles->lanes;
    double run = products + of.sum * count * vectors, ahead = 0;
    /* Of a float of what is steady: last read a whole run ago, and in short rows. */
    const double first = filter_floats < 3e5 ? 0.3 : filter_floats < 1e6 ? 0.5 : 0.8;
    if (w->pixels_ahead) {
        run += move_pixels * blocks;
        ahead += weft_phase_cycles(pixels + move_pixels, w->groups * w->channel_blocks);
    } else {
        run += pixels * blocks;
    }
    if (!w->filters_ahead) {
        double weights = (double)(w->grid.taps[0] * w->grid.taps[1] * w->channels * w->filters);
        run += filters * groups + (w->steady ? first * weights : 0);
    } else if (w->steady) {
        run += (first + again * (groups - 1)) * filter_floats;
        ahead += weft_kept_cycles(filter_floats);
    } else {
        run += (move + again * (groups - 1)) * filter_floats;
        ahead +=
            weft_phase_cycles(filters + move * filter_floats, w->filter_blocks * w->channel_blocks);
    }
    return ahead + weft_phase_cycles(run, w->groups * w->filter_blocks);
}

/* Cycles of it all if channels are few. Measured. */
static double cycles_of_few(const weft_winograd *w, const weft_tiles *tiles)
{
    const weft_winograd_cycles of = weft_winograd_transform_cycles(&w->grid);
    /* Of a vector, and of what of.sum counts: lines of sums are written far from each other, which large arrays feel. */
    const double floats = (double)(w->grid.count * w->grid.tile[0] * w->grid.tile[1] * w->filters);
    const double product = 0.7, sum = floats < 4e6 ? 1.2 : 3;
    double positions = (double)weft_winograd_positions_of(&w->grid), count = (double)w->grid.count;
    double vectors = (double)weft_ceiling(w->filters, tiles->lanes);
    double filters = of.filter * (double)w->channels * vectors;
    double run = count * vectors * (product * positions * (double)w->channels + sum * of.sum) +
                 of.pixel * count * (double)w->filter_blocks *
                     (double)weft_ceiling(w->channels, tiles->lanes);
    return (w->steady ? 0 : weft_phase_cycles(filters, w->filter_blocks)) +
           weft_phase_cycles(run, w->groups * w->filter_blocks);
}

/* Tries sizes of a group where channels are few. */
static void choose_few(weft_winograd *w, const weft_tiles *tiles, weft_winograd *best,
                       double *cycles)
{
    w->few = w->filters_ahead = true;
    w->pixels_ahead = false;
    w->channel_block = w->channels;
    w->channel_blocks = w->vectors = 1;
    for (int64_t most = 16; most <= 64; most *= 2) {
        w->group = weft_ceiling(w->grid.count, weft_ceiling(w->grid.count, most));
        if (!lay_out_few(w, tiles->lanes))
            continue;
        double all = cycles_of_few(w, tiles);
        if (all < *cycles) {
            *cycles = all;
            *best = *w;
        }
    }
    w->few = false;
}

/* Tries sizes of a group and of a block of channels for a block of filters; *best and *cycles hold the best
 * blocking so far. */
static void choose_group(weft_winograd *w, const weft_tiles *tiles, weft_winograd *best,
                         double *cycles)
{
    int64_t rows = tiles->max_rows[weft_least(w->vectors, w->filter_vectors)];
    for (int64_t high = 1; high <= 12; high++) {
        int64_t groups = weft_ceiling(w->grid.count, high * rows);
        w->group = weft_ceiling(w->grid.count, groups);
        for (int64_t blocks = 1; blocks <= weft_ceiling(w->channels, tiles->lanes); blocks *= 2) {
            w->channel_block = weft_ceiling(weft_ceiling(w->channels, blocks), tiles->lanes);
            w->channel_block = weft_least(w->channels, w->channel_block * tiles->lanes);
            if (w->channel_block > WEFT_WINOGRAD_CHANNELS)
                continue;
            for (int ahead = 1; ahead < 4; ahead++) {
                w->filters_ahead = ahead & 1;
                w->pixels_ahead = ahead & 2;
                if (!lay_out(w, tiles->lanes))
                    continue;
                double all = cycles_of(w, tiles);
                if (all < *cycles) {
                    *cycles = all;
                    *best = *w;
                }
            }
        }
        if (groups == 1)
            break;
    }
}

/* What the problem says. */
static weft_winograd resolve(weft_winograd_size size, const weft_convolution_problem *problem,
                             weft_convolution_pass pass, const weft_slots *slots)
{
    bool gradient = pass == WEFT_CONVOLUTION_INPUT_GRADIENT;
    int64_t in = problem->in_channels, out = problem->out_channels;
    weft_winograd_image x = weft_winograd_image_of(problem->in, problem->x_stride, in);
    weft_winograd_image y = weft_winograd_image_of(problem->out, problem->y_stride, out);
    x.prologue = problem->prologue;
    weft_winograd w = {.slots = *slots,
                       .epilogue = problem->epilogue,
                       .steady = problem->steady_filter,
                       .flip = problem->flip_filter != gradient,
                       .bias = problem->bias,
                       .channels = gradient ? out : in,
                       .filters = gradient ? in : out,
                       .a = gradient ? y : x,
                       .c = gradient ? x : y,
                       .b_tap = in * out,
                       .b_channel = gradient ? 1 : out,
                       .b_filter = gradient ? out : 1};
    w.grid = weft_winograd_grid_of(size, problem, pass);
    for (int i = 0; i < 2; i++)
        w.a.pad[i] = gradient ? w.grid.taps[i] - 1 - problem->pad[1 + i] : problem->pad[1 + i];
    if (w.grid.stride > 1) {
        w.blocks = weft_winograd_blocks_of(problem, slots->input[0]);
        w.a = weft_winograd_blocks_image(problem, &w.grid);
        w.channels = w.a.channels;
        w.slots.input[0] = slots->workspace;
    }
    return w;
}

/* Chooses the blocking; returns cycles. */
static double choose(weft_winograd *w, int dimensions)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    int64_t vectors = weft_ceiling(w->filters, tiles->lanes), last = 0;
    weft_winograd best = *w;
    double cycles = INFINITY;
    for (int64_t blocks = weft_ceiling(vectors, 16); blocks <= vectors; blocks++) {
        w->filter_vectors = weft_ceiling(vectors, blocks);
        if (w->filter_vectors == last)
            continue;
        last = w->filter_vectors;
        if (dimensions == 2 && w->channels <= WEFT_WINOGRAD_FEW)
            choose_few(w, tiles, &best, &cycles);
        for (w->vectors = 1; w->vectors <= weft_least(WEFT_TILE_VECTORS, last); w->vectors++)
            if (tiles->max_rows[w->vectors])
                choose_group(w, tiles, &best, &cycles);
    }
    *w = best;
    return cycles;
}

static void add_phases(const weft_winograd *w, const weft_convolution_problem *problem,
                       const weft_winograd_kernels *kernels, weft_kernel_plan *plan)
{
    plan->phases = 0;
    if (w->filters_ahead) {
        plan->phase[plan->phases++] =
            (weft_phase){kernels->filters, w->filter_blocks * w->channel_blocks};
        plan->prepare_phases = 1;
        plan->prepare_inputs = 1u << 1;
        plan->prepared = (size_t)w->filters_floats * sizeof(float);
    }
    if (w->grid.stride > 1)
        plan->phase[plan->phases++] = weft_winograd_blocks_phase(problem, &w->a, kernels->blocks);
    if (w->pixels_ahead)
        plan->phase[plan->phases++] = (weft_phase){kernels->pixels, w->groups * w->channel_blocks};
    plan->phase[plan->phases++] = (weft_phase){kernels->run, w->groups * w->filter_blocks};
}

static void plan_size(weft_winograd_size size, const weft_winograd_kernels *kernels,
                      const weft_convolution_problem *problem, weft_convolution_pass pass,
                      const weft_slots *slots, weft_kernel_plan *plan)
{
    weft_winograd w = resolve(size, problem, pass, slots);
    plan->cycles = choose(&w, size.dimensions);
    int64_t floats = pixels_floats(&w);
    if (w.grid.stride > 1) {
        w.a.at = floats;
        floats += weft_winograd_blocks_floats(problem, &w.a);
        plan->cycles += weft_winograd_blocks_cycles(problem, &w.a);
    }
    plan->workspace = (size_t)floats * sizeof(float);
    plan->parts = w.groups;
    add_phases(&w, problem, kernels, plan);
    _Static_assert(sizeof w <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &w, sizeof w);
}

#define CANDIDATE(name, kernels, text, may, ...)                                                   \
    static bool applicable_##name(const weft_convolution_problem *problem,                         \
                                  weft_convolution_pass pass)                                      \
    {                                                                                              \
        return pass != WEFT_CONVOLUTION_FILTER_GRADIENT &&                                         \
               may(problem, pass, (weft_winograd_size){__VA_ARGS__});                              \
    }                                                                                              \
    static void plan_##name(const weft_convolution_problem *problem, weft_convolution_pass pass,   \
                            const weft_slots *slots, weft_kernel_plan *plan)                       \
    {                                                                                              \
        plan_size((weft_winograd_size){__VA_ARGS__}, weft_winograd_##kernels(), problem, pass,     \
                  slots, plan);                                                                    \
    }                                                                                              \
    const weft_convolution_candidate weft_winograd_##name##_candidate = {                          \
        "winograd " text, applicable_##name, plan_##name};

CANDIDATE(2x2, 2x2, "2x2", weft_winograd_applicable, 2, 3, 2)
CANDIDATE(4x4, 4x4, "4x4", weft_winograd_applicable, 4, 3, 2)
CANDIDATE(3x3_of_4x4, 3x3_of_4x4, "3x3 of 4x4", weft_winograd_applicable, 3, 4, 2)
CANDIDATE(2x2_of_5x5, 2x2_of_5x5, "2x2 of 5x5", weft_winograd_applicable, 2, 5, 2)
CANDIDATE(4_of_3, 4_of_3, "4 of 3", weft_winograd_applicable, 4, 3, 1)
CANDIDATE(3_of_7, 3_of_7, "3 of 7", weft_winograd_applicable, 3, 7, 1)
CANDIDATE(strided_4x4, 4x4, "strided 4x4", weft_winograd_strided_applicable, 4, 3, 2)
CANDIDATE(strided_3x3, 3x3_of_4x4, "strided 3x3", weft_winograd_strided_applicable, 3, 4, 2)

#include "kernels/convolution_direct.h"

#include "kernels/convolution_candidates.h"
#include "kernels/integer.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_direct_kernels, weft_convolution_direct)

/* The phase with the most taps and positions: the first position that is not cropped away decides
 * little, so all phases are looked at in each dimension. */
static weft_taps largest_taps(const weft_direct *direct, int dimension)
{
    const weft_dimension *d = &direct->dimension[dimension];
    if (!direct->gradient)
        return weft_taps_forward(d, direct->flip);
    weft_taps largest = weft_taps_gradient(d, direct->flip, 0);
    for (int64_t phase = 1; phase < direct->phases[dimension]; phase++) {
        weft_taps taps = weft_taps_gradient(d, direct->flip, phase);
        if (taps.count > largest.count) {
            taps.positions = largest.positions;
            largest = taps;
        }
    }
    return largest;
}

/* Cycles of one step of the reduction over a row of `positions` pixels of `images` images and `vectors`
 * vectors, in `tiles` tiles of at most `wide` vectors. */
static double row_cycles(int64_t positions, int64_t images, int64_t tiles, int64_t vectors,
                         int64_t wide)
{
    int64_t columns = weft_ceiling(vectors, wide);
    double cycles = 0;
    for (int64_t i = 0; i < columns; i++) {
        int64_t v = vectors * (i + 1) / columns - vectors * i / columns;
        int64_t low = positions / tiles, larger = positions % tiles;
        if (low)
            cycles += (double)(tiles - larger) * weft_tile_cycles(low * images, v);
        if (larger)
            cycles += (double)larger * weft_tile_cycles((low + 1) * images, v);
    }
    return cycles;
}

/* Chooses images, tile and vectors for `vectors` vectors of filters; returns cycles for one step of the
 * reduction over one row of one image. */
static double choose_tile(weft_direct *direct, const weft_tiles *tiles, int64_t positions,
                          int64_t vectors)
{
    double best = INFINITY;
    for (int64_t images = 1; images <= weft_least(2, direct->batch); images++)
        for (int64_t wide = 1; wide <= WEFT_TILE_VECTORS; wide++) {
            int64_t rows = tiles->max_rows[wide] / images;
            if (rows == 0 || (images == 2 && positions > rows))
                continue;
            int64_t fewest = weft_ceiling(positions, rows);
            for (int64_t count = fewest; count <= weft_least(fewest + 2, positions); count++) {
                double cycles =
                    row_cycles(positions, images, count, vectors, wide) / (double)images;
                if (cycles < best * 0.999) {
                    best = cycles;
                    direct->images = images;
                    direct->tile = weft_ceiling(positions, count);
                    direct->vectors = wide;
                }
            }
        }
    return best;
}

/* Splits n into equal blocks of at most `limit`, rounded up to a multiple of `unit`. */
static int64_t even_block(int64_t n, int64_t limit, int64_t unit)
{
    int64_t blocks = weft_ceiling(n, weft_most(limit, 1));
    return weft_least(n, weft_ceiling(weft_ceiling(n, blocks), unit) * unit);
}

/* Cuts the reduction into chunks whose filter and pixels fit the panels. */
static void choose_chunk(weft_direct *direct, int64_t lanes, int64_t tap_rows, int64_t taps)
{
    int64_t width = weft_ceiling(direct->filter_block, lanes) * lanes;
    int64_t budget = weft_least(WEFT_DIRECT_FILTER_PANEL / width,
                                WEFT_DIRECT_INPUT_PANEL / (direct->tile * direct->images));
    int64_t channels = direct->channels, few = weft_least(channels, 16);
    direct->tap_block = weft_most(1, weft_least(weft_least(taps, WEFT_DIRECT_RUNS), budget / few));
    direct->tap_row_block = 1;
    if (direct->tap_block == taps)
        direct->tap_row_block =
            weft_most(1, weft_least(weft_least(tap_rows, WEFT_DIRECT_RUNS / weft_most(taps, 1)),
                                    budget / few / weft_most(taps, 1)));
    int64_t limit = budget / (direct->tap_block * direct->tap_row_block);
    direct->channel_block =
        limit >= channels ? channels : even_block(channels, limit / 16 * 16, 16);
}

/* Pieces that a problem of so many multiply-adds is worth: some 10 to 60 microseconds each. */
static int64_t wanted_pieces(double multiply_adds)
{
    double few = multiply_adds / 1e6, many = multiply_adds / 15e6;
    return (int64_t)ceil(few < 32 ? few : many < 32 ? 32 : many);
}

void weft_direct_plan(weft_direct *direct, weft_kernel_plan *plan)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    for (int i = 0; i < 3; i++)
        direct->phases[i] = direct->gradient ? direct->dimension[i].stride : 1;
    weft_taps t[3];
    for (int i = 0; i < 3; i++)
        t[i] = largest_taps(direct, i);
    int64_t phases = direct->phases[0] * direct->phases[1] * direct->phases[2];
    int64_t taps =
        direct->dimension[0].kernel * direct->dimension[1].kernel * direct->dimension[2].kernel;
    int64_t pixels = direct->batch * t[0].positions * t[1].positions * t[2].positions;
    double multiply_adds =
        (double)pixels * (double)(direct->groups * direct->channels * direct->filters * taps);
    int64_t wanted = wanted_pieces(multiply_adds);

    /* Wide blocks copy and pack less; where there are few pixels, narrow ones make enough pieces. */
    int64_t lanes = tiles->lanes, vectors = weft_ceiling(direct->filters, lanes);
    int64_t most_ranges = weft_most(1, pixels / 400);
    int64_t block = weft_least(vectors, 128 / lanes);
    while (block > 32 / lanes &&
           weft_ceiling(vectors, block) * direct->groups * phases * most_ranges <
               weft_least(wanted, 16))
        block /= 2;
    block = weft_ceiling(vectors, weft_ceiling(vectors, block));
    direct->filter_block = block * lanes;
    direct->filter_blocks = weft_ceiling(vectors, block);
    double cycles = choose_tile(direct, tiles, t[2].positions, block);
    choose_chunk(direct, lanes, t[0].count * t[1].count, t[2].count);

    int64_t row_tiles = weft_ceiling(t[2].positions, direct->tile);
    int64_t all_tiles =
        weft_ceiling(direct->batch, direct->images) * t[0].positions * t[1].positions * row_tiles;
    int64_t others = direct->filter_blocks * direct->groups * phases;
    direct->ranges = weft_least(weft_least(weft_ceiling(wanted, others), most_ranges), all_tiles);
    /* All pixels of a tile in the same sets of the first-level cache: copying is cheaper. */
    int64_t step = t[2].in_step * direct->a_stride[3];
    direct->in_place = step % 1024 != 0 || direct->tile * direct->images <= 8;

    plan->cycles = cycles * (double)(direct->batch * t[0].positions * t[1].positions) *
                   (double)(direct->channels * taps * direct->filter_blocks * direct->groups);
    plan->workspace = 0;
    plan->phases = 1;
    plan->phase[0] = (weft_phase){weft_convolution_direct()->run, others * direct->ranges};
    _Static_assert(sizeof *direct <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, direct, sizeof *direct);
}

static bool applicable(const weft_convolution_problem *problem, weft_convolution_pass pass)
{
    (void)problem;
    return pass != WEFT_CONVOLUTION_FILTER_GRADIENT;
}

static void plan(const weft_convolution_problem *problem, weft_convolution_pass pass,
                 const weft_slots *slots, weft_kernel_plan *result)
{
    bool gradient = pass == WEFT_CONVOLUTION_INPUT_GRADIENT;
    int64_t in = problem->in_channels / problem->groups;
    int64_t out = problem->out_channels / problem->groups;
    weft_direct direct = {.slots = *slots,
                          .gradient = gradient,
                          .flip = problem->flip_filter,
                          .bias = problem->bias,
                          .batch = problem->batch,
                          .groups = problem->groups,
                          .channels = gradient ? out : in,
                          .filters = gradient ? in : out,
                          .b_tap = in * problem->out_channels,
                          .b_channel = gradient ? 1 : problem->out_channels,
                          .b_filter = gradient ? problem->out_channels : 1,
                          .b_group = out};
    direct.a_group = direct.channels;
    direct.c_group = direct.bias_group = direct.filters;
    memcpy(direct.a_stride, gradient ? problem->y_stride : problem->x_stride,
           sizeof direct.a_stride);
    memcpy(direct.c_stride, gradient ? problem->x_stride : problem->y_stride,
           sizeof direct.c_stride);
    for (int i = 0; i < 3; i++)
        direct.dimension[i] = (weft_dimension){.in = gradient ? problem->out[i] : problem->in[i],
                                               .out = gradient ? problem->in[i] : problem->out[i],
                                               .kernel = problem->kernel[i],
                                               .stride = problem->stride[i],
                                               .dilation = problem->dilation[i],
                                               .pad = problem->pad[i]};
    weft_direct_plan(&direct, result);
}

const weft_convolution_candidate weft_convolution_direct_candidate = {"direct", applicable, plan};

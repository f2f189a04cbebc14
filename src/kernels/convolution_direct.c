#include "kernels/convolution_direct.h"

#include "kernels/convolution_candidates.h"
#include "kernels/cpu.h"
#include "kernels/epilogue.h"
#include "kernels/integer.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_direct_kernels, weft_convolution_direct)

/* The phase with the most taps and positions: the first position that is not cropped away decides
 * little, so all phases are looked at in each dimension. */
static weft_taps largest_taps(const weft_direct *direct, int dimension)
{
    const weft_dimension *d = &direct->dimension[dimension];
    weft_taps largest = weft_taps_of(d, direct->gradient, direct->flip, 0);
    for (int64_t phase = 1; phase < direct->phases[dimension]; phase++) {
        weft_taps taps = weft_taps_of(d, direct->gradient, direct->flip, phase);
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
    int64_t budget = weft_least(weft_cpu_floats(WEFT_DIRECT_FILTER_PANEL) / width,
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

enum { SHORT_RUN = 24 };

/* Rows and tiles of a band, where rows of taps would be short runs; 0: no bands. */
static void choose_band(weft_direct *direct, const weft_taps *t)
{
    int64_t channels = direct->channels, taps = t[0].count * t[1].count * t[2].count;
    bool dense = direct->a_stride[3] == channels;
    int64_t run = t[2].offset_step == 1 ? t[2].count * channels : channels;
    direct->band = direct->band_rows = 0;
    if (!dense || run > SHORT_RUN || taps <= 1 || taps * channels > WEFT_DIRECT_STEPS ||
        direct->chunks > 1)
        return;
    int64_t tiles = weft_ceiling(t[2].positions, direct->tile);
    int64_t most = WEFT_DIRECT_BAND / (t[0].count * direct->images * channels); /* pixels */
    int64_t width = most / weft_taps_extent(&t[1], 1);
    if (weft_taps_extent(&t[2], tiles * direct->tile) <= width) {
        int64_t rows = most / weft_taps_extent(&t[2], tiles * direct->tile);
        rows = (rows - weft_taps_extent(&t[1], 1)) / t[1].in_step + 1;
        direct->band = tiles;
        direct->band_rows = even_block(t[1].positions, rows, 1);
    } else if (weft_taps_extent(&t[2], direct->tile) <= width) {
        int64_t limit =
            (width - weft_taps_extent(&t[2], direct->tile)) / (direct->tile * t[2].in_step) + 1;
        direct->band = even_block(tiles, limit, 1);
        direct->band_rows = 1;
    }
}

/* Pieces that a problem of so many multiply-adds is worth: some 5 to 60 microseconds each. A few are as many as
 * threads can share. */
static int64_t wanted_pieces(double multiply_adds)
{
    double few = multiply_adds / 1e6, many = multiply_adds / 15e6;
    if (few < 8)
        return few < 0.5 ? 1 : few < 1 ? 2 : few < 4 ? 4 : 8;
    return (int64_t)ceil(few < 32 ? few : many < 32 ? 32 : many);
}

/* What the choice of a blocking looks at. */
typedef struct extent {
    const weft_tiles *tiles;
    weft_taps taps[3];
    int64_t phases, all_taps, pixels, vectors; /* pixels of one phase */
    int64_t wanted;                            /* pieces */
} extent;

/* Cycles of getting the filter into the second-level cache: packed by each range, or prepared, once or
 * less, and then read by each range. Decides which. */
static double filter_cycles(weft_direct *direct, const extent *e)
{
    const double pack = 0.3, read = 0.1;
    const double far = 0.3; /* more, if they were last read a run ago */
    double filters = (double)(e->all_taps * direct->channels) * (double)direct->filters;
    double ranges = (double)(direct->ranges * (direct->groups / direct->panel_groups));
    double first = direct->steady ? far : 0, once = direct->steady ? 0 : 2 * pack;
    double by_piece = first + pack * ranges, prepared = first + read * ranges + once;
    direct->packed = prepared < by_piece;
    return (direct->packed ? prepared : by_piece) * filters * (double)direct->panel_groups;
}

/* Cycles of reading the input, of one phase and group: as bands, or each pixel's channels once for each tile. The
 * constants are measured; they only weigh one blocking against another. */
static double input_cycles(const weft_direct *direct, const extent *e)
{
    const weft_taps *t = e->taps;
    if (direct->band) {
        /* A tile has few steps: that it begins and ends counts, too. */
        const double start = 40, vector = 2, copied = 0.15;
        double vectors = (double)(e->pixels * weft_ceiling(direct->filter_block, e->tiles->lanes));
        double tile = (double)(direct->tile * direct->images * direct->vectors);
        double rows = (double)(t[0].count * weft_taps_extent(&t[1], direct->band_rows)) /
                      (double)direct->band_rows;
        double floats = (double)(e->pixels * t[2].in_step * direct->channels) * rows;
        return (start / tile + vector) * vectors + copied * floats;
    }
    const double pixel_start = 6, channel = 0.15;
    double reads = (double)(t[0].count * t[1].count * t[2].count);
    if (reads > 1) { /* in a tile, the taps of a row share pixels */
        int64_t span = weft_taps_extent(&t[2], direct->tile);
        reads = (double)(t[0].count * t[1].count) *
                (double)weft_least(span, direct->tile * t[2].count) / (double)direct->tile;
    }
    double pixel = (double)weft_ceiling(direct->channels, direct->channel_block) * pixel_start +
                   (double)direct->channels * channel;
    return pixel * reads * (double)e->pixels;
}

/* Cycles of copying: the input, once for each block of filters, and the filter. */
static double copy_cycles(weft_direct *direct, const extent *e)
{
    double input = input_cycles(direct, e) * (double)(e->phases * direct->filter_blocks);
    return input * (double)direct->groups + filter_cycles(direct, e);
}

/* Blocks of `block` vectors of filters, and all that follows; returns cycles. */
static double choose_blocks(weft_direct *direct, const extent *e, int64_t block)
{
    const weft_taps *t = e->taps;
    direct->filter_block = block * e->tiles->lanes;
    direct->filter_blocks = weft_ceiling(e->vectors, block);
    double row = choose_tile(direct, e->tiles, t[2].positions, block);
    choose_chunk(direct, e->tiles->lanes, t[0].count * t[1].count, t[2].count);

    int64_t others = direct->filter_blocks * direct->groups * e->phases;
    int64_t tiles = weft_ceiling(direct->batch, direct->images) * t[0].positions * t[1].positions *
                    weft_ceiling(t[2].positions, direct->tile);
    int64_t fewest = weft_ceiling(weft_least(e->wanted, 16), others);
    int64_t most = weft_least(weft_ceiling(e->wanted, others), weft_most(1, e->pixels / 400));
    direct->ranges = weft_least(weft_most(fewest, most), tiles);
    direct->chunks = weft_ceiling(t[0].count * t[1].count, direct->tap_row_block) *
                     weft_ceiling(t[2].count, direct->tap_block) *
                     weft_ceiling(direct->channels, direct->channel_block);
    choose_band(direct, t);
    double products =
        row * (double)(direct->batch * t[0].positions * t[1].positions) *
        (double)(direct->channels * e->all_taps * direct->filter_blocks * direct->groups);
    return weft_phase_cycles(products + copy_cycles(direct, e), others * direct->ranges);
}

static void prepare_panels(const weft_direct *direct, const extent *e, weft_kernel_plan *plan)
{
    int64_t floats = direct->panel_groups * e->all_taps * direct->channels * e->vectors *
                     (int64_t)e->tiles->lanes;
    plan->prepare_phases = 1;
    plan->prepare_inputs = 1u << 1;
    plan->prepared = (size_t)floats * sizeof(float);
    plan->phase[plan->phases++] =
        (weft_phase){weft_convolution_direct()->pack,
                     direct->filter_blocks * direct->panel_groups * e->phases * direct->chunks};
}

/* Whether panels are fetched ahead, and whether threads take ranges or blocks. In inference they take ranges, what they
 * have made themselves, unless the filters are larger than the image. */
static void choose_order(weft_direct *direct, const extent *e)
{
    const int64_t large = 128 * 1024; /* floats: a part of the second-level cache */
    int64_t taps = e->all_taps * direct->filters, pixels = direct->batch;
    for (int i = 0; i < 3; i++)
        pixels *= direct->dimension[i].in;
    direct->filters_far =
        direct->steady && direct->packed && taps * direct->channels * direct->groups >= large;
    bool larger = direct->filters_far && direct->groups == 1 && taps > 4 * pixels;
    direct->by_ranges = direct->steady && !(larger && direct->filter_blocks > 1);
}

/* Of a block: whole pixels, up to there, are written and read (by an epilogue) in one piece. */
enum { MOST_FILTERS = 256 };

void weft_direct_plan(weft_direct *direct, weft_kernel_plan *plan)
{
    extent e = {.tiles = weft_matmul_tiles(), .phases = 1, .all_taps = 1, .pixels = direct->batch};
    for (int i = 0; i < 3; i++) {
        direct->phases[i] = direct->gradient ? direct->dimension[i].stride : 1;
        e.taps[i] = largest_taps(direct, i);
        e.phases *= direct->phases[i];
        e.all_taps *= direct->dimension[i].kernel;
        e.pixels *= e.taps[i].positions;
    }
    e.vectors = weft_ceiling(direct->filters, e.tiles->lanes);
    e.wanted = wanted_pieces((double)(e.pixels * e.all_taps) *
                             (double)(direct->groups * direct->channels * direct->filters));

    direct->panel_groups = direct->b_group ? direct->groups : 1;
    weft_direct best = *direct;
    plan->cycles = INFINITY;
    for (int64_t block = 1; block <= weft_least(e.vectors, MOST_FILTERS / e.tiles->lanes);
         block++) {
        weft_direct candidate = *direct;
        double cycles = choose_blocks(&candidate, &e, block);
        if (cycles < plan->cycles) {
            plan->cycles = cycles;
            best = candidate;
        }
    }
    choose_order(&best, &e);
    *direct = best;
    plan->workspace = 0;
    plan->parts = e.phases * best.ranges;
    plan->writes_early = best.chunks > 1 && best.epilogue && best.epilogue->finish.slope;
    plan->phases = 0;
    if (best.packed)
        prepare_panels(&best, &e, plan);
    plan->phase[plan->phases++] = (weft_phase){
        weft_convolution_direct()->run, best.filter_blocks * best.groups * e.phases * best.ranges};
    _Static_assert(sizeof best <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &best, sizeof best);
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
                          .epilogue = problem->epilogue,
                          .prologue = problem->prologue,
                          .gradient = gradient,
                          .flip = problem->flip_filter,
                          .bias = problem->bias,
                          .steady = problem->steady_filter,
                          .batch = problem->batch,
                          .groups = problem->groups,
                          .channels = gradient ? out : in,
                          .filters = gradient ? in : out,
                          .b_tap = in * problem->out_channels,
                          .b_channel = gradient ? 1 : problem->out_channels,
                          .b_filter = gradient ? problem->out_channels : 1,
                          .b_group = out};
    int64_t width = gradient ? problem->in[2] : problem->out[2];
    const int64_t *written = gradient ? problem->x_stride : problem->y_stride;
    direct.rows_go_on = (!gradient || problem->stride[1] == 1) &&
                        written[2] == width * written[3] &&
                        (!gradient || problem->stride[2] == 1) &&
                        weft_epilogue_goes_on(problem->epilogue, 2, width);
    direct.a_group = direct.channels;
    direct.c_group = direct.bias_group = direct.filters;
    memcpy(direct.a_stride, gradient ? problem->y_stride : problem->x_stride,
           sizeof direct.a_stride);
    memcpy(direct.c_stride, gradient ? problem->x_stride : problem->y_stride,
           sizeof direct.c_stride);
    for (int i = 0; i < 3; i++)
        direct.dimension[i] = weft_dimension_of(problem, gradient, i);
    weft_direct_plan(&direct, result);
}

const weft_convolution_candidate weft_convolution_direct_candidate = {"direct", applicable, plan};

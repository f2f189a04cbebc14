#include "kernels/convolution_outer.h"

#include "kernels/convolution_candidates.h"
#include "kernels/integer.h"

#include <math.h>
#include <string.h>

WEFT_ISA_DEFINE(weft_outer_kernels, weft_convolution_outer)

/* Chooses vectors and rows of the tiles; returns cycles of one pixel for all tiles of `rows` rows and
 * `vectors` vectors. */
static double choose_tile(weft_outer *outer, const weft_tiles *tiles, int64_t rows, int64_t vectors)
{
    double best = INFINITY;
    for (int64_t wide = 1; wide <= WEFT_TILE_VECTORS; wide++) {
        int64_t limit = tiles->max_rows[wide];
        if (limit == 0)
            continue;
        int64_t across = weft_ceiling(vectors, wide), down = weft_ceiling(rows, limit);
        double cycles = 0;
        for (int64_t j = 0; j < across; j++)
            for (int64_t i = 0; i < down; i++)
                cycles += weft_tile_cycles(rows * (i + 1) / down - rows * i / down,
                                           vectors * (j + 1) / across - vectors * j / across);
        if (cycles < best * 0.999) {
            best = cycles;
            outer->vectors = wide;
            outer->rows = limit;
        }
    }
    return best;
}

/* Cuts rows of pixels into segments and puts as many into a chunk as the panels hold. */
static void choose_chunk(weft_outer *outer, int64_t width, const weft_taps *row)
{
    int64_t pixels = weft_least(WEFT_OUTER_PIXELS, WEFT_OUTER_FILTER_PANEL / width);
    int64_t reach = (row->count - 1) * row->offset_step + 1;
    int64_t length = weft_least(row->positions, pixels);
    /* Shorter segments rather than a copy for each tap, down to a point. */
    while (length > 32 &&
           ((length - 1) * row->in_step + reach) * outer->channel_block > WEFT_OUTER_INPUT_PANEL)
        length = weft_ceiling(length, 2);
    int64_t span = (length - 1) * row->in_step + reach;
    outer->span =
        span <= length * row->count && span * outer->channel_block <= WEFT_OUTER_INPUT_PANEL;
    int64_t step = (outer->span ? span : length) * outer->channel_block;
    outer->segments = weft_ceiling(row->positions, length);
    outer->segment_step = step;
    outer->segment_chunk = weft_least(pixels / length, WEFT_OUTER_INPUT_PANEL / step);
}

void weft_outer_plan(weft_outer *outer, weft_kernel_plan *plan)
{
    const weft_tiles *tiles = weft_matmul_tiles();
    weft_taps t[3];
    for (int i = 0; i < 3; i++)
        t[i] = weft_taps_forward(&outer->dimension[i], outer->flip);
    int64_t lanes = tiles->lanes, vectors = weft_ceiling(outer->filters, lanes);
    int64_t tap_rows = t[0].count * t[1].count;
    int64_t pixels = outer->batch * t[0].positions * t[1].positions * t[2].positions;
    double multiply_adds = (double)pixels * (double)(outer->groups * outer->channels *
                                                     outer->filters * tap_rows * t[2].count);
    int64_t wanted =
        (int64_t)ceil(multiply_adds < 32e6 ? multiply_adds / 1e6 : fmax(32, multiply_adds / 15e6));
    /* Each split costs a copy of c to write and to read again. */
    int64_t most_splits = weft_most(1, pixels / 1500);

    int64_t filters = weft_least(vectors, 128 / lanes), channels = weft_least(outer->channels, 128);
    int64_t pieces;
    for (;;) {
        int64_t blocks = weft_ceiling(vectors, filters) * weft_ceiling(outer->channels, channels) *
                         outer->groups;
        pieces = blocks;
        if (blocks * tap_rows * most_splits >= weft_least(wanted, 16))
            break;
        if (channels > 32)
            channels = weft_ceiling(channels, 2);
        else if (filters > 32 / lanes)
            filters = weft_ceiling(filters, 2);
        else
            break;
    }
    filters = weft_ceiling(vectors, weft_ceiling(vectors, filters));
    outer->filter_block = filters * lanes;
    outer->filter_blocks = weft_ceiling(vectors, filters);
    outer->channel_blocks = weft_ceiling(outer->channels, channels);
    outer->channel_block = weft_ceiling(outer->channels, outer->channel_blocks);
    outer->channel_blocks = weft_ceiling(outer->channels, outer->channel_block);
    outer->tap_row_block = pieces < wanted ? 1 : tap_rows;
    outer->tap_row_blocks = weft_ceiling(tap_rows, outer->tap_row_block);
    choose_chunk(outer, outer->filter_block, &t[2]);
    pieces = outer->filter_blocks * outer->channel_blocks * outer->groups * outer->tap_row_blocks;
    int64_t segments = outer->batch * t[0].positions * t[1].positions * outer->segments;
    outer->splits = weft_least(weft_least(weft_ceiling(wanted, pieces), most_splits),
                               weft_ceiling(segments, outer->segment_chunk));
    outer->splits = weft_most(outer->splits, 1);

    /* A row of taps and its channels are contiguous both in the copied pixels and in c. */
    outer->merged = outer->span && t[2].offset_step == 1 && t[2].filter_step == 1 &&
                    outer->channel_blocks == 1 &&
                    outer->copy.tap == outer->channels * outer->copy.channel;
    int64_t rows = outer->merged ? t[2].count * outer->channel_block : outer->channel_block;
    double row_cycles = choose_tile(outer, tiles, rows, filters);
    if (!outer->merged)
        row_cycles *= (double)t[2].count;
    plan->cycles =
        (double)pixels * row_cycles *
        (double)(outer->filter_blocks * outer->channel_blocks * outer->groups * tap_rows);
    plan->phases = 1;
    plan->phase[0] = (weft_phase){weft_convolution_outer()->run, pieces * outer->splits};
    if (outer->splits > 1) {
        double size = (double)(outer->merge_rows * outer->merge_width);
        plan->workspace = (size_t)(outer->splits * outer->merge_rows * outer->merge_width) * 4;
        plan->cycles += size * (double)outer->splits;
        outer->merge_pieces =
            weft_least(outer->merge_rows, (int64_t)ceil(size * (double)outer->splits / 65536));
        plan->phase[plan->phases++] =
            (weft_phase){weft_convolution_outer()->merge, outer->merge_pieces};
    }
    _Static_assert(sizeof *outer <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, outer, sizeof *outer);
}

static bool applicable(const weft_convolution_problem *problem, weft_convolution_pass pass)
{
    (void)problem;
    return pass == WEFT_CONVOLUTION_FILTER_GRADIENT;
}

static void plan(const weft_convolution_problem *problem, weft_convolution_pass pass,
                 const weft_slots *slots, weft_kernel_plan *result)
{
    (void)pass;
    int64_t in = problem->in_channels / problem->groups;
    int64_t out = problem->out_channels / problem->groups;
    int64_t taps = problem->kernel[0] * problem->kernel[1] * problem->kernel[2];
    weft_outer outer = {.slots = *slots,
                        .flip = problem->flip_filter,
                        .batch = problem->batch,
                        .groups = problem->groups,
                        .channels = in,
                        .filters = out,
                        .a_group = in,
                        .b_filter = 1,
                        .b_group = out,
                        .c = {in * problem->out_channels, problem->out_channels, out},
                        .merge_rows = taps * in,
                        .merge_width = problem->out_channels,
                        .merge_group = taps * in,
                        .merge_inner = problem->out_channels};
    outer.copy = outer.c;
    memcpy(outer.a_stride, problem->x_stride, sizeof outer.a_stride);
    memcpy(outer.b_stride, problem->y_stride, sizeof outer.b_stride);
    for (int i = 0; i < 3; i++)
        outer.dimension[i] = (weft_dimension){.in = problem->in[i],
                                              .out = problem->out[i],
                                              .kernel = problem->kernel[i],
                                              .stride = problem->stride[i],
                                              .dilation = problem->dilation[i],
                                              .pad = problem->pad[i]};
    weft_outer_plan(&outer, result);
}

const weft_convolution_candidate weft_convolution_outer_candidate = {"outer", applicable, plan};

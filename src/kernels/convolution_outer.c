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

/* What the choice of a blocking looks at. */
typedef struct extent {
    const weft_tiles *tiles;
    weft_taps row; /* taps of W */
    int64_t rows;  /* of pixels */
    int64_t tap_rows, pixels, vectors;
    int64_t wanted; /* pieces */
} extent;

/* Cuts rows of pixels into segments and puts as many into a chunk as suits the caches: short chunks keep
 * lines of a between the tiles that read them; where a line has many readers, longer ones pay. */
static void choose_chunk(weft_outer *outer, const extent *e)
{
    const weft_taps *row = &e->row;
    int64_t step = outer->a_stride[3] * row->in_step;
    int64_t pixels = e->tap_rows * row->count > 1 || outer->c.channel % 1024 == 0 ? 192 : 96;
    /* Pixels 4 KiB apart meet in the same sets of both caches. With few channels, taps join them as rows
     * of the tiles, which takes a copy. */
    outer->in_place = step < 1024 && (row->in_step == 1 || row->count > 1);
    outer->merged = outer->channels <= 8 && row->count > 1 && row->offset_step == 1 &&
                    row->filter_step == 1 && outer->channel_block == outer->channels;
    outer->in_place = outer->in_place && !outer->merged;
    if (!outer->in_place)
        pixels = 192;
    pixels = weft_least(pixels, WEFT_OUTER_FILTER_PANEL / outer->filter_block);
    if (!outer->in_place)
        pixels = weft_least(pixels, WEFT_OUTER_INPUT_PANEL / outer->channel_block);
    int64_t length = weft_least(row->positions, pixels);
    int64_t span = (length - 1) * row->in_step + (row->count - 1) * row->offset_step + 1;
    if (span * outer->channel_block > WEFT_OUTER_INPUT_PANEL)
        outer->merged = false; /* then each tap has a copy of its own */
    bool spans = outer->merged || (span <= length * row->count &&
                                   span * outer->channel_block <= WEFT_OUTER_INPUT_PANEL);
    int64_t floats = (spans ? span : length) * outer->channel_block; /* of a segment's copy */
    outer->segments = weft_ceiling(row->positions, length);
    outer->segment_chunk = pixels / length;
    if (!outer->in_place)
        outer->segment_chunk = weft_least(outer->segment_chunk, WEFT_OUTER_INPUT_PANEL / floats);
}

/* Pixels of b follow each other, from one row to the next, too. */
static bool even_steps(const weft_outer *outer)
{
    const int64_t *step = outer->b_stride;
    return step[2] == step[3] * outer->dimension[2].out &&
           step[1] == step[2] * outer->dimension[1].out &&
           (outer->batch == 1 || step[0] == step[1] * outer->dimension[0].out);
}

/* Few rows of tiles read b again so seldom that a copy does not pay, unless its pixels meet in the same sets of
 * caches. Tiles read whole vectors. */
static bool choose_dy(const weft_outer *outer, const extent *e)
{
    int64_t rows = outer->channel_block * e->row.count * outer->tap_row_block;
    return rows <= 128 && outer->b_filter == 1 && outer->b_stride[3] < 1024 &&
           outer->filters % e->tiles->lanes == 0 &&
           (outer->segment_chunk == 1 || even_steps(outer));
}

/* Cycles of all but the products. The constants are measured; they only weigh one blocking against
 * another. */
static double copy_cycles(const weft_outer *outer, const extent *e)
{
    /* Whole pixels are read along memory, which the processor follows; parts of them are not. */
    const double read_whole = 0.12, read_part = 0.25, copy = 0.5, keep = 0.2, merge = 1;
    const double read_dy = 0.25;
    double read_channel = outer->channel_blocks == 1 ? read_whole : read_part;
    double size = (double)(outer->merge.rows * outer->merge.width);
    double chunks = (double)weft_ceiling(e->rows * outer->segments, outer->segment_chunk);
    double read = (outer->in_place ? read_channel : copy) *
                  (double)(e->pixels * outer->channels * e->tap_rows) *
                  (double)(outer->filter_blocks * outer->groups);
    double filters = (outer->dy_in_place ? read_dy : copy) *
                     (double)(e->pixels * outer->filters * outer->groups) *
                     (double)(outer->channel_blocks * outer->tap_row_blocks);
    return read + filters + keep * size * chunks +
           (outer->splits > 1 ? merge * size * (double)outer->splits : 0);
}

/* Blocks of `block` vectors of filters and `channels` channels, and all that follows; returns cycles. */
static double choose_blocks(weft_outer *outer, const extent *e, int64_t block, int64_t channels,
                            int64_t tap_row_block)
{
    outer->filter_block = block * e->tiles->lanes;
    outer->filter_blocks = weft_ceiling(e->vectors, block);
    outer->channel_block = channels;
    outer->channel_blocks = weft_ceiling(outer->channels, channels);
    outer->tap_row_block = tap_row_block;
    outer->tap_row_blocks = weft_ceiling(e->tap_rows, tap_row_block);
    choose_chunk(outer, e);
    outer->dy_in_place = choose_dy(outer, e);
    int64_t pieces =
        outer->filter_blocks * outer->channel_blocks * outer->groups * outer->tap_row_blocks;
    int64_t fewest = weft_ceiling(weft_least(e->wanted, 16), pieces);
    int64_t most = weft_least(weft_ceiling(e->wanted, pieces), weft_most(1, e->pixels / 1500));
    int64_t chunks = weft_ceiling(e->rows * outer->segments, outer->segment_chunk);
    outer->splits = weft_least(weft_most(fewest, most), chunks);

    double cycles = outer->merged
                        ? choose_tile(outer, e->tiles, e->row.count * channels, block)
                        : (double)e->row.count * choose_tile(outer, e->tiles, channels, block);
    return cycles * (double)(e->pixels * outer->filter_blocks * outer->channel_blocks) *
               (double)(outer->groups * e->tap_rows) +
           copy_cycles(outer, e);
}

void weft_outer_plan(weft_outer *outer, weft_kernel_plan *plan)
{
    weft_taps t[3];
    for (int i = 0; i < 3; i++)
        t[i] = weft_taps_forward(&outer->dimension[i], outer->flip);
    extent e = {.tiles = weft_matmul_tiles(),
                .row = t[2],
                .rows = outer->batch * t[0].positions * t[1].positions,
                .tap_rows = t[0].count * t[1].count};
    e.pixels = e.rows * t[2].positions;
    e.vectors = weft_ceiling(outer->filters, e.tiles->lanes);
    double multiply_adds = (double)e.pixels * (double)(outer->groups * outer->channels) *
                           (double)(outer->filters * e.tap_rows * t[2].count);
    e.wanted =
        (int64_t)ceil(multiply_adds < 32e6 ? multiply_adds / 1e6 : fmax(32, multiply_adds / 15e6));

    weft_outer best = *outer;
    plan->cycles = INFINITY;
    for (int64_t block = 1; block <= weft_least(e.vectors, 256 / e.tiles->lanes); block++)
        for (int64_t parts = 1; parts <= weft_ceiling(outer->channels, 32); parts *= 2)
            for (int whole = 0; whole < 2; whole++) {
                int64_t channels = weft_ceiling(outer->channels, parts);
                if (channels > WEFT_OUTER_INPUT_PANEL) /* of one pixel */
                    continue;
                weft_outer candidate = *outer;
                double cycles =
                    choose_blocks(&candidate, &e, block, channels, whole ? e.tap_rows : 1);
                if (cycles < plan->cycles) {
                    plan->cycles = cycles;
                    best = candidate;
                }
            }
    plan->phases = 1;
    plan->phase[0] = (weft_phase){weft_convolution_outer()->run,
                                  best.filter_blocks * best.channel_blocks * best.groups *
                                      best.tap_row_blocks * best.splits};
    if (best.splits > 1) {
        best.merge.copies = best.splits;
        best.merge.output = best.slots.output;
        best.merge.workspace = best.slots.workspace;
        best.merge.bias = best.bias ? best.slots.input[2] : -1;
        weft_merge_plan(&best.merge, plan);
    }
    _Static_assert(sizeof best <= sizeof plan->args, "the plan has room for its arguments");
    memcpy(plan->args, &best, sizeof best);
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
                        .prologue = problem->prologue,
                        .flip = problem->flip_filter,
                        .batch = problem->batch,
                        .groups = problem->groups,
                        .channels = in,
                        .filters = out,
                        .a_group = in,
                        .b_filter = 1,
                        .b_group = out,
                        .c = {in * problem->out_channels, problem->out_channels, out},
                        .merge = {.rows = taps * in,
                                  .width = problem->out_channels,
                                  .group = taps * in,
                                  .inner = problem->out_channels}};
    outer.copy = outer.c;
    memcpy(outer.a_stride, problem->x_stride, sizeof outer.a_stride);
    memcpy(outer.b_stride, problem->y_stride, sizeof outer.b_stride);
    for (int i = 0; i < 3; i++)
        outer.dimension[i] = weft_dimension_of(problem, false, i);
    weft_outer_plan(&outer, result);
}

const weft_convolution_candidate weft_convolution_outer_candidate = {"outer", applicable, plan};

#include "kernels/convolution_outer.h"

#include "kernels/integer.h"
#include "kernels/matmul_pack.h"

extern const weft_tiles WEFT_FOR_ISA(weft_matmul_tiles);

enum { D, H, W };

/* What one piece works on. */
typedef struct piece_state {
    const weft_outer *o;
    const float *a, *b, *bias; /* of the group, the first channel and the first filter */
    float *c;
    weft_outer_strides to;
    weft_taps taps[3];
    int64_t channels, filters, vectors; /* of the piece */
    float *input, *panel;
} piece_state;

/* A segment of a row of pixels of dy. */
typedef struct segment {
    int64_t image, depth, height, column, pixels;
} segment;

SIMD_INLINE int64_t vector_tiles(const piece_state *s)
{
    return (s->vectors + s->o->vectors - 1) / s->o->vectors;
}

static segment find_segment(const piece_state *s, int64_t index)
{
    const int64_t segments = s->o->segments, width = s->taps[W].positions;
    int64_t part = index % segments, row = index / segments;
    segment g = {.height = row % s->taps[H].positions,
                 .depth = row / s->taps[H].positions % s->taps[D].positions,
                 .image = row / s->taps[H].positions / s->taps[D].positions,
                 .column = width * part / segments};
    g.pixels = width * (part + 1) / segments - g.column;
    return g;
}

/* The panel holds, for each tile of vectors, a row for each pixel of the chunk. */
static void pack_filters(const piece_state *s, const segment *segments, int64_t count,
                         int64_t pixels)
{
    const weft_outer *o = s->o;
    int64_t tiles = vector_tiles(s);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t v0 = s->vectors * tile / tiles, v1 = s->vectors * (tile + 1) / tiles;
        int64_t first = v0 * LANES, width = (v1 - v0) * LANES;
        int64_t columns = weft_least(s->filters - first, width);
        float *to = s->panel + pixels * first;
        for (int64_t i = 0; i < count; i++) {
            const segment *g = &segments[i];
            const float *from = s->b + g->image * o->b_stride[0] + g->depth * o->b_stride[1] +
                                g->height * o->b_stride[2] + g->column * o->b_stride[3] +
                                first * o->b_filter;
            if (o->b_filter == 1)
                pack_rows(to, width, from, o->b_stride[3], g->pixels, columns);
            else
                pack_columns(to, width, from, o->b_filter, g->pixels, columns);
            to += g->pixels * width;
        }
    }
}

/* Copies what the segments see through one row of taps, from tap on; returns the number of runs. */
static int64_t copy_input(const piece_state *s, const segment *segments, int64_t count,
                          int64_t tap_row, int64_t tap, weft_tile_run *run)
{
    const weft_outer *o = s->o;
    const weft_taps *t = s->taps;
    int64_t runs = 0, pixel = 0;
    for (int64_t i = 0; i < count; pixel += segments[i].pixels, i++) {
        const segment *g = &segments[i];
        int64_t depth =
            g->depth * t[D].in_step + t[D].offset + tap_row / t[H].count * t[D].offset_step;
        int64_t height =
            g->height * t[H].in_step + t[H].offset + tap_row % t[H].count * t[H].offset_step;
        if (depth < 0 || depth >= o->dimension[D].in || height < 0 || height >= o->dimension[H].in)
            continue;
        const float *row =
            s->a + g->image * o->a_stride[0] + depth * o->a_stride[1] + height * o->a_stride[2];
        int64_t column = g->column * t[W].in_step + t[W].offset + tap * t[W].offset_step;
        int64_t span = (g->pixels - 1) * t[W].in_step + (t[W].count - 1) * t[W].offset_step + 1;
        float *to = s->input + runs * o->segment_step;
        copy_pixels(to, s->channels, row, o->dimension[W].in, o->a_stride[3], column,
                    o->span ? 1 : t[W].in_step, o->span ? span : g->pixels, s->channels);
        run[runs] = (weft_tile_run){.a = runs * o->segment_step, .b = pixel, .length = g->pixels};
        runs++;
    }
    return runs;
}

/* All tiles of `rows` rows of c, which start at c. */
static void run_rows(const piece_state *s, const weft_tile *shared, const float *a, float *c,
                     int64_t rows, int64_t pixels)
{
    int64_t columns = vector_tiles(s), tiles = (rows + s->o->rows - 1) / s->o->rows;
    weft_tile tile = *shared;
    tile.c_step = s->to.channel;
    for (int64_t j = 0; j < columns; j++) {
        int64_t v0 = s->vectors * j / columns, v1 = s->vectors * (j + 1) / columns;
        tile.b = s->panel + pixels * v0 * LANES;
        tile.bias = s->bias ? s->bias + v0 * LANES : NULL;
        tile.last = v1 < s->vectors ? LANES : s->filters - (v1 - 1) * LANES;
        for (int64_t i = 0; i < tiles; i++) {
            int64_t r0 = rows * i / tiles, r1 = rows * (i + 1) / tiles;
            tile.a = a + r0;
            tile.c = c + r0 * tile.c_step + v0 * LANES;
            tile.c_half = (r1 - r0 + 1) / 2 * tile.c_step;
            WEFT_FOR_ISA(weft_matmul_tiles).outer[v1 - v0][r1 - r0](&tile);
        }
    }
}

/* One row of taps, for the pixels of one chunk. */
static void run_tap_row(const piece_state *s, const segment *segments, int64_t count,
                        int64_t pixels, int64_t tap_row, bool first)
{
    const weft_outer *o = s->o;
    const weft_taps *t = s->taps;
    weft_tile_run run[WEFT_OUTER_PIXELS];
    weft_tile tile = {.run = run, .accumulate = !first};
    tile.a_step = o->span ? t[W].in_step * s->channels : s->channels;
    int64_t fd = t[D].filter + tap_row / t[H].count * t[D].filter_step;
    int64_t fh = t[H].filter + tap_row % t[H].count * t[H].filter_step;
    for (int64_t tap = 0; tap < t[W].count; tap++) {
        if (tap == 0 || !o->span)
            tile.runs = copy_input(s, segments, count, tap_row, tap, run);
        if (!tile.runs && !first)
            continue;
        int64_t fw = t[W].filter + tap * t[W].filter_step;
        int64_t index = (fd * o->dimension[H].kernel + fh) * o->dimension[W].kernel + fw;
        float *c = s->c + index * s->to.tap;
        const float *a = s->input;
        if (o->span)
            a += tap * t[W].offset_step * s->channels;
        if (o->merged) {
            run_rows(s, &tile, a, c, t[W].count * s->channels, pixels);
            return;
        }
        run_rows(s, &tile, a, c, s->channels, pixels);
    }
}

static void run(const weft_call *call, int64_t piece)
{
    _Alignas(64) float panel[WEFT_OUTER_FILTER_PANEL];
    _Alignas(64) float input[WEFT_OUTER_INPUT_PANEL];
    const weft_outer *o = call->args;
    piece_state s = {.o = o, .panel = panel, .input = input};
    for (int i = D; i <= W; i++)
        s.taps[i] = weft_taps_forward(&o->dimension[i], o->flip);
    const weft_taps *t = s.taps;

    int64_t tap_rows = t[D].count * t[H].count;
    int64_t tap_row0 = piece % o->tap_row_blocks * o->tap_row_block;
    int64_t tap_row1 = weft_least(tap_row0 + o->tap_row_block, tap_rows);
    piece /= o->tap_row_blocks;
    int64_t filter = piece % o->filter_blocks * o->filter_block;
    piece /= o->filter_blocks;
    int64_t channel = piece % o->channel_blocks * o->channel_block;
    piece /= o->channel_blocks;
    int64_t group = piece % o->groups, split = piece / o->groups;

    s.channels = weft_least(o->channel_block, o->channels - channel);
    s.filters = weft_least(o->filter_block, o->filters - filter);
    s.vectors = (s.filters + LANES - 1) / LANES;
    s.a = (const float *)call->operand[o->slots.input[0]] + group * o->a_group + channel;
    s.b =
        (const float *)call->operand[o->slots.input[1]] + group * o->b_group + filter * o->b_filter;
    if (o->splits == 1) {
        s.c = call->operand[o->slots.output];
        s.to = o->c;
        if (o->bias)
            s.bias =
                (const float *)call->operand[o->slots.input[2]] + group * o->bias_group + filter;
    } else {
        s.c = (float *)call->operand[o->slots.workspace] + split * o->merge_rows * o->merge_width;
        s.to = o->copy;
    }
    s.c += group * s.to.group + channel * s.to.channel + filter;

    int64_t total = o->batch * t[D].positions * t[H].positions * o->segments;
    int64_t begin = total * split / o->splits, end = total * (split + 1) / o->splits;
    for (int64_t at = begin; at < end; at += o->segment_chunk) {
        segment segments[WEFT_OUTER_PIXELS];
        int64_t count = weft_least(o->segment_chunk, end - at), pixels = 0;
        for (int64_t i = 0; i < count; pixels += segments[i].pixels, i++)
            segments[i] = find_segment(&s, at + i);
        pack_filters(&s, segments, count, pixels);
        for (int64_t row = tap_row0; row < tap_row1; row++)
            run_tap_row(&s, segments, count, pixels, row, at == begin);
    }
}

/* Adds the copies, in order. */
static void merge(const weft_call *call, int64_t piece)
{
    const weft_outer *o = call->args;
    const float *copies = call->operand[o->slots.workspace];
    const float *bias = o->bias ? call->operand[o->slots.input[2]] : NULL;
    float *c = call->operand[o->slots.output];
    int64_t size = o->merge_rows * o->merge_width;
    int64_t first = o->merge_rows * piece / o->merge_pieces;
    int64_t end = o->merge_rows * (piece + 1) / o->merge_pieces;
    for (int64_t row = first; row < end; row++) {
        float *to =
            c + row / o->merge_group * o->merge_outer + row % o->merge_group * o->merge_inner;
        const float *from = copies + row * o->merge_width;
        const float *start = bias ? bias + row / o->merge_group * o->bias_group : NULL;
        for (int64_t i = 0; i < o->merge_width; i += LANES) {
            int64_t n = weft_least(LANES, o->merge_width - i);
            vfloat sum = start ? vload_first(start + i, n) : (vfloat){0};
            for (int64_t split = 0; split < o->splits; split++)
                sum += vload_first(from + split * size + i, n);
            vstore_first(to + i, sum, n);
        }
    }
}

const weft_outer_kernels WEFT_FOR_ISA(weft_convolution_outer) = {.run = run, .merge = merge};

#include "kernels/convolution_winograd.h"

#include "kernels/convolution_winograd_block_rows.h"
#include "kernels/convolution_winograd_few.h"
#include "kernels/convolution_winograd_filters.h"
#include "kernels/convolution_winograd_gather.h"
#include "kernels/convolution_winograd_scatter.h"
#include "kernels/matmul_tile.h"

/* What one piece works on. */
typedef struct piece_state {
    const weft_winograd *w;
    const weft_call *call;
    const float *a, *b;
    int64_t first, end;                /* tiles */
    int64_t filter, filters, vectors;  /* of the piece */
    int64_t channel, channels;         /* of the block at hand */
    const float *pixels, *transformed; /* blocks of pixels and of filters */
    float *sums;
} piece_state;

static void set_group(piece_state *s, int64_t group)
{
    s->first = group * s->w->group;
    s->end = weft_least(s->first + s->w->group, s->w->grid.count);
}

static void set_filters(piece_state *s, int64_t block)
{
    s->filter = block * s->w->filter_vectors * LANES;
    s->filters = weft_least(s->w->filter_vectors * LANES, s->w->filters - s->filter);
    s->vectors = weft_ceiling(s->filters, LANES);
}

static void set_channels(piece_state *s, int64_t block)
{
    s->channel = block * s->w->channel_block;
    s->channels = weft_least(s->w->channel_block, s->w->channels - s->channel);
}

SIMD_INLINE void transform_pixels(weft_winograd_size size, const piece_state *s, float *to)
{
    winograd_block block =
        rows_block(s->w->pixels_position, weft_ceiling(s->channels, LANES), s->w->pixels_step);
    gather_tiles(size, false, &s->w->grid, &s->w->a, s->call, s->a, s->first, s->end, s->channel,
                 s->channels, &block, to);
}

SIMD_INLINE void transform_filters(weft_winograd_size size, const piece_state *s, float *to)
{
    const weft_winograd *w = s->w;
    winograd_filters filters = {
        .grid = &w->grid,
        .tap = w->b_tap,
        .channel = w->b_channel,
        .filter = w->b_filter,
        .flip = w->flip,
        .first = s->channel,
        .widest = w->vectors,
        .rows = s->channels,
        .position = w->filters_position,
    };
    int64_t vectors = w->few ? 1 : s->vectors; /* whose panels are next to each other */
    for (int64_t v = 0; v < s->vectors; v += vectors, to += w->filters_vector) {
        filters.b = s->b + (s->filter + v * LANES) * w->b_filter;
        filters.vectors = vectors;
        filters.filters = weft_least(vectors * LANES, s->filters - v * LANES);
        filters_to_panels(size, &filters, s->channel, s->channel + s->channels, to);
    }
}

/* Adds the products of the blocks at hand to the sums, or begins them. */
static void multiply(const piece_state *s, int64_t positions, bool accumulate)
{
    const weft_winograd *w = s->w;
    const weft_tiles *tiles = &WEFT_FOR_ISA(weft_matmul_tiles);
    const weft_tile_run run = {.length = s->channels};
    int64_t step = w->pixels_step, count = s->end - s->first;
    int64_t panels = panels_of(s->vectors, w->vectors);
    weft_tile tile = {.run = &run,
                      .runs = 1,
                      .a_step = step,
                      .c_step = w->filter_vectors * LANES,
                      .last = LANES,
                      .accumulate = accumulate};
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < panels; i++) {
            int64_t v0 = s->vectors * i / panels, v1 = s->vectors * (i + 1) / panels;
            int64_t down = weft_ceiling(count, tiles->max_rows[v1 - v0]);
            tile.b = s->transformed + p * w->filters_position + v0 * LANES * s->channels;
            for (int64_t j = 0; j < down; j++) {
                int64_t r0 = count * j / down, r1 = count * (j + 1) / down;
                tile.a = s->pixels + p * w->pixels_position + r0 * step;
                tile.a_half = (r1 - r0 + 1) / 2 * step;
                tile.c = s->sums + p * w->sums_position + r0 * tile.c_step + v0 * LANES;
                tile.c_half = (r1 - r0 + 1) / 2 * tile.c_step;
                tiles->rows[v1 - v0][r1 - r0](&tile);
            }
        }
}

SIMD_INLINE void run_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    _Alignas(64) float stack[WEFT_WINOGRAD_STACK];
    const weft_winograd *w = call->args;
    const float *filters = call->operand[w->slots.prepared];
    const float *pixels = call->operand[w->slots.workspace];
    float *own = stack + w->sums_block; /* of one factor; at least the other is made ahead */
    piece_state s = {.w = w,
                     .call = call,
                     .a = (const float *)call->operand[w->slots.input[0]] + w->a.at,
                     .b = call->operand[w->slots.input[1]],
                     .sums = stack};
    int64_t group = w->groups_first ? piece / w->filter_blocks : piece % w->groups;
    int64_t block = w->groups_first ? piece % w->filter_blocks : piece / w->groups;
    set_group(&s, group);
    set_filters(&s, block);
    for (int64_t i = 0; i < w->channel_blocks; i++) {
        set_channels(&s, i);
        if (w->pixels_ahead) {
            s.pixels = pixels + (group * w->channel_blocks + i) * w->pixels_block;
        } else {
            transform_pixels(size, &s, own);
            s.pixels = own;
        }
        if (w->filters_ahead) {
            s.transformed = filters + (block * w->channel_blocks + i) * w->filters_block;
        } else {
            transform_filters(size, &s, own);
            s.transformed = own;
        }
        if (!w->few)
            multiply(&s, positions_of(size), i > 0);
    }

    const winograd_output output = {
        .grid = &w->grid,
        .image = &w->c,
        .bias = w->bias ? (const float *)call->operand[w->slots.input[2]] + s.filter : NULL,
        .c = (float *)call->operand[w->slots.output] + s.filter,
        .sums = s.sums,
        .position = w->sums_position,
        .step = w->filter_vectors * LANES,
        .first = s.first,
        .filter = s.filter,
        .filters = s.filters,
        .epilogue = w->epilogue,
        .part = group,
    };
    if (size.dimensions == 2 && w->few)
        write_few(size, call, w, &output, s.pixels, s.transformed, s.end);
    else
        write_tiles(size, call, &output, s.first, s.end);
}

SIMD_INLINE void filters_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd *w = call->args;
    piece_state s = {.w = w, .b = call->operand[w->slots.input[1]]};
    set_filters(&s, piece / w->channel_blocks);
    set_channels(&s, piece % w->channel_blocks);
    transform_filters(size, &s,
                      (float *)call->operand[w->slots.prepared] + piece * w->filters_block);
}

SIMD_INLINE void pixels_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd *w = call->args;
    piece_state s = {
        .w = w, .call = call, .a = (const float *)call->operand[w->slots.input[0]] + w->a.at};
    set_group(&s, piece / w->channel_blocks);
    set_channels(&s, piece % w->channel_blocks);
    transform_pixels(size, &s,
                     (float *)call->operand[w->slots.workspace] + piece * w->pixels_block);
}

static void blocks(const weft_call *call, int64_t piece)
{
    const weft_winograd *w = call->args;
    make_blocks(&w->blocks, &w->a, call, piece,
                (float *)call->operand[w->slots.input[0]] + w->a.at);
}

#define KERNELS(name, ...)                                                                         \
    static void filters_##name(const weft_call *call, int64_t piece)                               \
    {                                                                                              \
        filters_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                             \
    }                                                                                              \
    static void pixels_##name(const weft_call *call, int64_t piece)                                \
    {                                                                                              \
        pixels_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                              \
    }                                                                                              \
    static void run_##name(const weft_call *call, int64_t piece)                                   \
    {                                                                                              \
        run_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                                 \
    }                                                                                              \
    const weft_winograd_kernels WEFT_FOR_ISA(weft_winograd_##name) = {                             \
        .filters = filters_##name, .pixels = pixels_##name, .blocks = blocks, .run = run_##name};

KERNELS(2x2, 2, 3, 2)
KERNELS(4x4, 4, 3, 2)
KERNELS(3x3_of_4x4, 3, 4, 2)
KERNELS(2x2_of_5x5, 2, 5, 2)
KERNELS(4_of_3, 4, 3, 1)
KERNELS(3_of_7, 3, 7, 1)

#include "kernels/convolution_winograd_outer.h"

#include "kernels/convolution_winograd_block_rows.h"
#include "kernels/convolution_winograd_gather.h"
#include "kernels/convolution_winograd_taps.h"
#include "kernels/matmul_tile.h"

/* What one piece works on. */
typedef struct piece_state {
    const weft_winograd_outer *o;
    const weft_call *call;
    const float *x, *y;
    int64_t first, end;                         /* tiles of the group at hand */
    int64_t channel, channels, channel_vectors; /* of the piece */
    int64_t filter, filters, filter_vectors;
    float *sums;
} piece_state;

static void set_group(piece_state *s, int64_t group)
{
    s->first = group * s->o->group;
    s->end = weft_least(s->first + s->o->group, s->o->grid.count);
}

static void set_channels(piece_state *s, int64_t block)
{
    s->channel = block * s->o->channel_vectors * LANES;
    s->channels = weft_least(s->o->channel_vectors * LANES, s->o->x.channels - s->channel);
    s->channel_vectors = weft_ceiling(s->channels, LANES);
}

static void set_filters(piece_state *s, int64_t block)
{
    s->filter = block * s->o->filter_vectors * LANES;
    s->filters = weft_least(s->o->filter_vectors * LANES, s->o->y.channels - s->filter);
    s->filter_vectors = weft_ceiling(s->filters, LANES);
}

SIMD_INLINE void transform_x(weft_winograd_size size, const piece_state *s, float *to)
{
    winograd_block block =
        rows_block(s->o->x_position, s->channel_vectors, s->o->channel_vectors * LANES);
    gather_tiles(size, false, &s->o->grid, &s->o->x, s->call, s->x, s->first, s->end, s->channel,
                 s->channels, &block, to);
}

SIMD_INLINE void transform_y(weft_winograd_size size, const piece_state *s, float *to)
{
    winograd_block block =
        panels_block(s->o->y_position, s->filter_vectors, s->o->vectors, s->end - s->first);
    gather_tiles(size, true, &s->o->grid, &s->o->y, s->call, s->y, s->first, s->end, s->filter,
                 s->filters, &block, to);
}

/* Adds the products of one group to the sums, or begins them. */
static void multiply(const piece_state *s, const float *x, const float *y, int64_t positions,
                     bool accumulate)
{
    const weft_winograd_outer *o = s->o;
    const weft_tiles *tiles = &WEFT_FOR_ISA(weft_matmul_tiles);
    const weft_tile_run run = {.length = s->end - s->first};
    int64_t panels = panels_of(s->filter_vectors, o->vectors);
    weft_tile tile = {.run = &run,
                      .runs = 1,
                      .a_step = o->channel_vectors * LANES,
                      .c_step = o->filter_vectors * LANES,
                      .last = LANES,
                      .accumulate = accumulate};
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < panels; i++) {
            int64_t v0 = s->filter_vectors * i / panels, v1 = s->filter_vectors * (i + 1) / panels;
            int64_t down = weft_ceiling(s->channels, tiles->max_rows[v1 - v0]);
            tile.b = tile.fetch = y + p * o->y_position + v0 * LANES * run.length;
            tile.b_step = (v1 - v0) * LANES;
            for (int64_t j = 0; j < down; j++) {
                int64_t r0 = s->channels * j / down, r1 = s->channels * (j + 1) / down;
                tile.a = x + p * o->x_position + r0;
                tile.c = s->sums + p * o->sums_position + r0 * tile.c_step + v0 * LANES;
                tile.c_half = (r1 - r0 + 1) / 2 * tile.c_step;
                tiles->outer[v1 - v0][r1 - r0](&tile);
            }
        }
}

/* Where the blocks that are made ahead begin in the workspace. */
static float *ahead_of(const weft_call *call)
{
    const weft_winograd_outer *o = call->args;
    float *workspace = call->operand[o->slots.workspace];
    return workspace + weft_merge_floats(&o->merge); /* 0 without splits */
}

SIMD_INLINE void run_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    _Alignas(64) float stack[WEFT_WINOGRAD_OUTER_STACK];
    const weft_winograd_outer *o = call->args;
    const float *ahead_x = ahead_of(call), *ahead_y = ahead_x + o->x_floats;
    int64_t filter_block = piece % o->filter_blocks, rest = piece / o->filter_blocks;
    int64_t channel_block = rest % o->channel_blocks, split = rest / o->channel_blocks;
    piece_state s = {.o = o,
                     .call = call,
                     .x = (const float *)call->operand[o->slots.input[0]] + o->x.at,
                     .y = call->operand[o->slots.input[1]],
                     .sums = stack};
    set_channels(&s, channel_block);
    set_filters(&s, filter_block);
    int64_t begin = o->groups * split / o->splits, end = o->groups * (split + 1) / o->splits;
    for (int64_t group = begin; group < end; group++) {
        float *own = stack + o->sums_block;
        const float *x = ahead_x + (group * o->channel_blocks + channel_block) * o->x_block;
        const float *y = ahead_y + (group * o->filter_blocks + filter_block) * o->y_block;
        set_group(&s, group);
        if (!o->x_ahead) {
            transform_x(size, &s, own);
            x = own;
            own += o->x_block;
        }
        if (!o->y_ahead) {
            transform_y(size, &s, own);
            y = own;
        }
        multiply(&s, x, y, positions_of(size), group > begin);
    }

    int64_t width = o->y.channels;
    float *c = o->splits == 1 ? (float *)call->operand[o->slots.output]
                              : (float *)call->operand[o->slots.workspace] +
                                    split * o->merge.rows * o->merge.width;
    int64_t of_phase = o->grid.phase_channels;
    for (int64_t i = 0; i < s.channels; i++) {
        int64_t place[WINOGRAD_PLANE_TAPS * WINOGRAD_PLANE_TAPS], channel = s.channel + i;
        weft_winograd_stored_taps(&o->grid, channel / of_phase, o->flip, place);
        for (int64_t v = 0; v < s.filter_vectors; v++) {
            const float *sums = s.sums + (i * o->filter_vectors + v) * LANES;
            float *to = c + channel % of_phase * width + s.filter + v * LANES;
            int64_t lanes = weft_least(LANES, s.filters - v * LANES);
            sums_to_taps(size, sums, o->sums_position, to, of_phase * width, place, lanes);
        }
    }
}

SIMD_INLINE void x_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_outer *o = call->args;
    piece_state s = {
        .o = o, .call = call, .x = (const float *)call->operand[o->slots.input[0]] + o->x.at};
    set_group(&s, piece / o->channel_blocks);
    set_channels(&s, piece % o->channel_blocks);
    transform_x(size, &s, ahead_of(call) + piece * o->x_block);
}

SIMD_INLINE void y_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_outer *o = call->args;
    piece_state s = {.o = o, .call = call, .y = call->operand[o->slots.input[1]]};
    set_group(&s, piece / o->filter_blocks);
    set_filters(&s, piece % o->filter_blocks);
    transform_y(size, &s, ahead_of(call) + o->x_floats + piece * o->y_block);
}

static void blocks(const weft_call *call, int64_t piece)
{
    const weft_winograd_outer *o = call->args;
    make_blocks(&o->blocks, &o->x, call, piece,
                (float *)call->operand[o->slots.input[0]] + o->x.at);
}

#define KERNELS(name, ...)                                                                         \
    static void x_##name(const weft_call *call, int64_t piece)                                     \
    {                                                                                              \
        x_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                                   \
    }                                                                                              \
    static void y_##name(const weft_call *call, int64_t piece)                                     \
    {                                                                                              \
        y_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                                   \
    }                                                                                              \
    static void run_##name(const weft_call *call, int64_t piece)                                   \
    {                                                                                              \
        run_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                                 \
    }                                                                                              \
    const weft_winograd_outer_kernels WEFT_FOR_ISA(weft_winograd_outer_##name) = {                 \
        .x = x_##name, .y = y_##name, .blocks = blocks, .run = run_##name};

KERNELS(2x2, 2, 3, 2)
KERNELS(4x4, 4, 3, 2)
KERNELS(3x3_of_4x4, 3, 4, 2)
KERNELS(2x2_of_5x5, 2, 5, 2)
KERNELS(4_of_3, 4, 3, 1)
KERNELS(3_of_7, 3, 7, 1)

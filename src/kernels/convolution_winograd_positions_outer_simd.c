#include "kernels/convolution_winograd_positions_outer.h"

#include "kernels/convolution_winograd_gather.h"
#include "kernels/convolution_winograd_taps.h"
#include "kernels/matmul_tile.h"

/* Which part of the work a round is. */
typedef struct part {
    int64_t chunk;
    int64_t first, vectors; /* of channels */
} part;

SIMD_INLINE part part_of(const weft_winograd_positions_outer *p, const weft_call *call)
{
    int64_t first = p->sections > 1 ? call->round * p->section : 0;
    return (part){p->sections > 1 ? 0 : call->round, first,
                  weft_least(p->section, p->channel_vectors - first)};
}

/* One of the arrays, or a section of it, as the transforms see it. */
typedef struct side {
    const weft_winograd_image *image;
    const float *data;
    int64_t first, vectors, blocks, widest; /* vectors of channels; widest: of a panel */
    int64_t position;
    float *to; /* matrices of the group */
} side;

SIMD_INLINE void transform_block(weft_winograd_size size, bool adjoint, const weft_call *call,
                                 const side *s, int64_t group, int64_t block)
{
    const weft_winograd_positions_outer *p = call->args;
    int64_t v0 = s->vectors * block / s->blocks, v1 = s->vectors * (block + 1) / s->blocks;
    int64_t panels = panels_of(s->vectors, s->widest), panel = 0;
    winograd_block to = {.position = s->position, .vectors = v1 - v0};
    for (int64_t v = v0; v < v1; v++) {
        while (s->vectors * (panel + 1) / panels <= v)
            panel++;
        int64_t first = s->vectors * panel / panels, end = s->vectors * (panel + 1) / panels;
        to.start[v - v0] = first * LANES * p->group + (v - first) * LANES;
        to.step[v - v0] = (end - first) * LANES;
    }
    int64_t first = group * p->group, end = weft_least(first + p->group, p->grid.count);
    if (v0 == v1) /* a section of fewer vectors */
        return;
    int64_t channel = (s->first + v0) * LANES;
    int64_t channels = weft_least((s->first + v1) * LANES, s->image->channels) - channel;
    gather_tiles(size, adjoint, &p->grid, s->image, call, s->data, first, end, channel, channels,
                 &to, s->to);
}

SIMD_INLINE void transform(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_positions_outer *p = call->args;
    const part of = part_of(p, call);
    int64_t blocks = weft_positions_outer_blocks(p, call->round);
    int64_t at = piece / blocks, block = piece % blocks, group = of.chunk * p->chunk + at;
    float *workspace = call->operand[p->slots.workspace];
    const side x = {.image = &p->x,
                    .data = call->operand[p->slots.input[0]],
                    .first = of.first,
                    .vectors = of.vectors,
                    .blocks = p->x_blocks,
                    .widest = 1,
                    .position = p->x_position,
                    .to = workspace + at * p->x_group};
    const side y = {.image = &p->y,
                    .data = call->operand[p->slots.input[1]],
                    .vectors = p->filter_vectors,
                    .blocks = p->y_blocks,
                    .widest = p->vectors,
                    .position = p->y_position,
                    .to = workspace + p->x_floats + at * p->y_group};
    if (block < p->x_blocks)
        transform_block(size, false, call, &x, group, block);
    else
        transform_block(size, true, call, &y, group, block - p->x_blocks);
}

/* One panel of filters times a part of the channels, for one position and group. */
static void multiply_panel(const weft_winograd_positions_outer *p, weft_tile *tile, const float *x,
                           float *sums, int64_t width, int64_t first, int64_t end, int64_t channels)
{
    const weft_tiles *tiles = &WEFT_FOR_ISA(weft_matmul_tiles);
    for (int64_t v = first; v < end; v++) {
        int64_t rows = weft_least(LANES, channels - v * LANES);
        int64_t down = weft_ceiling(rows, tiles->max_rows[width]);
        const float *panel = x + v * LANES * p->group;
        tile->fetch = panel + LANES * p->group; /* the next one */
        for (int64_t j = 0; j < down; j++) {
            int64_t r0 = rows * j / down, r1 = rows * (j + 1) / down;
            tile->a = panel + r0;
            tile->c = sums + (v * LANES + r0) * tile->c_step;
            tile->c_half = (r1 - r0 + 1) / 2 * tile->c_step;
            tiles->outer[width][r1 - r0](tile);
        }
    }
}

static void multiply(const weft_call *call, int64_t piece)
{
    const weft_winograd_positions_outer *p = call->args;
    const part of = part_of(p, call);
    int64_t position = piece / p->parts, share = piece % p->parts;
    int64_t first = of.vectors * share / p->parts;
    int64_t end = of.vectors * (share + 1) / p->parts;
    int64_t channels = p->x.channels - of.first * LANES;
    int64_t groups = weft_least(p->chunk, p->groups - of.chunk * p->chunk);
    int64_t panels = panels_of(p->filter_vectors, p->vectors);
    float *workspace = call->operand[p->slots.workspace];
    const float *x = workspace + position * p->x_position;
    const float *y = workspace + p->x_floats + position * p->y_position;
    float *sums = workspace + p->x_floats + p->y_floats + position * p->sums_position;
    weft_tile_run run;
    weft_tile tile = {.run = &run,
                      .runs = 1,
                      .a_step = LANES,
                      .fetch_step = LANES,
                      .c_step = p->filter_vectors * LANES,
                      .last = LANES};
    for (int64_t g = 0; g < groups; g++, x += p->x_group, y += p->y_group) {
        int64_t at = (of.chunk * p->chunk + g) * p->group;
        run = (weft_tile_run){.length = weft_least(p->group, p->grid.count - at)};
        tile.accumulate = at > 0;
        for (int64_t i = 0; i < panels; i++) {
            int64_t v0 = p->filter_vectors * i / panels, v1 = p->filter_vectors * (i + 1) / panels;
            tile.b = y + v0 * LANES * p->group;
            tile.b_step = (v1 - v0) * LANES;
            multiply_panel(p, &tile, x, sums + v0 * LANES, v1 - v0, first, end, channels);
        }
    }
}

SIMD_INLINE void taps_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_positions_outer *p = call->args;
    const part of = part_of(p, call);
    int64_t width = p->y.channels, step = p->filter_vectors * LANES;
    const float *sums =
        (const float *)call->operand[p->slots.workspace] + p->x_floats + p->y_floats;
    float *c = (float *)call->operand[p->slots.output] + of.first * LANES * width;
    int64_t end = weft_least((piece + 1) * LANES, p->x.channels - of.first * LANES);
    int64_t place[WINOGRAD_PLANE_TAPS * WINOGRAD_PLANE_TAPS];
    weft_winograd_stored_taps(&p->grid, 0, p->flip, place);
    for (int64_t channel = piece * LANES; channel < end; channel++)
        for (int64_t f = 0; f < width; f += LANES)
            sums_to_taps(size, sums + channel * step + f, p->sums_position, c + channel * width + f,
                         p->x.channels * width, place, weft_least(LANES, width - f));
}

#define KERNELS(name, ...)                                                                         \
    static void transform_##name(const weft_call *call, int64_t piece)                             \
    {                                                                                              \
        transform((weft_winograd_size){__VA_ARGS__}, call, piece);                                 \
    }                                                                                              \
    static void taps_##name(const weft_call *call, int64_t piece)                                  \
    {                                                                                              \
        taps_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                                \
    }                                                                                              \
    const weft_winograd_positions_outer_kernels WEFT_FOR_ISA(                                      \
        weft_winograd_positions_outer_##name) = {                                                  \
        .transform = transform_##name, .multiply = multiply, .taps = taps_##name};

KERNELS(2x2, 2, 3, 2)
KERNELS(4x4, 4, 3, 2)
KERNELS(4_of_3, 4, 3, 1)
KERNELS(3_of_7, 3, 7, 1)

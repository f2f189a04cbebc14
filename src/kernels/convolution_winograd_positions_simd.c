#include "kernels/convolution_winograd_positions.h"

#include "kernels/convolution_winograd_filters.h"
#include "kernels/convolution_winograd_gather.h"
#include "kernels/convolution_winograd_scatter.h"

/* Which part of the work a round is. */
typedef struct part {
    int64_t chunk;
    int64_t filter, filters,
        vectors; /* of the section: the first filter, how many, vectors of them */
} part;

SIMD_INLINE part part_of(const weft_winograd_positions *p, const weft_call *call)
{
    int64_t section = p->sections > 1 ? call->round : 0, filter = section * p->section * LANES;
    int64_t filters = weft_least(p->section * LANES, p->filters - filter);
    return (part){p->sections > 1 ? 0 : call->round, filter, filters, weft_ceiling(filters, LANES)};
}

SIMD_INLINE float *products_of(const weft_winograd_positions *p, const weft_call *call)
{
    return (float *)call->operand[p->slots.workspace] +
           weft_winograd_positions_of(&p->grid) * p->pixels_position;
}

SIMD_INLINE float *filters_of(const weft_winograd_positions *p, const weft_call *call)
{
    return p->sections > 1
               ? products_of(p, call) + weft_winograd_positions_of(&p->grid) * p->products_position
               : call->operand[p->slots.prepared];
}

SIMD_INLINE void filters_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_positions *p = call->args;
    const part of = part_of(p, call);
    const winograd_filters filters = {
        .grid = &p->grid,
        .b = (const float *)call->operand[p->slots.input[1]] + of.filter * p->b_filter,
        .tap = p->b_tap,
        .channel = p->b_channel,
        .filter = p->b_filter,
        .flip = p->flip,
        .filters = of.filters,
        .vectors = of.vectors,
        .widest = p->vectors,
        .rows = p->channels,
        .position = p->filters_position,
    };
    filters_to_panels(size, &filters, p->channels * piece / p->filter_blocks,
                      p->channels * (piece + 1) / p->filter_blocks, filters_of(p, call));
}

/* Tiles of group `piece` of a chunk: first..end-1 of all. */
SIMD_INLINE void tiles_of(const weft_winograd_positions *p, int64_t chunk, int64_t piece,
                          int64_t *first, int64_t *end)
{
    int64_t last = weft_least(p->grid.count, (chunk + 1) * p->chunk);
    *first = chunk * p->chunk + piece * p->group;
    *end = weft_least(last, *first + p->group);
}

SIMD_INLINE void pixels_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_positions *p = call->args;
    int64_t chunk = part_of(p, call).chunk, first, end;
    tiles_of(p, chunk, piece, &first, &end);
    float *to =
        (float *)call->operand[p->slots.workspace] + (first - chunk * p->chunk) * p->pixels_step;
    for (int64_t channel = 0; channel < p->channels; channel += WEFT_WINOGRAD_CHANNELS) {
        int64_t channels = weft_least(WEFT_WINOGRAD_CHANNELS, p->channels - channel);
        winograd_block block =
            rows_block(p->pixels_position, weft_ceiling(channels, LANES), p->pixels_step);
        gather_tiles(size, false, &p->grid, &p->a, call, call->operand[p->slots.input[0]], first,
                     end, channel, channels, &block, to + channel);
    }
}

/* Some filters times some tiles (rows from first on), of one position. */
static void multiply_rows(const weft_winograd_positions *p, const float *pixels, float *products,
                          const float *panel, int64_t width, int64_t first, int64_t end)
{
    const weft_tiles *tiles = &WEFT_FOR_ISA(weft_matmul_tiles);
    for (int64_t k = 0; k < p->channels; k += p->channel_block) {
        const weft_tile_run run = {.length = weft_least(p->channel_block, p->channels - k)};
        weft_tile tile = {.run = &run,
                          .runs = 1,
                          .a_step = p->pixels_step,
                          .b = panel + k * width * LANES,
                          .c_step = p->products_step,
                          .last = LANES,
                          .accumulate = k > 0};
        int64_t down = weft_ceiling(end - first, tiles->max_rows[width]);
        for (int64_t j = 0; j < down; j++) {
            int64_t r0 = first + (end - first) * j / down;
            int64_t r1 = first + (end - first) * (j + 1) / down;
            tile.a = pixels + r0 * tile.a_step + k;
            tile.a_half = (r1 - r0 + 1) / 2 * tile.a_step;
            tile.c = products + r0 * tile.c_step;
            tile.c_half = (r1 - r0 + 1) / 2 * tile.c_step;
            tiles->rows[width][r1 - r0](&tile);
        }
    }
}

static void multiply(const weft_call *call, int64_t piece)
{
    const weft_winograd_positions *p = call->args;
    const part of = part_of(p, call);
    int64_t tile_part = piece % p->tile_parts, rest = piece / p->tile_parts;
    int64_t filter_part = rest % p->filter_parts, position = rest / p->filter_parts;
    int64_t tiles = weft_least(p->chunk, p->grid.count - of.chunk * p->chunk);
    int64_t first = tiles * tile_part / p->tile_parts;
    int64_t end = tiles * (tile_part + 1) / p->tile_parts;
    int64_t vectors = of.vectors, panels = panels_of(vectors, p->vectors);
    const float *pixels =
        (const float *)call->operand[p->slots.workspace] + position * p->pixels_position;
    const float *filters = filters_of(p, call) + position * p->filters_position;
    float *products = products_of(p, call) + position * p->products_position;
    for (int64_t i = panels * filter_part / p->filter_parts;
         i < panels * (filter_part + 1) / p->filter_parts; i++) {
        int64_t v0 = vectors * i / panels, v1 = vectors * (i + 1) / panels;
        multiply_rows(p, pixels, products + v0 * LANES, filters + v0 * LANES * p->channels, v1 - v0,
                      first, end);
    }
}

SIMD_INLINE void write_piece(weft_winograd_size size, const weft_call *call, int64_t piece)
{
    const weft_winograd_positions *p = call->args;
    const part of = part_of(p, call);
    const float *bias = p->bias ? call->operand[p->slots.input[2]] : NULL;
    const float *products = products_of(p, call);
    int64_t first, end;
    tiles_of(p, of.chunk, piece, &first, &end);
    for (int64_t at = 0; at < of.filters; at += WEFT_WINOGRAD_CHANNELS) {
        int64_t filter = of.filter + at;
        const winograd_output output = {
            .grid = &p->grid,
            .image = &p->c,
            .bias = bias ? bias + filter : NULL,
            .c = (float *)call->operand[p->slots.output] + filter,
            .sums = products + at,
            .position = p->products_position,
            .step = p->products_step,
            .first = of.chunk * p->chunk,
            .filter = filter,
            .filters = weft_least(WEFT_WINOGRAD_CHANNELS, of.filters - at),
            .epilogue = p->epilogue,
            .part = of.chunk * p->groups + piece,
        };
        write_tiles(size, call, &output, first, end);
    }
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
    static void write_##name(const weft_call *call, int64_t piece)                                 \
    {                                                                                              \
        write_piece((weft_winograd_size){__VA_ARGS__}, call, piece);                               \
    }                                                                                              \
    const weft_winograd_positions_kernels WEFT_FOR_ISA(weft_winograd_positions_##name) = {         \
        .filters = filters_##name,                                                                 \
        .pixels = pixels_##name,                                                                   \
        .multiply = multiply,                                                                      \
        .write = write_##name};

KERNELS(2x2, 2, 3, 2)
KERNELS(4x4, 4, 3, 2)
KERNELS(4_of_3, 4, 3, 1)
KERNELS(3_of_7, 3, 7, 1)

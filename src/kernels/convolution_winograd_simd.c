#include "kernels/convolution_winograd.h"

#include "kernels/convolution_winograd_gather.h"
#include "kernels/finish.h"
#include "kernels/matmul_pack.h"
#include "kernels/matmul_tile.h"

extern const weft_tiles WEFT_FOR_ISA(weft_matmul_tiles);
extern const weft_epilogue_kernels WEFT_FOR_ISA(weft_epilogue_table);

/* What one piece works on. */
typedef struct piece_state {
    const weft_winograd *w;
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

SIMD_INLINE int64_t pixel_step(const weft_winograd *w)
{
    return weft_ceiling(w->channel_block, LANES) * LANES;
}

SIMD_INLINE void transform_pixels(int tile, const piece_state *s, float *to)
{
    winograd_block block =
        rows_block(s->w->pixels_position, weft_ceiling(s->channels, LANES), pixel_step(s->w));
    gather_tiles(tile, false, &s->w->grid, &s->w->a, s->a, s->first, s->end, s->channel,
                 s->channels, &block, to);
}

/* u = G g Gt of one vector of filters, whose taps are `tap` floats apart. */
SIMD_INLINE void transform_filter(int tile, const float *taps, int64_t tap, float *to,
                                  int64_t position)
{
    const int positions = tile + 2;
    vfloat half[WINOGRAD_SPAN][3];
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) {
        vfloat g[3], u[WINOGRAD_SPAN];
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++)
            g[i] = vload(taps + (i * 3 + j) * tap);
        filter_line(tile, g, u);
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            half[i][j] = u[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < positions; i++) {
        vfloat u[WINOGRAD_SPAN];
        filter_line(tile, half[i], u);
#pragma GCC unroll 6
        for (int j = 0; j < positions; j++, to += position)
            vstore(to, u[j]);
    }
}

/* Some channels at a time go into a small panel for each tap, and from there, transformed, into the panels
 * of the block. */
SIMD_INLINE void transform_filters(int tile, const piece_state *s, float *to)
{
    const weft_winograd *w = s->w;
    _Alignas(64) float taps[9 * LANES * WEFT_TILE_VECTORS * LANES];
    int64_t panels = panels_of(s->vectors, w->vectors);
    for (int64_t i = 0; i < panels; i++) {
        int64_t v0 = s->vectors * i / panels, v1 = s->vectors * (i + 1) / panels;
        int64_t width = (v1 - v0) * LANES;
        int64_t columns = weft_least(s->filters - v0 * LANES, width);
        float *panel = to + v0 * LANES * s->channels;
        for (int64_t k = 0; k < s->channels; k += LANES) {
            int64_t n = weft_least(LANES, s->channels - k), tap = n * width;
            const float *from =
                s->b + (s->channel + k) * w->b_channel + (s->filter + v0 * LANES) * w->b_filter;
            for (int j = 0; j < 9; j++) {
                const float *one = from + (w->flip ? 8 - j : j) * w->b_tap;
                if (w->b_filter == 1)
                    pack_rows(taps + j * tap, width, one, w->b_channel, n, columns);
                else
                    pack_columns(taps + j * tap, width, one, w->b_filter, n, columns);
            }
            for (int64_t j = 0; j < tap; j += LANES)
                transform_filter(tile, taps + j, tap, panel + k * width + j, w->filters_position);
        }
    }
}

/* Adds the products of the blocks at hand to the sums, or begins them. */
static void multiply(const piece_state *s, int64_t positions, bool accumulate)
{
    const weft_winograd *w = s->w;
    const weft_tiles *tiles = &WEFT_FOR_ISA(weft_matmul_tiles);
    const weft_tile_run run = {.length = s->channels};
    int64_t step = pixel_step(w), count = s->end - s->first;
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

/* y = At m A of one vector of filters; `rows` x `columns` pixels of it are kept, and finished where finish is
 * not NULL, from `channel` and, if there is an addend, from it on. tile is a constant, so are finish, where
 * it is NULL, and the extents where the tile is whole. */
SIMD_INLINE void transform_sums(int tile, const float *sums, int64_t position, vfloat bias,
                                const weft_finish *finish, int64_t channel, const float *addend,
                                float *c, const weft_winograd_image *to, int64_t rows,
                                int64_t columns, int64_t lanes)
{
    const int positions = tile + 2;
    vfloat half[4][WINOGRAD_SPAN];
#pragma GCC unroll 6
    for (int j = 0; j < positions; j++, sums += position) {
        vfloat m[WINOGRAD_SPAN], y[4];
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            m[i] = vload(sums + i * positions * position);
        output_line(tile, m, y);
#pragma GCC unroll 4
        for (int i = 0; i < tile; i++)
            half[i][j] = y[i];
    }
    finish_channels channels = {{0}};
    if (finish)
        channels = finish_load(finish, channel, lanes);
#pragma GCC unroll 4
    for (int i = 0; i < tile; i++, c += to->stride[1]) {
        vfloat y[4];
        if (i >= rows)
            break;
        output_line(tile, half[i], y);
#pragma GCC unroll 4
        for (int j = 0; j < tile; j++)
            if (j < columns) {
                vfloat result = y[j] + bias;
                if (finish)
                    result = finish_vector(finish, &channels, result,
                                           addend ? addend + j * to->stride[2] : NULL, lanes);
                vstore_lanes(c + j * to->stride[2], result, lanes);
            }
        addend += addend ? to->stride[1] : 0;
    }
}

/* Writes the pixels of tiles first..end-1, which lie in one row of tiles. */
SIMD_INLINE void write_row(int tile, const piece_state *s, const float *bias,
                           const weft_finish *finish, float *c, int64_t first, int64_t end)
{
    const weft_winograd *w = s->w;
    const weft_winograd_image *to = &w->c;
    int64_t line = first / w->grid.across, image = line / w->grid.down;
    int64_t height = line % w->grid.down * tile, last = last_lanes(s->filters, s->vectors);
    int64_t rows = weft_least(tile, to->extent[0] - height);
    for (int64_t index = first; index < end; index++) {
        int64_t column = index % w->grid.across * tile;
        int64_t columns = weft_least(tile, to->extent[1] - column);
        const float *sums = s->sums + (index - s->first) * w->filter_vectors * LANES;
        int64_t at = image * to->stride[0] + height * to->stride[1] + column * to->stride[2];
        for (int64_t v = 0; v < s->vectors; v++, sums += LANES, at += LANES) {
            int64_t lanes = v + 1 < s->vectors ? LANES : last;
            vfloat start = bias ? vload_lanes(bias + v * LANES, lanes) : (vfloat){0};
            const float *addend = finish && finish->addend ? finish->addend + at : NULL;
            bool whole = rows == tile && columns == tile && lanes == LANES;
            if (whole && !finish)
                transform_sums(tile, sums, w->sums_position, start, NULL, 0, NULL, c + at, to, tile,
                               tile, LANES);
            else if (whole)
                transform_sums(tile, sums, w->sums_position, start, finish, v * LANES, addend,
                               c + at, to, tile, tile, LANES);
            else
                transform_sums(tile, sums, w->sums_position, start, finish, v * LANES, addend,
                               c + at, to, rows, columns, lanes);
        }
    }
}

/* The same tiles' pixels are finished: row by row. */
static void finish_row(int64_t tile, const piece_state *s, const weft_call *call, float *c,
                       int64_t first, int64_t end)
{
    const weft_winograd *w = s->w;
    const weft_winograd_image *to = &w->c;
    int64_t line = first / w->grid.across, height = line % w->grid.down * tile;
    int64_t column = first % w->grid.across * tile;
    int64_t rows = weft_least(tile, to->extent[0] - height);
    weft_epilogue_block block = {
        .step = to->stride[2],
        .pixels = weft_least((end - first) * tile, to->extent[1] - column),
        .at = {line / w->grid.down, 0, height, column},
        .column_step = 1,
        .channel = s->filter,
        .channels = s->filters,
        .part = s->first / w->group,
    };
    for (int64_t row = 0; row < rows; row++, block.at[2]++) {
        block.c =
            c + block.at[0] * to->stride[0] + block.at[2] * to->stride[1] + column * to->stride[2];
        WEFT_FOR_ISA(weft_epilogue_table).apply(w->epilogue, call, &block);
    }
}

SIMD_INLINE void run_piece(int tile, const weft_call *call, int64_t piece)
{
    enum { TILES = 4 }; /* that an epilogue finds in the first-level cache */
    _Alignas(64) float stack[WEFT_WINOGRAD_STACK];
    const weft_winograd *w = call->args;
    const float *filters = call->operand[w->slots.prepared];
    const float *pixels = call->operand[w->slots.workspace];
    float *free = stack + w->sums_block;
    piece_state s = {.w = w,
                     .a = call->operand[w->slots.input[0]],
                     .b = call->operand[w->slots.input[1]],
                     .sums = stack};
    int64_t group = piece % w->groups, block = piece / w->groups;
    set_group(&s, group);
    set_filters(&s, block);
    for (int64_t i = 0; i < w->channel_blocks; i++) {
        set_channels(&s, i);
        float *own = free;
        if (w->pixels_ahead) {
            s.pixels = pixels + (group * w->channel_blocks + i) * w->pixels_block;
        } else {
            transform_pixels(tile, &s, own);
            s.pixels = own;
            own += w->pixels_block;
        }
        if (w->filters_ahead) {
            s.transformed = filters + (block * w->channel_blocks + i) * w->filters_block;
        } else {
            transform_filters(tile, &s, own);
            s.transformed = own;
        }
        multiply(&s, (tile + 2) * (tile + 2), i > 0);
    }

    const float *bias = w->bias ? (const float *)call->operand[w->slots.input[2]] + s.filter : NULL;
    float *c = (float *)call->operand[w->slots.output] + s.filter;
    weft_finish finish = weft_epilogue_finish(w->epilogue, call, s.filter);
    bool finishes = finish.slope || finish.addend || finish.ceiling > 0;
    bool follows = weft_epilogue_follows(w->epilogue);
    if (follows)
        WEFT_FOR_ISA(weft_epilogue_table).begin(w->epilogue, call, group, s.filter, s.filters);
    for (int64_t at = s.first, end; at < s.end; at = end) {
        end = weft_least(s.end, (at / w->grid.across + 1) * w->grid.across);
        end = follows ? weft_least(end, at + TILES) : end;
        write_row(tile, &s, bias, finishes ? &finish : NULL, c, at, end);
        if (follows)
            finish_row(tile, &s, call, c, at, end);
    }
}

SIMD_INLINE void filters_piece(int tile, const weft_call *call, int64_t piece)
{
    const weft_winograd *w = call->args;
    piece_state s = {.w = w, .b = call->operand[w->slots.input[1]]};
    set_filters(&s, piece / w->channel_blocks);
    set_channels(&s, piece % w->channel_blocks);
    transform_filters(tile, &s,
                      (float *)call->operand[w->slots.prepared] + piece * w->filters_block);
}

SIMD_INLINE void pixels_piece(int tile, const weft_call *call, int64_t piece)
{
    const weft_winograd *w = call->args;
    piece_state s = {.w = w, .a = call->operand[w->slots.input[0]]};
    set_group(&s, piece / w->channel_blocks);
    set_channels(&s, piece % w->channel_blocks);
    transform_pixels(tile, &s,
                     (float *)call->operand[w->slots.workspace] + piece * w->pixels_block);
}

static void run_2x2(const weft_call *call, int64_t piece)
{
    run_piece(2, call, piece);
}

static void filters_2x2(const weft_call *call, int64_t piece)
{
    filters_piece(2, call, piece);
}

static void pixels_2x2(const weft_call *call, int64_t piece)
{
    pixels_piece(2, call, piece);
}

static void run_4x4(const weft_call *call, int64_t piece)
{
    run_piece(4, call, piece);
}

static void filters_4x4(const weft_call *call, int64_t piece)
{
    filters_piece(4, call, piece);
}

static void pixels_4x4(const weft_call *call, int64_t piece)
{
    pixels_piece(4, call, piece);
}

const weft_winograd_kernels WEFT_FOR_ISA(weft_winograd_2x2) = {
    .filters = filters_2x2, .pixels = pixels_2x2, .run = run_2x2};
const weft_winograd_kernels WEFT_FOR_ISA(weft_winograd_4x4) = {
    .filters = filters_4x4, .pixels = pixels_4x4, .run = run_4x4};

#include "kernels/convolution_outer.h"

#include "kernels/read_pixels.h"

enum { D, H, W };

/* The next chunk, which the tiles of this one fetch into the second-level cache: each tile fetches a
 * cache line of every pixel, one a step, and so the copies that follow do not wait for memory. */
typedef struct fetching {
    const float *a, *b;
    int64_t a_columns, columns; /* lines of a pixel: of a, and of both */
    int64_t column;             /* the next one */
    int64_t pixels;             /* that one tile fetches */
} fetching;

/* What one piece works on. */
typedef struct piece_state {
    const weft_outer *o;
    const float *a, *b, *bias; /* of the group, the first channel and the first filter */
    const weft_finish *before; /* of the group and the first channel, or NULL */
    float *c;
    weft_outer_strides to;
    weft_taps taps[3];
    int64_t channels, filters, vectors; /* of the piece */
    float *input, *panel;
    const float *dy; /* of the chunk, where tiles read b itself; NULL: the panel has it */
    fetching *next;
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

/* The first pixel of a segment in b. */
SIMD_INLINE const float *find_filters(const piece_state *s, const segment *g)
{
    const int64_t *stride = s->o->b_stride;
    return s->b + g->image * stride[0] + g->depth * stride[1] + g->height * stride[2] +
           g->column * stride[3];
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
            const float *from = find_filters(s, g) + first * o->b_filter;
            if (o->b_filter == 1)
                pack_rows(to, width, from, o->b_stride[3], g->pixels, columns);
            else
                pack_columns(to, width, from, o->b_filter, g->pixels, columns);
            to += g->pixels * width;
        }
    }
}

/* Offset in a of the row that a segment reads through a row of taps; false where it is outside. */
SIMD_INLINE bool input_row(const piece_state *s, const segment *g, int64_t tap_row, int64_t *offset)
{
    const weft_taps *t = s->taps;
    int64_t depth = g->depth * t[D].in_step + t[D].offset + tap_row / t[H].count * t[D].offset_step;
    int64_t height =
        g->height * t[H].in_step + t[H].offset + tap_row % t[H].count * t[H].offset_step;
    if (depth < 0 || depth >= s->o->dimension[D].in || height < 0 ||
        height >= s->o->dimension[H].in)
        return false;
    *offset = g->image * s->o->a_stride[0] + depth * s->o->a_stride[1] + height * s->o->a_stride[2];
    return true;
}

/* Of a segment, tap number `tap` of a row sees pixels low..high-1 inside of a; false where it sees none. */
SIMD_INLINE bool seen(const piece_state *s, const segment *g, int64_t tap, int64_t *low,
                      int64_t *high)
{
    const weft_taps *t = &s->taps[W];
    int64_t extent = s->o->dimension[W].in;
    int64_t at = g->column * t->in_step + t->offset + tap * t->offset_step;
    if (at >= extent)
        return false;
    *low = at < 0 ? weft_ceiling(-at, t->in_step) : 0;
    *high = weft_least(g->pixels, (extent - 1 - at) / t->in_step + 1);
    return *low < *high;
}

/* Runs through a itself: of each segment, the pixels that one tap sees. */
static int64_t runs_in_place(const piece_state *s, const segment *segments, int64_t count,
                             int64_t tap_row, int64_t tap, weft_tile_run *run)
{
    const weft_taps *t = &s->taps[W];
    int64_t runs = 0, pixel = 0;
    for (int64_t i = 0; i < count; pixel += segments[i].pixels, i++) {
        const segment *g = &segments[i];
        int64_t offset, low, high;
        if (!seen(s, g, tap, &low, &high) || !input_row(s, g, tap_row, &offset))
            continue;
        int64_t at = (g->column + low) * t->in_step + t->offset + tap * t->offset_step;
        run[runs++] = (weft_tile_run){
            .a = offset + at * s->o->a_stride[3], .b = pixel + low, .length = high - low};
    }
    return runs;
}

enum { LINE = 16 }; /* floats of a cache line */

static fetching fetch_chunk(const piece_state *s, int64_t index, int64_t pixels)
{
    const weft_outer *o = s->o;
    const weft_taps *t = s->taps;
    segment g = find_segment(s, index);
    int64_t depth = weft_most(0, g.depth * t[D].in_step + t[D].offset);
    int64_t height = weft_most(0, g.height * t[H].in_step + t[H].offset);
    fetching f = {.pixels = pixels};
    f.a = s->a + g.image * o->a_stride[0] + depth * o->a_stride[1] + height * o->a_stride[2] +
          g.column * t[W].in_step * o->a_stride[3];
    f.b = find_filters(s, &g);
    /* a has more pixels than b where the filter strides over them; if it jumps over them, not all are
     * read, and none is fetched. */
    if (t[H].in_step <= t[H].count && t[W].in_step <= t[W].count)
        f.a_columns = weft_ceiling(s->channels, LINE) * t[H].in_step * t[W].in_step;
    f.columns = f.a_columns + (o->b_filter == 1 ? weft_ceiling(s->filters, LINE) : 0);
    return f;
}

/* Where line `index` of a slice is, which is `lines` lines wide in pixels `stride` apart, and the step to
 * the next: along memory if the slice is all of a pixel, which the processor follows on its own, or else
 * down a column. */
SIMD_INLINE const float *fetch_line(const float *slice, int64_t lines, int64_t stride,
                                    int64_t pixels, int64_t column, int64_t *step)
{
    if (lines * LINE >= stride) {
        *step = LINE;
        return slice + column * pixels * LINE;
    }
    *step = stride;
    return slice + column % lines * LINE + column / lines * pixels * stride;
}

/* Gives a tile the next lines to fetch, one for each pixel; when there are no more, one that is here. */
SIMD_INLINE void fetch_column(const piece_state *s, weft_tile *tile)
{
    fetching *f = s->next;
    const weft_outer *o = s->o;
    tile->fetch = tile->b;
    tile->fetch_step = 0;
    if (f->column < f->a_columns)
        tile->fetch = fetch_line(f->a, weft_ceiling(s->channels, LINE), o->a_stride[3], f->pixels,
                                 f->column, &tile->fetch_step);
    else if (f->column < f->columns)
        tile->fetch = fetch_line(f->b, weft_ceiling(s->filters, LINE), o->b_stride[3], f->pixels,
                                 f->column - f->a_columns, &tile->fetch_step);
    f->column++;
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
        tile.b = s->dy ? s->dy + v0 * LANES : s->panel + pixels * v0 * LANES;
        tile.b_step = s->dy ? s->o->b_stride[3] : (v1 - v0) * LANES;
        tile.bias = s->bias ? s->bias + v0 * LANES : NULL;
        tile.last = v1 < s->vectors ? LANES : s->filters - (v1 - 1) * LANES;
        for (int64_t i = 0; i < tiles; i++) {
            int64_t r0 = rows * i / tiles, r1 = rows * (i + 1) / tiles;
            tile.a = a + r0;
            tile.c = c + r0 * tile.c_step + v0 * LANES;
            tile.c_half = (r1 - r0 + 1) / 2 * tile.c_step;
            fetch_column(s, &tile);
            WEFT_FOR_ISA(weft_matmul_tiles).outer[v1 - v0][r1 - r0](&tile);
        }
    }
}

/* What some taps of a row see, in the panel: for each segment the span of its pixels, or every step-th of them
 * for one tap; zeros outside of the row. */
typedef struct copied {
    int64_t tap, taps;
    int64_t step, channels;
    int64_t start[WEFT_OUTER_PIXELS]; /* of each segment, in pixels; -1: the whole row is outside */
} copied;

static int64_t span_of_taps(const weft_taps *t, const segment *g, int64_t taps)
{
    return (g->pixels - 1) * t->in_step + (taps - 1) * t->offset_step + 1;
}

/* All taps, or one where their span is longer than what they see, and as many channels as the panel holds. */
static void choose_copy(const piece_state *s, const segment *segments, int64_t count,
                        int64_t pixels, copied *f)
{
    const weft_taps *t = &s->taps[W];
    int64_t all = 0;
    for (int64_t i = 0; i < count; i++)
        all += span_of_taps(t, &segments[i], t->count);
    bool one = all > pixels * t->count || all * LANES > WEFT_OUTER_INPUT_PANEL;
    f->taps = one ? 1 : t->count;
    f->step = one ? t->in_step : 1;
    f->channels = WEFT_OUTER_INPUT_PANEL / (one ? pixels : all) / LANES * LANES;
}

/* Channels from `channel` on, through the prologue if there is one. */
static void copy_segments(const piece_state *s, const segment *segments, int64_t count,
                          int64_t tap_row, int64_t channel, int64_t channels, copied *f)
{
    const weft_outer *o = s->o;
    const weft_taps *t = &s->taps[W];
    const weft_finish before = s->before ? weft_finish_from(s->before, channel) : (weft_finish){0};
    int64_t filled = 0;
    for (int64_t i = 0; i < count; i++) {
        const segment *g = &segments[i];
        int64_t offset;
        f->start[i] = -1;
        if (!input_row(s, g, tap_row, &offset))
            continue;
        const pixel_row row = {.data = s->a + offset + channel,
                               .extent = o->dimension[W].in,
                               .stride = o->a_stride[3],
                               .column =
                                   g->column * t->in_step + t->offset + f->tap * t->offset_step,
                               .step = f->step,
                               .count = (span_of_taps(t, g, f->taps) - 1) / f->step + 1};
        read_pixels(&row, s->before ? &before : NULL, channels, s->input + filled * channels,
                    channels);
        f->start[i] = filled;
        filled += row.count;
    }
}

/* As runs_in_place, in the panel. */
static int64_t runs_of_copy(const piece_state *s, const segment *segments, int64_t count,
                            int64_t tap, int64_t channels, const copied *f, weft_tile_run *run)
{
    const weft_taps *t = &s->taps[W];
    int64_t runs = 0, pixel = 0;
    for (int64_t i = 0; i < count; pixel += segments[i].pixels, i++) {
        int64_t low, high;
        if (f->start[i] < 0 || !seen(s, &segments[i], tap, &low, &high))
            continue;
        int64_t at = (low * t->in_step + (tap - f->tap) * t->offset_step) / f->step;
        run[runs++] = (weft_tile_run){
            .a = (f->start[i] + at) * channels, .b = pixel + low, .length = high - low};
    }
    return runs;
}

/* A row of taps, for the pixels of one chunk. */
typedef struct tap_row {
    const segment *segments;
    int64_t count, pixels, index;
    float *c;
    bool first;
} tap_row;

/* Runs the tiles of one tap, if they have anything to do. */
static void run_tap(const piece_state *s, const tap_row *r, weft_tile *tile, const float *a,
                    int64_t tap, int64_t channel, int64_t channels)
{
    const weft_taps *t = &s->taps[W];
    float *c = r->c + (t->filter + tap * t->filter_step) * s->to.tap + channel * s->to.channel;
    if (tile->runs || r->first)
        run_rows(s, tile, a, c, channels, r->pixels);
}

static void run_in_place(const piece_state *s, const tap_row *r, weft_tile *tile,
                         weft_tile_run *run)
{
    const weft_taps *t = &s->taps[W];
    tile->a_step = t->in_step * s->o->a_stride[3];
    for (int64_t tap = 0; tap < t->count; tap++) {
        tile->runs = runs_in_place(s, r->segments, r->count, r->index, tap, run);
        run_tap(s, r, tile, s->a, tap, 0, s->channels);
    }
}

static void run_copy(const piece_state *s, const tap_row *r, weft_tile *tile, weft_tile_run *run)
{
    const weft_taps *t = &s->taps[W];
    copied f;
    choose_copy(s, r->segments, r->count, r->pixels, &f);
    for (f.tap = 0; f.tap < t->count; f.tap += f.taps)
        for (int64_t channel = 0; channel < s->channels; channel += f.channels) {
            int64_t channels = weft_least(f.channels, s->channels - channel);
            copy_segments(s, r->segments, r->count, r->index, channel, channels, &f);
            tile->a_step = t->in_step / f.step * channels;
            for (int64_t tap = f.tap; tap < f.tap + f.taps; tap++) {
                tile->runs = runs_of_copy(s, r->segments, r->count, tap, channels, &f, run);
                run_tap(s, r, tile, s->input, tap, channel, channels);
            }
        }
}

/* Taps and channels as one range of rows: each run has a segment's whole span. */
static void run_merged(const piece_state *s, const tap_row *r, weft_tile *tile, weft_tile_run *run)
{
    const weft_taps *t = &s->taps[W];
    copied f = {.taps = t->count, .step = 1};
    int64_t pixel = 0;
    copy_segments(s, r->segments, r->count, r->index, 0, s->channels, &f);
    tile->a_step = t->in_step * s->channels;
    for (int64_t i = 0; i < r->count; pixel += r->segments[i++].pixels)
        if (f.start[i] >= 0)
            run[tile->runs++] = (weft_tile_run){
                .a = f.start[i] * s->channels, .b = pixel, .length = r->segments[i].pixels};
    if (tile->runs || r->first)
        run_rows(s, tile, s->input, r->c, t->count * s->channels, r->pixels);
}

static void run_tap_row(const piece_state *s, tap_row *r)
{
    const weft_outer *o = s->o;
    const weft_taps *t = s->taps;
    weft_tile_run run[WEFT_OUTER_PIXELS];
    weft_tile tile = {.run = run, .accumulate = !r->first};
    int64_t fd = t[D].filter + r->index / t[H].count * t[D].filter_step;
    int64_t fh = t[H].filter + r->index % t[H].count * t[H].filter_step;
    r->c = s->c + (fd * o->dimension[H].kernel + fh) * o->dimension[W].kernel * s->to.tap;
    if (o->merged)
        run_merged(s, r, &tile, run);
    else if (o->in_place && !s->before)
        run_in_place(s, r, &tile, run);
    else
        run_copy(s, r, &tile, run);
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
    const weft_finish before = weft_finish_at(o->prologue, call, group * o->a_group + channel);
    s.before = o->prologue ? &before : NULL;
    if (o->splits == 1) {
        s.c = call->operand[o->slots.output];
        s.to = o->c;
        if (o->bias)
            s.bias = (const float *)call->operand[o->slots.input[2]] + filter;
    } else {
        s.c = (float *)call->operand[o->slots.workspace] + split * o->merge.rows * o->merge.width;
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
        if (o->dy_in_place)
            s.dy = find_filters(&s, &segments[0]);
        else
            pack_filters(&s, segments, count, pixels);
        fetching next = {0};
        if (at + count < end)
            next = fetch_chunk(&s, at + count, pixels);
        s.next = &next;
        tap_row r = {.segments = segments, .count = count, .pixels = pixels, .first = at == begin};
        for (r.index = tap_row0; r.index < tap_row1; r.index++)
            run_tap_row(&s, &r);
    }
}

const weft_outer_kernels WEFT_FOR_ISA(weft_convolution_outer) = {.run = run};

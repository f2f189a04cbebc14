#include "kernels/convolution_depthwise.h"

#include "kernels/convolution_grouped.h"
#include "kernels/epilogue.h"
#include "kernels/integer.h"

enum { D, H, W };

DEPTHWISE_EACH(DEPTHWISE_TILE, 1)
SUMS_ROWS_OF(1)

static const grouped_kernels single = {.tile = {DEPTHWISE_EACH(DEPTHWISE_ENTRY, 1)},
                                       .sums = sums_rows_1};

static const grouped_kernels *kernels_of(int64_t group)
{
    return group == 1 ? &single : &WEFT_FOR_ISA(weft_grouped)[__builtin_ctzll((uint64_t)group) - 1];
}

/* From one tap of the filter to the next. */
SIMD_INLINE int64_t tap_floats(const weft_depthwise *d)
{
    return d->group * d->channels;
}

/* Taps low..high-1 of one position are inside. */
typedef struct interval {
    int64_t low, high;
} interval;

SIMD_INLINE int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The t in 0..count-1 with 0 <= at + t * step < extent. */
static interval inside(int64_t at, int64_t step, int64_t count, int64_t extent)
{
    if (count == 0)
        return (interval){0, 0};
    interval t = {at < 0 ? weft_ceiling(-at, step) : 0,
                  weft_least(count, floor_divide(extent - 1 - at, step) + 1)};
    return t.low < t.high ? t : (interval){0, 0};
}

/* What the rows of one piece share, and, in depth and height, the taps of one row. */
typedef struct row_state {
    const weft_depthwise *d;
    const weft_call *call;
    const weft_taps *taps;
    int64_t channel, range; /* of the piece */
    const float *a, *b, *bias;
    const weft_finish *finish; /* or NULL */
    const float *addend;       /* of the row, or NULL */
    const weft_finish *before; /* prologue, or NULL */
    interval depth, height;
} row_state;

/* Adds what one tap and channel `of` of each group give: w times each of the pixels from `at` on. */
SIMD_INLINE void add_tap(const float *at, int64_t step, vfloat w, const finish_reader *by,
                         int64_t lanes, int pixels, int64_t group, int64_t of, vfloat sum[8])
{
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++) {
        vfloat x = vload_lanes(at + i * step, lanes);
        if (by)
            x = finish_through(by, x);
        sum[i] += w * (group > 1 ? vspread(x, (int)group, (int)of) : x);
    }
}

/* `pixels` neighbours of row c and up to LANES channels, with the taps of width in `width`; reads: through the
 * prologue. */
SIMD_INLINE void run_pixels(const row_state *s, float *c, int64_t column, interval width,
                            int64_t channel, int64_t lanes, const int pixels, const bool reads)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    vfloat sum[8], start = s->bias ? vload_lanes(s->bias + channel, lanes) : (vfloat){0};
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        sum[i] = start;
    finish_reader by = {{{0}}};
    if (reads)
        by = finish_reader_of(s->before, channel, lanes);
    int64_t pixel = t[W].in_step * d->a_stride[3];
    for (int64_t td = s->depth.low; td < s->depth.high; td++)
        for (int64_t th = s->height.low; th < s->height.high; th++) {
            int64_t fd = t[D].filter + td * t[D].filter_step;
            int64_t fh = t[H].filter + th * t[H].filter_step;
            const float *b =
                s->b + channel +
                (fd * d->dimension[H].kernel + fh) * d->dimension[W].kernel * tap_floats(d);
            const float *a = s->a + channel + td * t[D].offset_step * d->a_stride[1] +
                             th * t[H].offset_step * d->a_stride[2] +
                             (column * t[W].in_step + t[W].offset) * d->a_stride[3];
            for (int64_t tw = width.low; tw < width.high; tw++) {
                const float *tap = b + (t[W].filter + tw * t[W].filter_step) * tap_floats(d);
                const float *at = a + tw * t[W].offset_step * d->a_stride[3];
                for (int64_t of = 0; of < d->group; of++)
                    add_tap(at, pixel, vload_lanes(tap + of * d->channels, lanes),
                            reads ? &by : NULL, lanes, pixels, d->group, of, sum);
            }
        }
    int64_t step = t[W].step * d->c_stride[3], first = channel + column * step;
    if (s->finish) {
        finish_channels channels = finish_load(s->finish, channel, lanes);
        const float *addend = s->addend ? s->addend + first : NULL;
        finish_vectors(s->finish, &channels, sum, pixels, addend, step, lanes);
    }
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++)
        vstore_lanes(c + first + i * step, sum[i], lanes);
}

/* All channels of the block for a few pixels; whole vectors are told apart so that they need no mask. */
SIMD_INLINE void run_channels(const row_state *s, float *c, int64_t column, interval width,
                              int64_t channels, const int pixels)
{
    int64_t channel = 0;
    for (; channel + LANES <= channels; channel += LANES)
        if (s->before)
            run_pixels(s, c, column, width, channel, LANES, pixels, true);
        else
            run_pixels(s, c, column, width, channel, LANES, pixels, false);
    if (channel < channels)
        run_pixels(s, c, column, width, channel, channels - channel, pixels, true);
}

/* One row of any filter: single pixels at the borders, eight or two at a time where every tap is inside. */
static void run_any_row(const row_state *s, float *c, int64_t channels)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = &s->taps[W];
    for (int64_t w = 0; w < t->positions;) {
        interval width =
            inside(w * t->in_step + t->offset, t->offset_step, t->count, d->dimension[W].in);
        int64_t whole = 0; /* pixels from here on that have every tap */
        if (width.high - width.low == t->count && t->count > 0) {
            int64_t reach = d->dimension[W].in - 1 - t->offset - (t->count - 1) * t->offset_step;
            whole = weft_least(t->positions, reach / t->in_step + 1) - w;
        }
        if (whole >= 8) {
            run_channels(s, c, w, width, channels, 8);
            w += 8;
        } else if (whole >= 2) {
            run_channels(s, c, w, width, channels, 2);
            w += 2;
        } else {
            run_channels(s, c, w, width, channels, 1);
            w += 1;
        }
    }
}

/* The tiles for these taps and rows; NULL if there are none. */
static depthwise_fn *const *tiles_of(const weft_depthwise *d, const weft_taps *t)
{
    if (t[W].count < 1 || t[W].count > DEPTHWISE_TAPS || t[W].in_step > DEPTHWISE_STEPS ||
        (t[W].count > 1 && t[W].offset_step != 1) || t[D].count * t[H].count > DEPTHWISE_LINES)
        return NULL;
    int64_t first = t[W].offset + t[W].count -
                    1; /* last tap of the first pixel; then the first tap of the last */
    int64_t last = t[W].offset + (t[W].positions - 1) * t[W].in_step;
    if (first < 0 || last >= d->dimension[W].in)
        return NULL;
    depthwise_fn *const *tiles = kernels_of(d->group)->tile[t[W].in_step][t[W].count];
    return tiles[1] ? tiles : NULL;
}

/* Tiles first..end-1 of the row, of `count`. With `more`, those below are next, and what they will need is fetched. */
static void run_tiles(const row_state *s, float *c, int64_t channels, depthwise_fn *const *tiles,
                      int64_t first_tile, int64_t end_tile, int64_t count, bool more)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    depthwise_line line[DEPTHWISE_LINES];
    depthwise_tile tile = {.line = line,
                           .b = s->b,
                           .a_step = d->a_stride[3],
                           .b_step = t[W].filter_step * tap_floats(d),
                           .b_channel = d->channels,
                           .bias = s->bias,
                           .before = s->before,
                           .c_step = t[W].step * d->c_stride[3],
                           .channels = channels,
                           .fetch_rows = more ? t[H].in_step : 0,
                           .fetch_step = d->a_stride[2]};
    for (int64_t td = s->depth.low; td < s->depth.high; td++)
        for (int64_t th = s->height.low; th < s->height.high; th++) {
            int64_t fd = t[D].filter + td * t[D].filter_step;
            int64_t fh = t[H].filter + th * t[H].filter_step;
            int64_t filter =
                (fd * d->dimension[H].kernel + fh) * d->dimension[W].kernel + t[W].filter;
            line[tile.lines++] = (depthwise_line){.a = td * t[D].offset_step * d->a_stride[1] +
                                                       th * t[H].offset_step * d->a_stride[2],
                                                  .b = filter * tap_floats(d)};
        }
    int64_t after = (t[H].count - 1) * t[H].offset_step + 1; /* rows from the first that is read */
    for (int64_t i = first_tile; i < end_tile; i++) {
        int64_t first = t[W].positions * i / count, end = t[W].positions * (i + 1) / count;
        int64_t column = first * t[W].in_step + t[W].offset;
        tile.a = s->a + column * d->a_stride[3];
        tile.low = -column;
        tile.high = d->dimension[W].in - column;
        tile.c = c + first * tile.c_step;
        tile.finish = s->finish;
        tile.addend = s->addend ? s->addend + first * tile.c_step : NULL;
        tile.fetch = tile.a + after * d->a_stride[2];
        tile.next = more && d->far ? tile.c + t[H].step * d->c_stride[2] : NULL;
        tiles[end - first](&tile);
    }
}

/* The block of pixels first..end-1 of row c, number h of those at z of image n. */
static void set_block(const row_state *s, float *c, int64_t channels, int64_t n, int64_t z,
                      int64_t h, int64_t first, int64_t end, weft_epilogue_block *block)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    *block = (weft_epilogue_block){
        .c = c + first * t[W].step * d->c_stride[3],
        .step = t[W].step * d->c_stride[3],
        .pixels = end - first,
        .at = {n, t[D].first + z * t[D].step, t[H].first + h * t[H].step,
               t[W].first + first * t[W].step},
        .column_step = t[W].step,
        .channel = s->channel,
        .channels = channels,
        .part = s->range,
    };
}

/* Strips that a row is cut into, whole tiles each, so that the rows of taps stay in the first-level cache while the
 * next row is fetched. */
static int64_t strips_of(const row_state *s, int64_t channels, int64_t tiles)
{
    const int64_t room = 6 * 1024; /* floats: three quarters of a cache of 32 KiB */
    const weft_taps *t = s->taps;
    int64_t rows = t[H].count + t[H].in_step + 1; /* read, fetched, written */
    int64_t tile = rows * DEPTHWISE_PIXELS * t[W].in_step * channels;
    return weft_ceiling(tiles, weft_most(1, room / tile));
}

/* Rows first..end-1 at z of image n, of one phase. */
static void run_rows(row_state *s, const float *a, float *c, int64_t channels, int64_t n, int64_t z,
                     int64_t first, int64_t end)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    depthwise_fn *const *of = tiles_of(d, t);
    int64_t tiles = weft_ceiling(t[W].positions, DEPTHWISE_PIXELS);
    int64_t strips = of ? strips_of(s, channels, tiles) : 1;
    bool follows = weft_epilogue_follows(d->epilogue);
    int64_t depth = z * t[D].in_step + t[D].offset;
    s->depth = inside(depth, t[D].offset_step, t[D].count, d->dimension[D].in);
    a += n * d->a_stride[0] + depth * d->a_stride[1];
    for (int64_t strip = 0; strip < strips; strip++) {
        int64_t tile = tiles * strip / strips, last = tiles * (strip + 1) / strips;
        int64_t pixel = t[W].positions * tile / tiles, pixels = t[W].positions * last / tiles;
        for (int64_t h = first; h < end; h++) {
            int64_t height = h * t[H].in_step + t[H].offset;
            s->height = inside(height, t[H].offset_step, t[H].count, d->dimension[H].in);
            s->a = a + height * d->a_stride[2];
            int64_t at = n * d->c_stride[0] + (t[D].first + z * t[D].step) * d->c_stride[1] +
                         (t[H].first + h * t[H].step) * d->c_stride[2] +
                         t[W].first * d->c_stride[3];
            s->addend = s->finish && s->finish->addend ? s->finish->addend + at : NULL;
            weft_epilogue_block block;
            if (follows) {
                set_block(s, c + at, channels, n, z, h, pixel, pixels, &block);
                WEFT_FOR_ISA(weft_epilogue_table).fetch(d->epilogue, s->call, &block, 0, channels);
            }
            if (of)
                run_tiles(s, c + at, channels, of, tile, last, tiles, h + 1 < end);
            else
                run_any_row(s, c + at, channels);
            if (follows)
                WEFT_FOR_ISA(weft_epilogue_table).apply(d->epilogue, s->call, &block);
        }
    }
}

/* The rows of a piece that belong to one phase. */
static void run_phase(row_state *s, const float *a, float *c, int64_t channels, int64_t range)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    if (t[W].positions == 0)
        return;
    int64_t depths = d->blocks[D], heights = d->blocks[H], rows = d->batch * depths * heights;
    int64_t end = rows * (range + 1) / d->ranges, next;
    for (int64_t row = rows * range / d->ranges; row < end; row = next) {
        int64_t h = row % heights, z = row / heights % depths, n = row / heights / depths;
        next = weft_least(end, row - h + heights);
        if (z < t[D].positions)
            run_rows(s, a, c, channels, n, z, h, weft_least(h + next - row, t[H].positions));
    }
}

/* All phases of the same rows, one after the other, while they are in the cache. */
static void run(const weft_call *call, int64_t piece)
{
    const weft_depthwise *d = call->args;
    /* Threads take ranges: what they read, they have made themselves. */
    int64_t range = piece / d->channel_blocks;
    int64_t channel = piece % d->channel_blocks * d->channel_block;
    int64_t channels = weft_least(d->channel_block, d->channels - channel);
    const float *a = (const float *)call->operand[d->slots.input[0]] + channel;
    float *c = (float *)call->operand[d->slots.output] + channel;
    weft_finish finish = weft_epilogue_finish(d->epilogue, call, channel);
    weft_taps t[3];
    row_state s = {.d = d, .call = call, .taps = t, .channel = channel, .range = range};
    s.finish = d->epilogue ? &finish : NULL;
    weft_finish before = weft_finish_at(d->prologue, call, channel);
    s.before = d->prologue ? &before : NULL;
    bool swapped = d->gradient && d->group > 1;
    s.b = (const float *)call->operand[swapped ? d->slots.prepared : d->slots.input[1]] + channel;
    if (weft_epilogue_follows(d->epilogue))
        WEFT_FOR_ISA(weft_epilogue_table).begin(d->epilogue, call, range, channel, channels);
    s.bias = d->bias ? (const float *)call->operand[d->slots.input[2]] + channel : NULL;
    for (int64_t depth = 0; depth < d->phases[D]; depth++) {
        t[D] = weft_taps_of(&d->dimension[D], d->gradient, d->flip, depth);
        for (int64_t height = 0; height < d->phases[H]; height++) {
            t[H] = weft_taps_of(&d->dimension[H], d->gradient, d->flip, height);
            for (int64_t width = 0; width < d->phases[W]; width++) {
                t[W] = weft_taps_of(&d->dimension[W], d->gradient, d->flip, width);
                run_phase(&s, a, c, channels, range);
            }
        }
    }
}

/* Rows of which products are added up: a by channel `of` of each group. */
typedef struct dot_rows {
    const float *a, *b;
    int64_t a_step, b_step, pixels, group, of;
} dot_rows;

SIMD_INLINE vfloat dot_pixel(const dot_rows *r, const finish_reader *by, int64_t i, int64_t lanes)
{
    vfloat x = finish_through(by, vload_lanes(r->a + i * r->a_step, lanes));
    if (r->group > 1)
        x = vspread(x, (int)r->group, (int)r->of);
    return x * vload_lanes(r->b + i * r->b_step, lanes);
}

/* The sum over a row of a * b, for up to LANES channels, in four chains; a is read through the prologue. */
SIMD_INLINE vfloat dot_row(const dot_rows *r, const finish_reader *by, int64_t lanes)
{
    vfloat sum[4] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= r->pixels; i += 4)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            sum[j] += dot_pixel(r, by, i + j, lanes);
    for (; i < r->pixels; i++)
        sum[0] += dot_pixel(r, by, i, lanes);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Adds to copy[tap][channel] what one row of dy gives. */
SIMD_INLINE void filter_channels(const row_state *s, float *copy, int64_t channel, int64_t lanes)
{
    const weft_depthwise *d = s->d;
    const weft_taps *t = s->taps;
    finish_reader by = finish_reader_of(s->before, channel, lanes);
    for (int64_t td = s->depth.low; td < s->depth.high; td++)
        for (int64_t th = s->height.low; th < s->height.high; th++) {
            int64_t fd = t[D].filter + td * t[D].filter_step;
            int64_t fh = t[H].filter + th * t[H].filter_step;
            const float *row = s->a + channel + td * t[D].offset_step * d->a_stride[1] +
                               th * t[H].offset_step * d->a_stride[2];
            for (int64_t tw = 0; tw < t[W].count; tw++) {
                int64_t at = t[W].offset + tw * t[W].offset_step;
                interval w = inside(at, t[W].in_step, t[W].positions, d->dimension[W].in);
                int64_t fw = t[W].filter + tw * t[W].filter_step;
                float *to = copy + channel +
                            ((fd * d->dimension[H].kernel + fh) * d->dimension[W].kernel + fw) *
                                tap_floats(d);
                dot_rows r = {.a = row + (at + w.low * t[W].in_step) * d->a_stride[3],
                              .b = s->b + channel + w.low * d->c_stride[3],
                              .a_step = t[W].in_step * d->a_stride[3],
                              .b_step = d->c_stride[3],
                              .pixels = w.high - w.low,
                              .group = d->group};
                for (; r.of < d->group; r.of++, to += d->channels)
                    vstore_first(to, vload_first(to, lanes) + dot_row(&r, &by, lanes), lanes);
            }
        }
}

/* Adds the row of s to the strip. */
static void add_row(depthwise_sums *sums, const row_state *s, int64_t channels, bool more)
{
    sums_row *row = &sums->row[sums->rows++];
    *row = (sums_row){.a = s->a + sums->column * sums->a_step,
                      .b = s->b,
                      .low = s->height.low,
                      .high = s->height.high};
    if (more && sums->a_step == channels && sums->b_step == channels) {
        int64_t ahead = sums->strip * s->taps[H].in_step;
        row->next_a = s->a + (ahead + SUMS_TAPS - s->taps[H].in_step) * sums->a_row;
        row->next_b = s->b + sums->strip * sums->pixels * sums->b_step;
    }
}

static void filter(const weft_call *call, int64_t piece)
{
    const weft_depthwise *d = call->args;
    int64_t range = piece % d->ranges;
    int64_t channel = piece / d->ranges * d->channel_block;
    int64_t channels = weft_least(d->channel_block, d->channels - channel);
    weft_taps t[3];
    for (int i = D; i <= W; i++)
        t[i] = weft_taps_forward(&d->dimension[i], d->flip);
    row_state s = {.d = d, .taps = t};
    weft_finish before = weft_finish_at(d->prologue, call, channel);
    s.before = d->prologue ? &before : NULL;
    const float *a = (const float *)call->operand[d->slots.input[0]] + channel;
    const float *b = (const float *)call->operand[d->slots.input[1]] + channel;
    int64_t taps = t[D].count * t[H].count * t[W].count;
    float *copy =
        (float *)call->operand[d->slots.workspace] + range * taps * tap_floats(d) + channel;
    for (int64_t row = 0; row < taps * d->group; row++)
        for (int64_t i = 0; i < channels; i++)
            copy[row * d->channels + i] = 0;

    depthwise_sums sums = {
        .strip = weft_least(SUMS_ROWS, weft_ceiling(SUMS_ENOUGH, t[W].positions)),
        .pixels = t[W].positions,
        .a_row = d->a_stride[2],
        .a_step = d->a_stride[3],
        .b_step = d->c_stride[3],
        .column = t[W].offset,
        .extent = d->dimension[W].in,
        .before = s.before,
        .to = copy + (t[H].filter * d->dimension[W].kernel + t[W].filter) * tap_floats(d),
        .to_step = {t[H].filter_step * d->dimension[W].kernel * tap_floats(d),
                    t[W].filter_step * tap_floats(d)},
        .to_channel = d->channels};
    int64_t rows = d->batch * t[D].positions * t[H].positions;
    int64_t end = rows * (range + 1) / d->ranges;
    for (int64_t row = rows * range / d->ranges; row < end; row++) {
        int64_t h = row % t[H].positions, z = row / t[H].positions % t[D].positions;
        int64_t n = row / t[H].positions / t[D].positions;
        int64_t depth = z * t[D].in_step + t[D].offset, height = h * t[H].in_step + t[H].offset;
        s.depth = inside(depth, t[D].offset_step, t[D].count, d->dimension[D].in);
        s.height = inside(height, t[H].offset_step, t[H].count, d->dimension[H].in);
        s.a = a + n * d->a_stride[0] + depth * d->a_stride[1] + height * d->a_stride[2];
        s.b = b + n * d->c_stride[0] + z * d->c_stride[1] + h * d->c_stride[2];
        if (weft_depthwise_has_sums(d)) {
            if (s.depth.low == s.depth.high) /* the only tap of depth is outside */
                s.height.high = s.height.low;
            add_row(&sums, &s, channels, row + sums.strip < end && h + sums.strip < t[H].positions);
            if (sums.rows == sums.strip || row + 1 == end) {
                kernels_of(d->group)->sums(&sums, channels, t[W].in_step);
                sums.rows = 0;
            }
            continue;
        }
        int64_t i = 0;
        for (; i + LANES <= channels; i += LANES)
            filter_channels(&s, copy, i, LANES);
        if (i < channels)
            filter_channels(&s, copy, i, channels - i);
    }
}

/* Channels i and o of a group of x and y change places. */
static void swap(const weft_call *call, int64_t tap)
{
    const weft_depthwise *d = call->args;
    const float *from = (const float *)call->operand[d->slots.input[1]] + tap * tap_floats(d);
    float *to = (float *)call->operand[d->slots.prepared] + tap * tap_floats(d);
    for (int64_t i = 0; i < d->group; i++)
        for (int64_t channel = 0; channel < d->channels; channel++)
            to[channel % d->group * d->channels + channel - channel % d->group + i] =
                from[i * d->channels + channel];
}

const weft_depthwise_kernels WEFT_FOR_ISA(weft_convolution_depthwise) = {
    .run = run, .filter = filter, .swap = swap};

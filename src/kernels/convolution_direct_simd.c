#include "kernels/convolution_direct.h"

#include "kernels/read_pixels.h"

extern const weft_tiles WEFT_FOR_ISA(weft_matmul_tiles);
extern const weft_epilogue_kernels WEFT_FOR_ISA(weft_epilogue_table);

enum { D, H, W };

/* A chunk of the reduction: rows of taps (by their index d * taps of H + h), taps of a row, channels. */
typedef struct chunk {
    int64_t row, rows, tap, taps, channel, channels;
    int64_t index, before; /* which of the block's, and steps of the reduction before it */
    bool first, last;
} chunk;

/* So many are dealt to tiles, the larger shares first. */
typedef struct dealt {
    int64_t tiles, share, larger;
} dealt;

SIMD_INLINE dealt deal(int64_t number, int64_t most)
{
    dealt d = {.tiles = (number + most - 1) / most};
    if (d.tiles) {
        d.share = number / d.tiles;
        d.larger = number % d.tiles;
    }
    return d;
}

SIMD_INLINE int64_t dealt_before(const dealt *d, int64_t tile)
{
    return tile * d->share + weft_least(tile, d->larger);
}

/* What one piece works on. */
typedef struct piece_state {
    const weft_direct *d;
    const weft_call *call;
    int64_t phase;
    int64_t filter, part;      /* first filter, of all groups; part of the epilogue's sums */
    const float *a, *b, *bias; /* of the group and the first filter */
    float *c;
    weft_finish finish; /* the same */
    weft_finish before; /* of the prologue, of the group, if there is one */
    weft_taps taps[3];
    int64_t filters; /* of this piece */
    dealt pixels;    /* of a row */
    weft_tile tile;
    const float *addend;         /* of the chunk, or NULL */
    bool same;                   /* without a sum, the chunk leaves c as it is */
    dealt vectors;               /* of the piece's filters */
    int64_t width;               /* of the panel: filters in whole vectors */
    float *panel;                /* packed filter */
    int64_t first_place, places; /* tiles of pixels that one thread computes with a panel */
    float *input;                /* copied pixels */
    weft_tile_run *run;
    int64_t *offset;        /* of each step, in the copy of a band */
    int64_t pitch, plane;   /* from row to row of it, from depth to depth */
    int64_t height, column; /* of its first pixel of c */
    int64_t band_end;       /* the tile after its last of a row */
} piece_state;

/* Goes to the next chunk, from {.first = true} to the first; false after the last. */
static bool next_chunk(const piece_state *s, chunk *k)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t rows = t[D].count * t[H].count;
    if (k->channels) {
        k->first = false;
        k->index++;
        k->before += k->rows * k->taps * k->channels;
        k->channel += k->channels;
        if (k->channel == d->channels) {
            k->channel = 0;
            k->tap += k->taps;
        }
        if (k->tap == t[W].count) {
            k->tap = 0;
            k->row += k->rows;
        }
    }
    if (k->row == rows || t[W].count == 0)
        return false;
    k->rows = weft_least(d->tap_row_block, rows - k->row);
    k->taps = weft_least(d->tap_block, t[W].count - k->tap);
    k->channels = weft_least(d->channel_block, d->channels - k->channel);
    k->last = k->row + k->rows == rows && k->tap + k->taps == t[W].count &&
              k->channel + k->channels == d->channels;
    return true;
}

/* The panel holds, for each tile of vectors, a row for each tap and channel of the chunk. */
static void pack_filter(const piece_state *s, const chunk *k)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t rows = k->rows * k->taps * k->channels;
    for (int64_t tile = 0; tile < s->vectors.tiles; tile++) {
        int64_t v0 = dealt_before(&s->vectors, tile), v1 = dealt_before(&s->vectors, tile + 1);
        int64_t first = v0 * LANES, width = (v1 - v0) * LANES;
        int64_t columns = s->filters - first < width ? s->filters - first : width;
        float *to = s->panel + rows * first;
        for (int64_t row = k->row; row < k->row + k->rows; row++)
            for (int64_t tap = k->tap; tap < k->tap + k->taps; tap++, to += k->channels * width) {
                int64_t fd = t[D].filter + row / t[H].count * t[D].filter_step;
                int64_t fh = t[H].filter + row % t[H].count * t[H].filter_step;
                int64_t fw = t[W].filter + tap * t[W].filter_step;
                int64_t index = (fd * d->dimension[H].kernel + fh) * d->dimension[W].kernel + fw;
                const float *from =
                    s->b + index * d->b_tap + k->channel * d->b_channel + first * d->b_filter;
                if (d->b_filter == 1)
                    pack_rows(to, width, from, d->b_channel, k->channels, columns);
                else
                    pack_columns(to, width, from, d->b_filter, k->channels, columns);
            }
    }
}

/* Where a tile is: an image (or two), a row, and pixels of it. */
typedef struct place {
    int64_t image, images, depth, height, column, pixels;
} place;

/* Appends a run, or lengthens the last one where both sides go on. */
SIMD_INLINE int64_t add_run(weft_tile_run *run, int64_t runs, weft_tile_run next)
{
    weft_tile_run *last = run + runs - 1;
    if (runs && last->a + last->length == next.a && last->b + last->length == next.b) {
        last->length += next.length;
        return runs;
    }
    run[runs] = next;
    return runs + 1;
}

/* Offset in a of the row that a row of taps reads; false where it is outside. */
SIMD_INLINE bool input_row(const piece_state *s, const place *p, int64_t row, int64_t *offset)
{
    const weft_taps *t = s->taps;
    int64_t depth = p->depth * t[D].in_step + t[D].offset + row / t[H].count * t[D].offset_step;
    int64_t height = p->height * t[H].in_step + t[H].offset + row % t[H].count * t[H].offset_step;
    if (depth < 0 || depth >= s->d->dimension[D].in || height < 0 ||
        height >= s->d->dimension[H].in)
        return false;
    *offset = depth * s->d->a_stride[1] + height * s->d->a_stride[2];
    return true;
}

/* A stride that is a multiple of 4 KiB puts the pixels of a tile into one set of the cache. */
SIMD_INLINE bool crowded(int64_t stride)
{
    return stride % 1024 == 0;
}

SIMD_INLINE int64_t spread(int64_t pixel_step, int64_t in_step)
{
    return pixel_step * in_step % 512 == 0 ? pixel_step + LANES : pixel_step;
}

/* The tile reads a itself. */
SIMD_INLINE int64_t runs_in_place(const piece_state *s, const chunk *k, const place *p,
                                  weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixel = s->d->a_stride[3], runs = 0;
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t tap = 0; tap < k->taps; tap++)
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = offset + (column + tap * t->offset_step) * pixel,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
    }
    tile->a = s->a + p->image * s->d->a_stride[0] + k->channel;
    tile->a_step = t->in_step * pixel;
    tile->a_half = p->images == 2 ? s->d->a_stride[0] : (p->pixels + 1) / 2 * tile->a_step;
    /* More taps have seen most of it already; the processor itself follows long rows. */
    if (k->rows * k->taps == 1 && k->channels <= 512)
        tile->ahead = p->pixels * tile->a_step;
    return runs;
}

/* Reads pixels of a row that begins at `row`, `channels` channels from the chunk's first on, into the copy. */
SIMD_INLINE void read_row(const piece_state *s, const chunk *k, const float *row, int64_t column,
                          int64_t step, int64_t count, float *to, int64_t to_step)
{
    const pixel_row from = {.data = row + k->channel,
                            .extent = s->d->dimension[W].in,
                            .stride = s->d->a_stride[3],
                            .column = column,
                            .step = step,
                            .count = count};
    const weft_finish before = weft_finish_from(&s->before, k->channel);
    read_pixels(&from, s->d->prologue ? &before : NULL, k->channels, to, to_step);
}

/* The tile reads a copy: for each row of taps the span of pixels that the tile sees. */
static int64_t runs_of_span(const piece_state *s, const chunk *k, const place *p, int64_t span,
                            weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixel = spread(k->channels, t->in_step), runs = 0;
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    float *to = s->input;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t image = 0; image < p->images; image++)
            read_row(s, k, s->a + (p->image + image) * s->d->a_stride[0] + offset, column, 1, span,
                     to + image * k->rows * span * pixel, pixel);
        for (int64_t tap = 0; tap < k->taps; tap++)
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = to - s->input + tap * t->offset_step * pixel,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
        to += span * pixel;
    }
    tile->a = s->input;
    tile->a_step = t->in_step * pixel;
    tile->a_half = p->images == 2 ? k->rows * span * pixel : (p->pixels + 1) / 2 * tile->a_step;
    return runs;
}

/* The tile reads a copy: for each pixel what each tap sees, one after the other. */
static int64_t runs_of_patches(const piece_state *s, const chunk *k, const place *p,
                               weft_tile *tile)
{
    const weft_taps *t = &s->taps[W];
    int64_t pixel = spread(k->rows * k->taps * k->channels, 1), runs = 0, filled = 0;
    int64_t column = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    for (int64_t row = 0; row < k->rows; row++) {
        int64_t offset;
        if (!input_row(s, p, k->row + row, &offset))
            continue;
        for (int64_t tap = 0; tap < k->taps; tap++, filled += k->channels) {
            for (int64_t image = 0; image < p->images; image++) {
                const float *from = s->a + (p->image + image) * s->d->a_stride[0] + offset;
                read_row(s, k, from, column + tap * t->offset_step, t->in_step, p->pixels,
                         s->input + image * p->pixels * pixel + filled, pixel);
            }
            runs = add_run(s->run, runs,
                           (weft_tile_run){.a = filled,
                                           .b = (row * k->taps + tap) * k->channels,
                                           .length = k->channels});
        }
    }
    tile->a = s->input;
    tile->a_step = pixel;
    tile->a_half = (p->images == 2 ? p->pixels : (p->pixels + 1) / 2) * pixel;
    return runs;
}

/* ---- Bands: where a row of taps has few channels, as an image has ---- */

/* Lists where a band has what each step of the reduction reads. */
static void list_steps(piece_state *s)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t channels = d->channels, *to = s->offset;
    s->pitch = weft_taps_extent(&t[W], d->band * d->tile) * channels;
    s->plane = weft_taps_extent(&t[H], d->band_rows) * s->pitch;
    for (int64_t depth = 0; depth < t[D].count; depth++)
        for (int64_t row = 0; row < t[H].count; row++)
            for (int64_t tap = 0; tap < t[W].count; tap++)
                for (int64_t channel = 0; channel < channels; channel++)
                    *to++ = depth * s->plane + row * t[H].offset_step * s->pitch +
                            tap * t[W].offset_step * channels + channel;
}

/* Whether this place, the next one of the piece, is no longer in the band. */
SIMD_INLINE bool band_ends(const piece_state *s, const place *p, int64_t tile)
{
    return tile == s->band_end ||
           (tile == 0 && (p->height == 0 || p->height >= s->height + s->d->band_rows));
}

/* Copies the band of this place, from its row on. */
static void copy_band(piece_state *s, const chunk *k, const place *p, int64_t tile)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    int64_t band_first = tile - tile % d->band;
    s->band_end = weft_least(band_first + d->band, s->pixels.tiles);
    s->column = dealt_before(&s->pixels, band_first);
    s->height = p->height;
    int64_t span = weft_taps_extent(&t[W], dealt_before(&s->pixels, s->band_end) - s->column);
    int64_t rows = weft_least(d->band_rows, t[H].positions - p->height);
    int64_t column = s->column * t[W].in_step + t[W].offset;
    int64_t first = p->height * t[H].in_step + t[H].offset;
    int64_t end = first + weft_taps_extent(&t[H], rows);
    int64_t planes = p->images * t[D].count;
    for (int64_t i = 0; i < planes; i++) {
        int64_t image = p->image + i / t[D].count;
        int64_t depth = p->depth * t[D].in_step + t[D].offset + i % t[D].count * t[D].offset_step;
        bool inside = depth >= 0 && depth < d->dimension[D].in;
        float *to = s->input + i * s->plane;
        for (int64_t row = first; row < end; row++, to += s->pitch)
            if (inside && row >= 0 && row < d->dimension[H].in)
                read_row(s, k,
                         s->a + image * d->a_stride[0] + depth * d->a_stride[1] +
                             row * d->a_stride[2],
                         column, 1, span, to, d->channels);
            else
                zero_floats(to, span * d->channels);
    }
}

/* The tile reads the band. */
SIMD_INLINE void steps_of_band(const piece_state *s, const chunk *k, const place *p,
                               weft_tile *tile)
{
    const weft_taps *t = s->taps;
    int64_t pixel = t[W].in_step * s->d->channels;
    tile->a = s->input + (p->height - s->height) * t[H].in_step * s->pitch +
              (p->column - s->column) * pixel;
    tile->a_step = pixel;
    tile->a_half = p->images == 2 ? t[D].count * s->plane : (p->pixels + 1) / 2 * pixel;
    tile->offset = s->offset;
    tile->steps = k->rows * k->taps * k->channels;
}

/* ---- Epilogue: of finished pixels, a few vectors at once, while they are in the first-level cache ---- */

enum { ENOUGH = 512 }; /* floats */

/* Finished pixels that wait, of an image or two, neighbours in c. */
typedef struct waiting {
    int64_t images, column, height, depth; /* of the pixel after the last */
    weft_epilogue_block block[2];
} waiting;

static void flush(const piece_state *s, waiting *w)
{
    for (int64_t i = 0; i < w->images; i++)
        WEFT_FOR_ISA(weft_epilogue_table).apply(s->d->epilogue, s->call, &w->block[i]);
    w->images = 0;
}

static void set_block(const piece_state *s, const place *p, int64_t image,
                      weft_epilogue_block *block)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    *block = (weft_epilogue_block){
        .step = t[W].step * d->c_stride[3],
        .pixels = p->pixels,
        .at = {p->image + image, t[D].first + p->depth * t[D].step,
               t[H].first + p->height * t[H].step, t[W].first + p->column * t[W].step},
        .column_step = t[W].step,
        .channel = s->filter,
        .channels = s->filters,
        .part = s->part,
    };
    block->c = s->c + block->at[0] * d->c_stride[0] + block->at[1] * d->c_stride[1] +
               block->at[2] * d->c_stride[2] + block->at[3] * d->c_stride[3];
}

/* The pixels of a place are finished. */
static void finish_place(const piece_state *s, const place *p, waiting *w)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    bool next_row = d->rows_go_on && p->column == 0 && w->column == t[W].positions &&
                    p->height == w->height + 1;
    bool goes_on = w->images == p->images && p->depth == w->depth &&
                   w->block[0].at[0] == p->image &&
                   (next_row || (p->height == w->height && p->column == w->column));
    if (!goes_on && w->images)
        flush(s, w);
    for (int64_t i = 0; i < p->images; i++)
        if (goes_on)
            w->block[i].pixels += p->pixels;
        else
            set_block(s, p, i, &w->block[i]);
    w->images = p->images;
    w->column = p->column + p->pixels;
    w->height = p->height;
    w->depth = p->depth;
    if (w->block[0].pixels * s->filters >= ENOUGH)
        flush(s, w);
}

/* What is the same for all tiles of a chunk. */
static void begin_chunk(piece_state *s, const chunk *k)
{
    const weft_direct *d = s->d;
    const weft_finish *finish = k->last && d->epilogue ? &s->finish : NULL;
    /* The addend comes after what is normalized; else it may as well come first, and be c. */
    s->addend = (s->finish.slope ? k->last : k->first) ? s->finish.addend : NULL;
    s->same = (k->first ? s->addend == s->c && !s->bias : !s->addend) &&
              !(finish && (finish->slope || finish->ceiling > 0));
    s->tile = (weft_tile){.run = s->run,
                          .finish = finish,
                          .c_step = s->taps[W].step * d->c_stride[3],
                          .accumulate = !k->first};
    if (d->filters_far)
        s->tile.later_lines = s->width / (s->places * s->vectors.tiles);
}

/* All filters of the piece, for the pixels of place number `index` and one chunk of the reduction. `block` is what the
 * epilogue will finish of each image; NULL: nothing yet. */
static void run_place(piece_state *s, const chunk *k, const place *p, int64_t index,
                      const weft_epilogue_block *block)
{
    const weft_direct *d = s->d;
    const weft_taps *t = &s->taps[W];
    int64_t low = p->column * t->in_step + t->offset + k->tap * t->offset_step;
    int64_t span = (p->pixels - 1) * t->in_step + (k->taps - 1) * t->offset_step + 1;
    weft_tile *tile = &s->tile;
    tile->ahead = tile->ahead_first = tile->ahead_end = 0;
    bool inside = low >= 0 && low + span <= d->dimension[W].in;
    bool copied = d->prologue || (crowded(t->in_step * d->a_stride[3]) && p->pixels > 4);
    if (d->band)
        steps_of_band(s, k, p, tile);
    else if (inside && !copied)
        tile->runs = runs_in_place(s, k, p, tile);
    else if (span <= p->pixels * k->taps)
        tile->runs = runs_of_span(s, k, p, span, tile);
    else
        tile->runs = runs_of_patches(s, k, p, tile);
    if (!tile->runs && !tile->steps && s->same)
        return; /* c has its sum already */

    int64_t at = p->image * d->c_stride[0] +
                 (s->taps[D].first + p->depth * s->taps[D].step) * d->c_stride[1] +
                 (s->taps[H].first + p->height * s->taps[H].step) * d->c_stride[2] +
                 (t->first + p->column * t->step) * d->c_stride[3];
    tile->c_half = p->images == 2 ? d->c_stride[0] : (p->pixels + 1) / 2 * tile->c_step;
    int64_t panel_rows = k->rows * k->taps * k->channels;
    int64_t rows = p->pixels * p->images, tiles = s->vectors.tiles;
    /* Each tile fetches its share of the panel after this one. */
    tile->later = s->panel + panel_rows * s->width +
                  panel_rows * tile->later_lines * (index - s->first_place) * tiles;
    for (int64_t i = 0, v0 = 0, v1; i < tiles; i++, v0 = v1) {
        v1 = dealt_before(&s->vectors, i + 1);
        tile->b = s->panel + panel_rows * v0 * LANES;
        tile->c = s->c + at + v0 * LANES;
        tile->addend = s->addend ? s->addend + at + v0 * LANES : NULL;
        tile->channel = v0 * LANES;
        tile->bias = s->bias ? s->bias + v0 * LANES : NULL;
        tile->last = i + 1 < tiles ? LANES : s->filters - (v1 - 1) * LANES;
        if (tile->ahead) { /* each tile fetches its share of the rows */
            tile->ahead_first = rows * i / tiles;
            tile->ahead_end = rows * (i + 1) / tiles;
        }
        for (int64_t j = 0; block && j < p->images; j++)
            WEFT_FOR_ISA(weft_epilogue_table)
                .fetch(d->epilogue, s->call, &block[j], v0 * LANES, (v1 - v0) * LANES);
        WEFT_FOR_ISA(weft_matmul_tiles).rows[v1 - v0][rows](tile);
        tile->later += panel_rows * tile->later_lines;
    }
}

/* From one tile to the next, without dividing. */
SIMD_INLINE void next_place(const piece_state *s, place *p, int64_t *tile)
{
    p->column += p->pixels;
    if (++*tile < s->pixels.tiles)
        return;
    *tile = p->column = 0;
    if (++p->height < s->taps[H].positions)
        return;
    p->height = 0;
    if (++p->depth < s->taps[D].positions)
        return;
    p->depth = 0;
    p->image += s->d->images;
}

/* One chunk for tiles first..end-1, which are numbered by image, depth, height, tile of the row. */
static void run_chunk(piece_state *s, const chunk *k, int64_t first, int64_t end)
{
    const weft_direct *d = s->d;
    const weft_taps *t = s->taps;
    bool finished = k->last && weft_epilogue_follows(d->epilogue),
         fetch = finished && d->epilogue->operands > 0;
    waiting wait = {0};
    begin_chunk(s, k);
    int64_t row = first / s->pixels.tiles, tile = first % s->pixels.tiles;
    place p = {.image = row / t[H].positions / t[D].positions * d->images,
               .depth = row / t[H].positions % t[D].positions,
               .height = row % t[H].positions,
               .column = dealt_before(&s->pixels, tile)};
    for (int64_t index = first; index < end; index++, next_place(s, &p, &tile)) {
        p.images = weft_least(d->batch - p.image, d->images);
        p.pixels = dealt_before(&s->pixels, tile + 1) - p.column;
        weft_epilogue_block block[2];
        for (int64_t i = 0; fetch && i < p.images; i++)
            set_block(s, &p, i, &block[i]);
        if (d->band && (index == first || band_ends(s, &p, tile)))
            copy_band(s, k, &p, tile);
        run_place(s, k, &p, index, fetch ? block : NULL);
        if (finished)
            finish_place(s, &p, &wait);
    }
    if (finished)
        flush(s, &wait);
}

static void find_taps(const weft_direct *d, int64_t phase, weft_taps *taps)
{
    for (int i = W; i >= D; phase /= d->phases[i], i--)
        taps[i] = d->gradient ? weft_taps_gradient(&d->dimension[i], d->flip, phase % d->phases[i])
                              : weft_taps_forward(&d->dimension[i], d->flip);
}

/* Where the prepared panels of a block lie: by phase, group, block, chunk. */
static float *find_panels(const weft_direct *d, const weft_call *call, int64_t phase, int64_t group,
                          int64_t filter)
{
    int64_t width = (d->filters + LANES - 1) / LANES * LANES, taps = 0, all = 0;
    for (int64_t p = 0; p <= phase; p++) {
        weft_taps t[3];
        find_taps(d, p, t);
        taps = t[D].count * t[H].count * t[W].count;
        all += p < phase ? taps : 0;
    }
    return (float *)call->operand[d->slots.prepared] +
           d->channels * ((all * d->panel_groups + taps * group) * width + taps * filter);
}

/* What is the same for all ranges of a block, and for packing it; `index` counts blocks. Returns the
 * filters' panels, if they are prepared. */
static float *begin_block(const weft_call *call, int64_t index, int64_t groups, piece_state *s)
{
    const weft_direct *d = s->d = call->args;
    int64_t filter = index % d->filter_blocks * d->filter_block, rest = index / d->filter_blocks;
    int64_t group = rest % groups, phase = rest / groups;
    s->phase = phase;
    s->filter = group * d->filters + filter;
    s->a = (const float *)call->operand[d->slots.input[0]] + group * d->a_group;
    s->b =
        (const float *)call->operand[d->slots.input[1]] + group * d->b_group + filter * d->b_filter;
    s->c = (float *)call->operand[d->slots.output] + group * d->c_group + filter;
    s->finish = weft_epilogue_finish(d->epilogue, call, group * d->c_group + filter);
    s->before = weft_finish_at(d->prologue, call, group * d->a_group);
    if (d->bias)
        s->bias = (const float *)call->operand[d->slots.input[2]] + group * d->bias_group + filter;
    s->filters = weft_least(d->filter_block, d->filters - filter);
    s->vectors = deal((s->filters + LANES - 1) / LANES, d->vectors);
    s->width = (s->filters + LANES - 1) / LANES * LANES;
    find_taps(d, phase, s->taps);
    return d->packed ? find_panels(d, call, phase, d->panel_groups > 1 ? group : 0, filter) : NULL;
}

/* Packs one chunk of a block of filters. */
static void pack(const weft_call *call, int64_t piece)
{
    const weft_direct *d = call->args;
    piece_state s = {0};
    float *panels = begin_block(call, piece / d->chunks, d->panel_groups, &s);
    for (chunk k = {.first = true}; next_chunk(&s, &k);)
        if (k.index % d->chunks == piece % d->chunks) {
            s.panel = panels + k.before * s.width;
            pack_filter(&s, &k);
        }
}

static void run(const weft_call *call, int64_t piece)
{
    _Alignas(64) float panel[WEFT_DIRECT_FILTER_PANEL];
    _Alignas(64) float input[WEFT_DIRECT_INPUT_PANEL + WEFT_DIRECT_INPUT_PANEL / 16 + 512];
    weft_tile_run runs[WEFT_DIRECT_RUNS];
    int64_t offset[WEFT_DIRECT_STEPS];
    const weft_direct *d = call->args;
    /* In inference, threads take ranges and not blocks: what they read, they have made themselves. */
    int64_t blocks = d->filter_blocks * d->groups * d->phases[D] * d->phases[H] * d->phases[W];
    bool by_ranges = d->steady && !d->by_filters;
    int64_t range = by_ranges ? piece / blocks : piece % d->ranges;
    int64_t block = by_ranges ? piece % blocks : piece / d->ranges;
    piece_state s = {.call = call, .panel = panel, .input = input, .run = runs, .offset = offset};
    float *panels = begin_block(call, block, d->groups, &s);
    s.part = s.phase * d->ranges + range;
    const weft_taps *t = s.taps;
    s.pixels = deal(t[W].positions, d->tile);
    int64_t total =
        (d->batch + d->images - 1) / d->images * t[D].positions * t[H].positions * s.pixels.tiles;
    int64_t first = total * range / d->ranges, end = total * (range + 1) / d->ranges;
    if (weft_epilogue_follows(d->epilogue))
        WEFT_FOR_ISA(weft_epilogue_table).begin(d->epilogue, call, s.part, s.filter, s.filters);
    if (first == end)
        return;
    s.first_place = d->by_filters ? 0 : first;
    s.places = d->by_filters ? total : end - first;
    if (d->band)
        list_steps(&s);

    chunk k = {.first = true};
    while (next_chunk(&s, &k)) {
        if (panels)
            s.panel = panels + k.before * s.width;
        else
            pack_filter(&s, &k);
        run_chunk(&s, &k, first, end);
    }
    if (!k.channels) { /* no tap reaches these positions */
        k.last = true;
        run_chunk(&s, &k, first, end);
    }
}

const weft_direct_kernels WEFT_FOR_ISA(weft_convolution_direct) = {.run = run, .pack = pack};

#include "kernels/convolution_direct.h"

#include "kernels/convolution_direct_input.h"

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
    weft_tile *tile = &s->tile;
    set_input(s, k, p, tile);
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

/* Where the prepared panels of a block lie: by phase, group, block, chunk. */
static float *find_panels(const piece_state *s, int64_t group, int64_t filter)
{
    const weft_direct *d = s->d;
    int64_t width = (d->filters + LANES - 1) / LANES * LANES, taps = 1, before = 0;
    for (int i = D; i <= W; taps *= s->taps[i].count, i++)
        before = before * d->dimension[i].kernel +
                 taps * weft_taps_before(&d->dimension[i], s->taps[i].first);
    return (float *)s->call->operand[d->slots.prepared] +
           d->channels * ((before * d->panel_groups + taps * group) * width + taps * filter);
}

/* What is the same for all ranges of a block, and for packing it; `index` counts blocks. Returns the
 * filters' panels, if they are prepared. */
static float *begin_block(const weft_call *call, int64_t index, int64_t groups, piece_state *s)
{
    const weft_direct *d = s->d = call->args;
    s->call = call;
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
    for (int i = W; i >= D; phase /= d->phases[i], i--)
        s->taps[i] = weft_taps_of(&d->dimension[i], d->gradient, d->flip, phase % d->phases[i]);
    return d->packed ? find_panels(s, d->panel_groups > 1 ? group : 0, filter) : NULL;
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
    _Alignas(64) float input[WEFT_DIRECT_INPUT_PANEL + WEFT_DIRECT_INPUT_SPREAD];
    weft_tile_run runs[WEFT_DIRECT_RUNS];
    int64_t offset[WEFT_DIRECT_STEPS];
    const weft_direct *d = call->args;
    int64_t blocks = d->filter_blocks * d->groups * d->phases[D] * d->phases[H] * d->phases[W];
    int64_t range = d->by_ranges ? piece / blocks : piece % d->ranges;
    int64_t block = d->by_ranges ? piece % blocks : piece / d->ranges;
    piece_state s = {.panel = panel, .input = input, .run = runs, .band = {.offset = offset}};
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
    s.first_place = d->by_ranges ? first : 0;
    s.places = d->by_ranges ? end - first : total;
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

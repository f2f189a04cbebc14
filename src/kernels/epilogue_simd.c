#include "kernels/epilogue.h"

#include "kernels/integer.h"
#include "kernels/simd.h"

/* Where the rows of a place are. */
typedef struct rows {
    float *row;
    int64_t step; /* elements; 0: repeated */
    bool one;
} rows;

static float *numbers(const weft_epilogue *e, const weft_epilogue_sums *sums, const weft_call *call,
                      int64_t part)
{
    return (float *)call->operand[e->workspace] + sums->offset +
           part * WEFT_CHANNEL_NUMBERS * e->channels;
}

static void begin(const weft_epilogue *e, const weft_call *call, int64_t part, int64_t channel,
                  int64_t channels)
{
    for (int i = 0; i < e->sums; i++)
        for (int n = 0; n < WEFT_CHANNEL_NUMBERS; n++)
            memset(numbers(e, &e->sum[i], call, part) + n * e->channels + channel, 0,
                   (size_t)channels * sizeof(float));
}

static void run_map(const weft_epilogue_map *m, const rows *place, int64_t pixels, int64_t channels)
{
    const rows *out = &place[m->out];
    weft_map_row row = {.out = out->row,
                        .count = channels,
                        .rows = pixels,
                        .out_step = out->step * (int64_t)sizeof(float),
                        .a = m->map.a,
                        .b = m->map.b};
    bool dense = out->step == channels;
    for (int i = 0; i < WEFT_MAP_INPUTS; i++) {
        const rows *in = &place[m->in[i < m->inputs ? i : 0]];
        row.in[i] = in->row;
        row.in_step[i] = in->step * (int64_t)sizeof(float);
        row.splat |= in->one ? 1u << i : 0;
        dense = dense && (in->one || in->step == channels);
    }
    if (dense) { /* one long row */
        row.count *= pixels;
        row.rows = 1;
    }
    m->map.row(&row);
}

static void add_sums(const weft_epilogue *e, const weft_epilogue_sums *sums, const weft_call *call,
                     const rows *place, int64_t part, int64_t pixels, int64_t channel,
                     int64_t channels)
{
    weft_channel_rows r = {.rows = pixels,
                           .channels = channels,
                           .number = numbers(e, sums, call, part) + channel,
                           .number_step = e->channels};
    for (int i = 0; i < WEFT_CHANNEL_OPERANDS; i++) {
        r.in[i] = place[sums->in[i]].row;
        r.step[i] = place[sums->in[i]].step;
    }
    WEFT_FOR_ISA(weft_channel_kernel_table).add[sums->kind](&r);
}

/* All maps and sums of some pixels that fit the scratch; the block's and the operands' places are set. */
static void run_pixels(const weft_epilogue *e, const weft_call *call, rows *place, int64_t part,
                       int64_t pixels, int64_t channel, int64_t channels)
{
    _Alignas(64) float scratch[WEFT_EPILOGUE_SCRATCH][WEFT_EPILOGUE_SCRATCH_FLOATS];
    for (int i = 0; i < WEFT_EPILOGUE_SCRATCH; i++)
        place[WEFT_AT_SCRATCH + i] = (rows){.row = scratch[i], .step = channels};
    for (int i = 0; i < e->maps; i++)
        run_map(&e->map[i], place, pixels, channels);
    for (int i = 0; i < e->sums; i++)
        add_sums(e, &e->sum[i], call, place, part, pixels, channel, channels);
}

static void advance(const weft_epilogue *e, rows *place, int64_t pixels, int64_t channels)
{
    for (int i = 0; i < WEFT_AT_OPERAND + e->operands; i++)
        place[i].row += place[i].one ? 0 : pixels * place[i].step + channels;
}

/* Cuts a block into some pixels that fit the scratch. `place` has the rows of the first of all. */
static void run_block(const weft_epilogue *e, const weft_call *call, rows *place,
                      const weft_epilogue_block *block)
{
    int64_t most = weft_least(block->channels, WEFT_EPILOGUE_SCRATCH_FLOATS);
    int64_t high = WEFT_EPILOGUE_SCRATCH_FLOATS / most;
    for (int64_t channel = 0; channel < block->channels; channel += most) {
        int64_t channels = weft_least(most, block->channels - channel), pixel = 0;
        while (pixel < block->pixels) {
            int64_t pixels = weft_least(high, block->pixels - pixel);
            run_pixels(e, call, place, block->part, pixels, block->channel + channel, channels);
            advance(e, place, pixels, 0);
            pixel += pixels;
        }
        advance(e, place, -pixel, channels);
    }
}

static rows operand_rows(const weft_epilogue_operand *o, const weft_call *call,
                         const weft_epilogue_block *block)
{
    int64_t offset = o->one ? 0 : block->channel;
    for (int d = 0; d < 4; d++)
        offset += block->at[d] * o->stride[d];
    return (rows){.row = (float *)call->operand[o->slot] + offset,
                  .step = o->stride[3] * block->column_step,
                  .one = o->one};
}

static void apply(const weft_epilogue *e, const weft_call *call, const weft_epilogue_block *block)
{
    rows place[WEFT_EPILOGUE_PLACES];
    place[WEFT_AT_BLOCK] = (rows){.row = block->c, .step = block->step};
    for (int i = 0; i < e->operands; i++)
        place[WEFT_AT_OPERAND + i] = operand_rows(&e->operand[i], call, block);
    run_block(e, call, place, block);
}

static void fetch(const weft_epilogue *e, const weft_call *call, const weft_epilogue_block *block,
                  int64_t channel, int64_t channels)
{
    enum { LINE = 16 }; /* floats of a cache line */
    for (int i = 0; i < e->operands; i++) {
        rows r = operand_rows(&e->operand[i], call, block);
        if (r.step == 0) /* the same row all the time */
            continue;
        r.row += channel;
        for (int64_t pixel = 0; pixel < block->pixels; pixel++, r.row += r.step)
            for (int64_t c = 0; c < channels; c += LINE)
                __builtin_prefetch(r.row + c, 0, 2);
    }
}

static void chain(const weft_call *call, int64_t piece)
{
    const weft_epilogue *e = call->args;
    int64_t first = piece * e->piece_pixels;
    int64_t end = weft_least(first + e->piece_pixels, e->pixels.count);
    rows place[WEFT_EPILOGUE_PLACES] = {[WEFT_AT_BLOCK] = {.one = true}}; /* a chain has none */
    weft_epilogue_block block = {.channels = e->channels, .part = piece};
    begin(e, call, piece, 0, e->channels);
    for (int64_t pixel = first; pixel < end; pixel += block.pixels) {
        weft_pixel_run run = weft_pixels_run(&e->pixels, pixel, end);
        block.pixels = run.count;
        for (int i = 0; i < e->operands; i++)
            place[WEFT_AT_OPERAND + i] =
                (rows){.row = (float *)call->operand[e->operand[i].slot] + run.offset[i],
                       .step = e->pixels.step[i],
                       .one = e->operand[i].one};
        run_block(e, call, place, &block);
    }
}

const weft_epilogue_kernels WEFT_FOR_ISA(weft_epilogue_table) = {
    .begin = begin, .apply = apply, .fetch = fetch, .chain = chain};

/* What follows a kernel while its output is still in the cache: elementwise maps over a block of finished
 * pixels, stores of what others read, and sums of channels. A chain of maps without a kernel before it is
 * the same, block by block over memory. */
#ifndef WEFT_KERNELS_EPILOGUE_H
#define WEFT_KERNELS_EPILOGUE_H

#include "kernels/channel_sums.h"
#include "kernels/pixels.h"
#include "weft/op.h"

enum {
    WEFT_EPILOGUE_OPERANDS = WEFT_PIXEL_OPERANDS,
    WEFT_EPILOGUE_MAPS = 12,
    WEFT_EPILOGUE_SUMS = 2,
    WEFT_EPILOGUE_SCRATCH = 3,          /* rows of intermediate results */
    WEFT_EPILOGUE_SCRATCH_FLOATS = 2048 /* of each */
};

/* Places that maps read and write. */
enum {
    WEFT_AT_BLOCK = 0,                                          /* the kernel's own output */
    WEFT_AT_OPERAND = 1,                                        /* operand i: this + i */
    WEFT_AT_SCRATCH = WEFT_AT_OPERAND + WEFT_EPILOGUE_OPERANDS, /* scratch i: this + i */
    WEFT_EPILOGUE_PLACES = WEFT_AT_SCRATCH + WEFT_EPILOGUE_SCRATCH
};

typedef struct weft_epilogue_operand {
    int slot;          /* in weft_call.operand */
    bool one;          /* one element for all */
    int64_t stride[4]; /* elements between neighbours in N, D, H, W; all 0: one row of channels */
} weft_epilogue_operand;

typedef struct weft_epilogue_map {
    weft_map map;
    int inputs, in[WEFT_MAP_INPUTS], out; /* places */
} weft_epilogue_map;

typedef struct weft_epilogue_sums {
    weft_channel_sums kind;
    int in[WEFT_CHANNEL_OPERANDS]; /* places */
    int64_t offset; /* of the numbers of part 0, floats from the workspace's beginning */
} weft_epilogue_sums;

/* What a kernel does to a result before it stores it:
 *
 *     y -> clamp((y - center) * slope + shift + addend),  clamp(y) = min(max(y, 0), ceiling)
 *
 * where each part may be missing. The addend is laid out as the output and may be the output itself: an
 * element is read before it is written. As a prologue, without an addend, it is what a kernel does to its
 * first input as it reads it, so that nobody has to store the result; what is outside of the input stays 0. */
typedef struct weft_finish {
    const float *center, *slope, *shift; /* of channels, or NULL */
    const float *addend;                 /* or NULL */
    float ceiling;                       /* 0: no clamp; INFINITY: of negative values only */
} weft_finish;

/* The same as slots in weft_call.operand; 0: that part is missing. */
typedef struct weft_finish_slots {
    int center, slope, shift, addend;
    float ceiling;
} weft_finish_slots;

/* For the channels from `channel` on, addend included. Without slots: nothing to do. */
static inline weft_finish weft_finish_at(const weft_finish_slots *slots, const weft_call *call,
                                         int64_t channel)
{
    weft_finish f = {0};
    if (!slots)
        return f;
    if (slots->slope) {
        f.center = (const float *)call->operand[slots->center] + channel;
        f.slope = (const float *)call->operand[slots->slope] + channel;
        f.shift = (const float *)call->operand[slots->shift] + channel;
    }
    if (slots->addend)
        f.addend = (const float *)call->operand[slots->addend] + channel;
    f.ceiling = slots->ceiling;
    return f;
}

/* The same from another of its channels on. */
static inline weft_finish weft_finish_from(const weft_finish *f, int64_t channel)
{
    weft_finish g = *f;
    if (f->slope) {
        g.center += channel;
        g.slope += channel;
        g.shift += channel;
    }
    if (f->addend)
        g.addend += channel;
    return g;
}

typedef struct weft_epilogue {
    int operands;
    weft_epilogue_operand operand[WEFT_EPILOGUE_OPERANDS];
    int maps;
    weft_epilogue_map map[WEFT_EPILOGUE_MAPS];
    int sums;
    weft_epilogue_sums sum[WEFT_EPILOGUE_SUMS];
    weft_finish_slots finish; /* what the kernel itself does first, in registers */
    int64_t channels;         /* of the whole output */
    int workspace;            /* its slot, where there are sums */
    int64_t parts;            /* that the sums are made in */
    weft_pixels pixels;       /* of a chain: its operands */
    int64_t piece_pixels;     /* of a chain */
} weft_epilogue;

/* Finished pixels of one row, neighbours `step` elements apart in c, and some of their channels. */
typedef struct weft_epilogue_block {
    float *c;
    int64_t step, pixels;
    int64_t at[4], column_step; /* N, D, H, W of the first; W goes on by column_step */
    int64_t channel, channels;
    int64_t part; /* that the sums of this block belong to */
} weft_epilogue_block;

typedef struct weft_epilogue_kernels {
    /* Before the first block of a part: sets the numbers of these channels to 0. */
    void (*begin)(const weft_epilogue *epilogue, const weft_call *call, int64_t part,
                  int64_t channel, int64_t channels);
    void (*apply)(const weft_epilogue *epilogue, const weft_call *call,
                  const weft_epilogue_block *block);
    /* Fetches into the cache what apply will read and write beside the block, of `channels` of its channels
     * from number `channel` on: called while the block is computed. */
    void (*fetch)(const weft_epilogue *epilogue, const weft_call *call,
                  const weft_epilogue_block *block, int64_t channel, int64_t channels);
    weft_piece_fn *chain; /* a piece of a chain of maps; args: weft_epilogue; part: the piece */
} weft_epilogue_kernels;

WEFT_ISA_DECLARE(weft_epilogue_kernels, weft_epilogue_table);

static inline weft_finish weft_epilogue_finish(const weft_epilogue *e, const weft_call *call,
                                               int64_t channel)
{
    return weft_finish_at(e ? &e->finish : NULL, call, channel);
}

/* True where maps or sums follow. */
static inline bool weft_epilogue_follows(const weft_epilogue *e)
{
    return e && (e->maps || e->sums);
}

/* True where whatever the epilogue reads and writes goes on where rows of `row` pixels along W end, in
 * dimension d (of N, D, H, W). NULL: true. */
bool weft_epilogue_goes_on(const weft_epilogue *epilogue, int d, int64_t row);

/* Once a kernel with this epilogue knows its parts: sets them and the places of their numbers behind
 * `workspace` bytes of its own; returns the bytes in all. */
size_t weft_epilogue_workspace(weft_epilogue *epilogue, int64_t parts, size_t workspace);

#endif

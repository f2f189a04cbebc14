/* What a piece of direct convolution works on: a chunk of the reduction, for tiles of pixels one after the other. For vector
 * kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_DIRECT_PIECE_H
#define WEFT_KERNELS_CONVOLUTION_DIRECT_PIECE_H

#include "kernels/convolution_direct.h"
#include "kernels/finish.h"
#include "kernels/integer.h"

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

/* The band that is copied. */
typedef struct band {
    int64_t *offset;        /* of each step of the reduction */
    int64_t pitch, plane;   /* from row to row of it, from depth to depth */
    int64_t height, column; /* of the first pixel of c that reads it */
    int64_t end;            /* the tile after the last of a row that does */
} band;

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
    band band;
} piece_state;

/* Where a tile is: an image (or two), a row, and pixels of it. */
typedef struct place {
    int64_t image, images, depth, height, column, pixels;
} place;

#endif

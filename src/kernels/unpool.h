/* Values scattered to places of images that indices name, and gathered from there. */
#ifndef WEFT_KERNELS_UNPOOL_H
#define WEFT_KERNELS_UNPOOL_H

#include "weft/op.h"

/* Channels of a piece. */
enum { WEFT_UNPOOL_CHANNELS = 32 };

/* Images of dense pixels: `coarse` of them have values and indices, `fine` are indexed. */
typedef struct weft_unpool_args {
    int64_t images, coarse, fine, channels;
    int to; /* the output's number among the operands */
} weft_unpool_args;

/* x, indices, .. | y. A piece is some channels of one image: so values for one place are added up in the
 * order of their pixels. */
int64_t weft_unpool_pieces(const weft_unpool_args *args);
weft_piece_fn weft_unpool_scatter, weft_unpool_gather;

#endif

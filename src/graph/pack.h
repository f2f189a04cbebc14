/* Places intervals of a program's life in one arena: no two that live at once may overlap. */
#ifndef WEFT_GRAPH_PACK_H
#define WEFT_GRAPH_PACK_H

#include "base/pool.h"

/* Bytes needed from step `first` to step `last`, both inclusive. */
typedef struct weft_interval {
    int first, last;
    int64_t bytes;
    int64_t offset; /* result: a multiple of 64 */
} weft_interval;

typedef struct weft_packing {
    int64_t bytes; /* of the arena */
    int64_t bound; /* the largest sum of sizes (rounded up to 64) that live at one step */
} weft_packing;

/* Tries several orders of placement, each filling the lowest place with the most urgent interval that fits in it,
 * and keeps the best; stops when one reaches the bound. With `apart`, no two intervals share bytes at all. False
 * when memory is short. */
bool weft_pack(weft_context *context, weft_interval *interval, int count, bool apart,
               weft_packing *packing);

#endif

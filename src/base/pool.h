/* Many small allocations with one end: everything from a pool is released with it. */
#ifndef WEFT_BASE_POOL_H
#define WEFT_BASE_POOL_H

#include "weft/context.h"

typedef struct weft_pool {
    weft_context *context;
    struct weft_pool_chunk *chunk;
    size_t bytes; /* handed out so far */
} weft_pool;

static inline weft_pool weft_pool_begin(weft_context *context)
{
    return (weft_pool){.context = context};
}

/* Zeroed storage, aligned to 64 bytes; NULL when memory is short. */
void *weft_pool_allocate(weft_pool *pool, size_t bytes);
/* As above for count elements. */
void *weft_pool_array(weft_pool *pool, size_t count, size_t element);
/* Makes room for allocations that take `bytes` in all and will be much used (see weft_allocate_large).
 * False when memory is short. */
bool weft_pool_reserve(weft_pool *pool, size_t bytes);
void weft_pool_release(weft_pool *pool);

/* How far a pool is filled. */
typedef struct weft_pool_mark {
    struct weft_pool_chunk *chunk;
    size_t used, bytes;
} weft_pool_mark;

weft_pool_mark weft_pool_here(const weft_pool *pool);
/* Gives back all that was allocated and reserved since. */
void weft_pool_rewind(weft_pool *pool, weft_pool_mark mark);

#endif

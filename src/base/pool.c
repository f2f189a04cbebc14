#include "base/pool.h"

#include "base/memory.h"

#include <string.h>

struct weft_pool_chunk {
    struct weft_pool_chunk *next;
    size_t bytes, used;
};

/* Under the address sanitizer every allocation is a chunk of its own, which it can put red zones around; a
 * failing allocator can then fail each of them, too. */
#ifdef __SANITIZE_ADDRESS__
enum { HEADER = WEFT_ALIGNMENT, CHUNK = HEADER };
#else
enum { HEADER = WEFT_ALIGNMENT, CHUNK = 64 * 1024 };
#endif

_Static_assert(sizeof(struct weft_pool_chunk) <= HEADER, "the header must keep the alignment");

static void *add_chunk(weft_pool *pool, struct weft_pool_chunk *chunk, size_t bytes)
{
    if (!chunk)
        return NULL;
    *chunk = (struct weft_pool_chunk){.next = pool->chunk, .bytes = bytes, .used = HEADER};
    pool->chunk = chunk;
    return chunk;
}

bool weft_pool_reserve(weft_pool *pool, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return false;
    size_t size = HEADER + bytes;
    if (CHUNK == HEADER || size <= CHUNK)
        return true;
    struct weft_pool_chunk *chunk = weft_allocate_large(pool->context, &size);
    if (chunk)
        memset(chunk, 0, size);
    return add_chunk(pool, chunk, size);
}

void *weft_pool_allocate(weft_pool *pool, size_t bytes)
{
    if (bytes > SIZE_MAX / 4)
        return NULL;
    size_t rounded = (size_t)weft_aligned((int64_t)bytes);
    struct weft_pool_chunk *chunk = pool->chunk;
    if (!chunk || chunk->bytes - chunk->used < rounded) {
        size_t size = HEADER + (rounded > CHUNK - HEADER ? rounded : CHUNK - HEADER);
        chunk = add_chunk(pool, weft_allocate(pool->context, size), size);
        if (!chunk)
            return NULL;
    }
    void *memory = (char *)chunk + chunk->used;
    chunk->used += rounded;
    pool->bytes += rounded;
    return memory;
}

void *weft_pool_array(weft_pool *pool, size_t count, size_t element)
{
    size_t bytes;
    return __builtin_mul_overflow(count, element, &bytes) ? NULL : weft_pool_allocate(pool, bytes);
}

weft_pool_mark weft_pool_here(const weft_pool *pool)
{
    return (weft_pool_mark){pool->chunk, pool->chunk ? pool->chunk->used : 0, pool->bytes};
}

void weft_pool_rewind(weft_pool *pool, weft_pool_mark mark)
{
    while (pool->chunk != mark.chunk) {
        struct weft_pool_chunk *next = pool->chunk->next;
        weft_release(pool->context, pool->chunk, pool->chunk->bytes);
        pool->chunk = next;
    }
    if (mark.chunk) {
        memset((char *)mark.chunk + mark.used, 0, mark.chunk->used - mark.used);
        mark.chunk->used = mark.used;
    }
    pool->bytes = mark.bytes;
}

void weft_pool_release(weft_pool *pool)
{
    weft_pool_rewind(pool, (weft_pool_mark){0});
}

#include "base/pool.h"

#include "base/memory.h"

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

void *weft_pool_allocate(weft_pool *pool, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (bytes + WEFT_ALIGNMENT - 1) / WEFT_ALIGNMENT * WEFT_ALIGNMENT;
    struct weft_pool_chunk *chunk = pool->chunk;
    if (!chunk || chunk->bytes - chunk->used < rounded) {
        size_t size = HEADER + (rounded > CHUNK - HEADER ? rounded : CHUNK - HEADER);
        chunk = weft_allocate(pool->context, size);
        if (!chunk)
            return NULL;
        *chunk = (struct weft_pool_chunk){.next = pool->chunk, .bytes = size, .used = HEADER};
        pool->chunk = chunk;
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

void weft_pool_release(weft_pool *pool)
{
    while (pool->chunk) {
        struct weft_pool_chunk *next = pool->chunk->next;
        weft_release(pool->context, pool->chunk, pool->chunk->bytes);
        pool->chunk = next;
    }
    pool->bytes = 0;
}

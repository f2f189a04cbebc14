/* Memory through the context's allocator. */
#ifndef WEFT_BASE_MEMORY_H
#define WEFT_BASE_MEMORY_H

#include "weft/context.h"

enum { WEFT_ALIGNMENT = 64 };

_Static_assert(sizeof(size_t) == 8, "sizes are of 64 bits");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files and random numbers are little-endian");

/* More than any machine has. A program whose steps read and write more, and a state of more, is refused, so that no sum
 * of sizes overflows, with copies and the workspace of kernels in it. */
#define WEFT_MOST_BYTES (INT64_MAX / 64)

/* What so many bytes take, if the next ones are to be aligned. */
static inline int64_t weft_aligned(int64_t bytes)
{
    return (bytes + WEFT_ALIGNMENT - 1) / WEFT_ALIGNMENT * WEFT_ALIGNMENT;
}

/* bytes of storage aligned to 64, zeroed; NULL when memory is short, or context NULL. 0 bytes ask for 1. */
void *weft_allocate(weft_context *context, size_t bytes);
/* As above for count elements, checked for overflow. */
void *weft_allocate_array(weft_context *context, size_t count, size_t element);
/* Not zeroed, with another alignment. */
void *weft_allocate_raw(weft_context *context, size_t bytes, size_t alignment);
/* Not zeroed, for much data: on huge pages where the system has them and a page is filled, because page faults
 * and misses of the TLB cost a training step 10% and more. *bytes becomes what was allocated. */
void *weft_allocate_large(weft_context *context, size_t *bytes);
/* Gives back what was allocated with the same byte count; memory may be NULL. */
void weft_release(weft_context *context, void *memory, size_t bytes);
void weft_release_array(weft_context *context, void *memory, size_t count, size_t element);

/* Makes room for `need` elements in a growing array: *memory and *capacity change together. False
 * when memory is short; the array is then as before. New elements are zeroed. */
bool weft_grow(weft_context *context, void **memory, size_t *capacity, size_t need, size_t element);

#endif

/* A context holds what must outlive a call and is not a graph: the allocator and the thread count.
 */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include "weft/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_context weft_context;

/* Where memory comes from. allocate returns bytes of storage aligned to alignment (a power of two,
 * at least 16), or NULL; release gets back what allocate returned with the same byte count, never
 * NULL. Both may be called from any thread that calls weft with this context. */
typedef struct weft_allocator {
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void (*release)(void *user, void *memory, size_t bytes);
    void *user;
} weft_allocator;

typedef struct weft_context_options {
    weft_allocator allocator; /* zero: the C library's heap */
    int threads;              /* of a program run; 0: one for each processor the process may use */
} weft_context_options;

/* Makes a context; NULL when memory is short or threads is negative. options may be NULL. */
WEFT_API weft_context *weft_context_create(const weft_context_options *options);

/* Releases the context; everything made with it must be gone. NULL is allowed. */
WEFT_API void weft_context_destroy(weft_context *context);

WEFT_API int weft_context_threads(const weft_context *context);

/* The version of the library, as "major.minor.patch". */
WEFT_API const char *weft_version(void);

/* The instruction set that the kernels were chosen for: "avx512", "avx2" or "baseline". The
 * variable WEFT_ISA in the environment, read once, selects a lower one than the processor offers.
 * It decides how sums are rounded; so does the second-level cache where it is below 1 MiB, since
 * blocks are cut to it. WEFT_L2, read once, says another size in bytes than the system does. */
WEFT_API const char *weft_instruction_set(void);

#ifdef __cplusplus
}
#endif
#endif

/* An allocator for tests: counts, and fails on request. */
#ifndef WEFT_TESTS_ALLOCATOR_H
#define WEFT_TESTS_ALLOCATOR_H

#include "weft/context.h"

typedef struct test_allocator {
    int64_t fail_at;   /* the request, from 1, that gets NULL; 0: none */
    bool fail_onwards; /* and all after it */
    int64_t requests;
    int64_t failed;
    int64_t live_blocks, live_bytes;
    int64_t wrong_releases; /* with another byte count than the block's, or of no block at all */
} test_allocator;

/* The context options of a context on this allocator with one thread. */
weft_context_options test_allocator_options(test_allocator *allocator);

/* Calls of malloc, calloc, realloc and the aligned ones by the whole process so far; -1 where they
 * cannot be counted (under a sanitizer). */
int64_t test_heap_calls(void);

#endif

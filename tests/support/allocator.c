#include "support/allocator.h"

#include <stdlib.h>
#include <string.h>

/* In front of each block, so that releases can be checked. */
typedef struct block {
    size_t bytes;
    void *start; /* of what the heap gave */
    uint64_t mark;
} block;

enum { MARK = 0x77656674 };

static void *allocate(void *user, size_t bytes, size_t alignment)
{
    test_allocator *a = user;
    a->requests++;
    if (a->fail_at &&
        (a->requests == a->fail_at || (a->fail_onwards && a->requests > a->fail_at))) {
        a->failed++;
        return NULL;
    }
    char *start = malloc(sizeof(block) + alignment + bytes);
    if (!start)
        abort();
    uintptr_t address = (uintptr_t)start + sizeof(block);
    char *memory = (char *)((address + alignment - 1) / alignment * alignment);
    block header = {bytes, start, MARK};
    memcpy(memory - sizeof(header), &header, sizeof(header));
    /* What the library reads without having written shows. */
    memset(memory, 0xA5, bytes);
    a->live_blocks++;
    a->live_bytes += (int64_t)bytes;
    return memory;
}

static void release(void *user, void *memory, size_t bytes)
{
    test_allocator *a = user;
    block header;
    memcpy(&header, (char *)memory - sizeof(header), sizeof(header));
    if (header.mark != MARK || header.bytes != bytes) {
        a->wrong_releases++;
        return;
    }
    a->live_blocks--;
    a->live_bytes -= (int64_t)bytes;
    memset((char *)memory - sizeof(header), 0, sizeof(header));
    memset(memory, 0x5A, bytes);
    free(header.start);
}

weft_context_options test_allocator_options(test_allocator *allocator)
{
    return (weft_context_options){.allocator = {allocate, release, allocator}, .threads = 1};
}

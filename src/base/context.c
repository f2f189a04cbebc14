#include "base/memory.h"

#include "config.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct weft_context {
    weft_allocator allocator;
    int threads;
};

static void *heap_allocate(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    void *memory = NULL;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void heap_release(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

static int available_processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

weft_context *weft_context_create(const weft_context_options *options)
{
    weft_context_options chosen = options ? *options : (weft_context_options){0};
    if (chosen.threads < 0)
        return NULL;
    if (!chosen.allocator.allocate || !chosen.allocator.release)
        chosen.allocator = (weft_allocator){heap_allocate, heap_release, NULL};
    weft_context *context = chosen.allocator.allocate(chosen.allocator.user, sizeof(*context), 16);
    if (!context)
        return NULL;
    context->allocator = chosen.allocator;
#ifdef WEFT_HAVE_OPENMP
    context->threads = chosen.threads ? chosen.threads : available_processors();
#else
    (void)available_processors;
    context->threads = 1;
#endif
    return context;
}

void weft_context_destroy(weft_context *context)
{
    if (context)
        context->allocator.release(context->allocator.user, context, sizeof(*context));
}

int weft_context_threads(const weft_context *context)
{
    return context->threads;
}

const char *weft_version(void)
{
    return WEFT_VERSION;
}

void *weft_allocate_raw(weft_context *context, size_t bytes, size_t alignment)
{
    if (!context)
        return NULL;
    return context->allocator.allocate(context->allocator.user, bytes ? bytes : 1, alignment);
}

void *weft_allocate_large(weft_context *context, size_t *bytes)
{
    enum { HUGE_PAGE = 2 * 1024 * 1024 };
    size_t alignment = *bytes >= HUGE_PAGE ? HUGE_PAGE : WEFT_ALIGNMENT;
    if (*bytes > SIZE_MAX - alignment)
        return NULL;
    *bytes = (*bytes + alignment - 1) / alignment * alignment;
    void *memory = weft_allocate_raw(context, *bytes, alignment);
#ifdef MADV_HUGEPAGE
    if (memory && alignment == HUGE_PAGE)
        (void)madvise(memory, *bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

void *weft_allocate(weft_context *context, size_t bytes)
{
    void *memory = weft_allocate_raw(context, bytes, WEFT_ALIGNMENT);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void *weft_allocate_array(weft_context *context, size_t count, size_t element)
{
    size_t bytes;
    return __builtin_mul_overflow(count, element, &bytes) ? NULL : weft_allocate(context, bytes);
}

void weft_release(weft_context *context, void *memory, size_t bytes)
{
    if (memory)
        context->allocator.release(context->allocator.user, memory, bytes ? bytes : 1);
}

void weft_release_array(weft_context *context, void *memory, size_t count, size_t element)
{
    weft_release(context, memory, count * element);
}

bool weft_grow(weft_context *context, void **memory, size_t *capacity, size_t need, size_t element)
{
    if (need <= *capacity)
        return true;
    size_t wider = *capacity < 8 ? 8 : *capacity * 2;
    if (wider < need)
        wider = need;
    void *grown = weft_allocate_array(context, wider, element);
    if (!grown)
        return false;
    if (*capacity)
        memcpy(grown, *memory, *capacity * element);
    weft_release_array(context, *memory, *capacity, element);
    *memory = grown;
    *capacity = wider;
    return true;
}

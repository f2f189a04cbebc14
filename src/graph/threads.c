#include "graph/threads.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

static inline void pause_briefly(void)
{
#if defined(__SSE2__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void weft_barrier_wait(weft_barrier *barrier)
{
    enum { SPINS = 2000 }; /* about 100 microseconds */
    if (barrier->threads == 1)
        return;
    int round = atomic_load_explicit(&barrier->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 ==
        barrier->threads) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
        return;
    }
    for (int spin = 0; atomic_load_explicit(&barrier->round, memory_order_acquire) == round; spin++)
        if (barrier->yield || spin > SPINS)
            sched_yield();
        else
            pause_briefly();
}

#if defined(__SSE2__)
enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };
#endif

static int nth_processor(const cpu_set_t *processors, int index)
{
    int count = CPU_COUNT(processors);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, processors) && seen++ == index % count)
            return cpu;
    return -1;
}

void weft_thread_enter(weft_thread_mode *mode, const cpu_set_t *processors, int index, bool bind,
                       bool flush_denormals)
{
    *mode = (weft_thread_mode){0};
#if defined(__SSE2__)
    mode->control = _mm_getcsr();
    if (flush_denormals)
        _mm_setcsr(mode->control | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
#else
    (void)flush_denormals;
#endif
    int cpu = bind ? nth_processor(processors, index) : -1;
    if (cpu < 0 || sched_getaffinity(0, sizeof(mode->mask), &mode->mask) != 0)
        return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    mode->bound = sched_setaffinity(0, sizeof(one), &one) == 0;
}

void weft_thread_leave(const weft_thread_mode *mode)
{
#if defined(__SSE2__)
    _mm_setcsr(mode->control);
#endif
    if (mode->bound)
        (void)sched_setaffinity(0, sizeof(mode->mask), &mode->mask);
}

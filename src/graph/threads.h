/* What the executor needs of threads: a barrier, and the mode of the calling thread during a run. */
#ifndef WEFT_GRAPH_THREADS_H
#define WEFT_GRAPH_THREADS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

/* All threads of a run wait here for each other. They spin: a step is short. */
typedef struct weft_barrier {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int round;
    int threads;
    bool yield; /* more threads than processors: spinning would hold up those that are to come */
} weft_barrier;

void weft_barrier_wait(weft_barrier *barrier);

/* The caller's processor mask and floating-point mode, put back when a run ends. */
typedef struct weft_thread_mode {
    cpu_set_t mask;
    unsigned control;
    bool bound;
} weft_thread_mode;

/* Flushes denormals where asked to (float32 kernels lose nothing they could resolve, and denormal
 * arithmetic is a hundred times slower), and binds the calling thread to the index-th processor of its
 * mask where `bind`. */
void weft_thread_enter(weft_thread_mode *mode, const cpu_set_t *processors, int index, bool bind,
                       bool flush_denormals);
void weft_thread_leave(const weft_thread_mode *mode);

#endif

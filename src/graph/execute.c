/* The executor: one parallel region a run. Threads draw pieces of a task from the counters of its shares; a barrier
 * stands before a task that depends on one since the last barrier. */
#include "base/clock.h"
#include "graph/program.h"
#include "graph/threads.h"

#include "config.h"

#include <math.h>
#include <string.h>
#ifdef WEFT_HAVE_OPENMP
#include <omp.h>
#include <pthread.h>
#endif

typedef struct execution {
    weft_program *program;
    const weft_run_info *info;
    weft_barrier barrier;
    cpu_set_t processors;
    bool bind;
    int first_task; /* past those that are hoisted, where what they make is there */
    int end_task;
    atomic_int bad_step; /* -1: none */
    double started;      /* of the step, when profiling */
} execution;

static void run_piece(const execution *e, const weft_task *task, const weft_call *call,
                      int64_t piece)
{
    task->run(call, piece);
    for (int next = 1; next < task->chain; next++) {
        weft_call following = task[next].call;
        following.info = e->info;
        following.thread = call->thread;
        task[next].run(&following, 0);
    }
}

/* Pieces of a share are drawn in order, so a thread that finds none left in any is done with the task. It begins
 * with its own: neighbouring pieces tend to lie in the cache of the thread that made what they read. */
static void run_task(execution *e, int index, int thread)
{
    weft_program *program = e->program;
    const weft_task *task = &program->task[index];
    int shares = weft_shares(program);
    weft_call call = task->call;
    call.info = e->info;
    call.thread = thread;
    for (int i = 0; i < shares; i++) {
        int share = (thread + i) % shares;
        int64_t first = task->pieces * share / shares;
        int64_t pieces = task->pieces * (share + 1) / shares - first;
        _Atomic int64_t *counter = &program->counter[share * program->tasks + index];
        while (atomic_load_explicit(counter, memory_order_relaxed) < pieces) {
            int64_t piece = atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
            if (piece < pieces)
                run_piece(e, task, &call, first + piece);
        }
    }
}

static void run_tasks(execution *e, int thread)
{
    const weft_program *program = e->program;
    for (int i = e->first_task; i < e->end_task; i += program->task[i].chain) {
        if (program->task[i].wait && i > e->first_task)
            weft_barrier_wait(&e->barrier);
        run_task(e, i, thread);
    }
}

/* ---- Step by step, for poison, check_finite and profile ---- */

static bool is_finite(const weft_tensor *tensor, const void *data)
{
    if (tensor->dtype != WEFT_FLOAT32 && tensor->dtype != WEFT_FLOAT64)
        return true;
    for (int64_t i = 0, n = weft_tensor_elements(tensor); i < n; i++) {
        int64_t at = weft_tensor_offset(tensor, i);
        double element = tensor->dtype == WEFT_FLOAT32 ? (double)((const float *)data)[at]
                                                       : ((const double *)data)[at];
        if (!isfinite(element))
            return false;
    }
    return true;
}

static bool outputs_finite(const weft_program *program, const weft_step *step)
{
    for (int k = step->inputs; k < step->inputs + step->outputs; k++)
        if (!is_finite(&program->value[step->value[k]].tensor, step->operand[step->slot[k]]))
            return false;
    return true;
}

static void poison_freed(const weft_program *program, int step)
{
    for (int i = 0; i < program->slots; i++)
        if (program->slot[i].last == step)
            memset(program->arena + program->slot[i].offset, 0xFF, (size_t)program->slot[i].bytes);
}

/* What is kept is poisoned only before it is made anew, what lasts for a run only before that. */
static void poison_arena(const weft_program *program, bool prepare, bool begins)
{
    for (int i = 0; i < program->slots; i++) {
        const weft_slot *slot = &program->slot[i];
        if (slot->kept ? prepare : begins || !slot->lasting)
            memset(program->arena + slot->offset, 0xFF, (size_t)slot->bytes);
    }
}

/* What thread 0 does after the last task of a step, while the others wait. */
static void finish_step(execution *e, int task)
{
    weft_program *program = e->program;
    int index = program->task[task].step;
    bool complete = !weft_task_prepares(program, task);
    if (program->profile)
        program->step[index].seconds += weft_seconds() - e->started;
    if (complete && program->check_finite && !outputs_finite(program, &program->step[index]))
        atomic_store(&e->bad_step, index);
    if (complete && program->poison)
        poison_freed(program, index);
    e->started = weft_seconds();
}

static void run_stepwise(execution *e, int thread)
{
    const weft_program *program = e->program;
    for (int i = e->first_task; i < e->end_task && atomic_load(&e->bad_step) < 0; i++) {
        run_task(e, i, thread);
        weft_barrier_wait(&e->barrier);
        bool last = i + 1 == program->tasks || i + 1 == program->hoisted_tasks ||
                    program->task[i + 1].step != program->task[i].step;
        if (!last)
            continue;
        if (thread == 0)
            finish_step(e, i);
        weft_barrier_wait(&e->barrier);
    }
}

/* ---- The region ---- */

static void run_thread(execution *e, int thread)
{
    const weft_program *program = e->program;
    weft_thread_mode mode;
    weft_thread_enter(&mode, &e->processors, thread, e->bind, program->real == WEFT_FLOAT32);
    if (program->poison || program->check_finite || program->profile)
        run_stepwise(e, thread);
    else
        run_tasks(e, thread);
    weft_thread_leave(&mode);
}

#ifdef WEFT_HAVE_OPENMP
/* A process that was forked has none of the threads that its parent's runs made, and OpenMP would wait for them: its runs
 * have one thread, which gives the same bits. */
static atomic_bool forked;

static void note_fork(void)
{
    atomic_store(&forked, true);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, note_fork);
}

static bool may_have_teams(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return !atomic_load(&forked);
}
#endif

weft_status weft_execute(weft_program *program, const weft_run_info *info, int first, int end,
                         int *bad_step)
{
    uint64_t version = program->state->version;
    bool prepare = program->prepared_version != version, begins = first == 0 && info->part == 0;
    execution e = {.program = program,
                   .info = info,
                   .bad_step = -1,
                   .first_task = first > 0 || prepare ? first : program->hoisted_tasks,
                   .end_task = end,
                   .started = weft_seconds()};
    for (int i = 0; i < program->tasks * weft_shares(program); i++)
        atomic_store_explicit(&program->counter[i], 0, memory_order_relaxed);
    if (program->poison && first == 0)
        poison_arena(program, prepare, begins);
    for (int i = 0; i < program->steps && program->profile && begins; i++)
        program->step[i].seconds = 0;
#ifdef WEFT_HAVE_OPENMP
    int processors = 1;
    if (sched_getaffinity(0, sizeof(e.processors), &e.processors) == 0)
        processors = CPU_COUNT(&e.processors);
    bool free_threads = omp_get_proc_bind() == omp_proc_bind_false;
    e.barrier.yield = program->threads > processors;
    if (program->threads > 1 && may_have_teams()) {
        /* Each thread has a processor; those of two programs at once would meet on the same ones. */
        static atomic_int teams;
        bool alone = atomic_fetch_add(&teams, 1) == 0;
        bool fits = program->threads <= processors;
#pragma omp parallel num_threads(program->threads)
        {
#pragma omp single
            {
                e.barrier.threads = omp_get_num_threads();
                e.bind = alone && fits && free_threads && e.barrier.threads > 1;
            }
            run_thread(&e, omp_get_thread_num());
        }
        atomic_fetch_sub(&teams, 1);
    } else
#endif
    {
        e.barrier.threads = 1;
        run_thread(&e, 0);
    }
    *bad_step = atomic_load(&e.bad_step);
    program->prepared_version = *bad_step < 0 ? version : 0;
    return *bad_step < 0 ? WEFT_OK : WEFT_ERROR_NUMERIC;
}

#include "cli/machine.h"

#include "base/clock.h"
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef WEFT_HAVE_OPENMP
#include <omp.h>
#endif

/* Constraint of an operand of inline assembly in a vector register. */
#if defined(__aarch64__)
#define IN_REGISTER "w"
#else
#define IN_REGISTER "x"
#endif

typedef float vector __attribute__((vector_size(16)));
typedef float unaligned __attribute__((vector_size(16), aligned(4), may_alias));

/* ---- Trials ---- */

/* What a thread does in a trial. */
typedef void work_fn(const void *data, int thread);

/* Returns how many threads there were: OpenMP may start fewer. */
static int run_on_threads(int threads, work_fn *work, const void *data)
{
    int started = 1;
#ifdef WEFT_HAVE_OPENMP
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num();
        if (thread == 0)
            started = omp_get_num_threads();
        work(data, thread);
    }
#else
    (void)threads;
    work(data, 0);
#endif
    return started;
}

/* The best trial's, of all threads together, where each does so much in a trial. */
static double best_rate(const machine_trials *trials, work_fn *work, const void *data, double each)
{
    enum { FEWEST = 3 };
    double best = 0, began = trials->clock();
    for (int i = 0; i < FEWEST || trials->clock() - began < trials->seconds; i++) {
        double start = trials->clock();
        int threads = run_on_threads(trials->threads, work, data);
        best = fmax(best, threads * each / (trials->clock() - start));
    }
    return best;
}

/* ---- Multiply-adds ---- */

/* Twelve independent chains fill two pipelines of up to six cycles; volatile assembly, so that nothing is
 * folded away. */
enum { CHAINS = 12 };
#define EACH_CHAIN(step)                                                                           \
    step("%0") step("%1") step("%2") step("%3") step("%4") step("%5") step("%6") step("%7")        \
        step("%8") step("%9") step("%10") step("%11")
#define OPERANDS(constraint, c, a)                                                                 \
    : "+" constraint(c[0]), "+" constraint(c[1]), "+" constraint(c[2]), "+" constraint(c[3]),      \
      "+" constraint(c[4]), "+" constraint(c[5]), "+" constraint(c[6]), "+" constraint(c[7]),      \
      "+" constraint(c[8]), "+" constraint(c[9]), "+" constraint(c[10]), "+" constraint(c[11])     \
    : constraint(a)

#if defined(__x86_64__)
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));

#define FMA_STEP(to) "vfmadd231ps %12, %12, " to "\n\t"

__attribute__((target("avx512f"))) static void multiply_avx512(int64_t rounds)
{
    vector16 c[CHAINS] = {{0}}, a = {0};
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(EACH_CHAIN(FMA_STEP) OPERANDS("v", c, a));
}

__attribute__((target("avx2,fma"))) static void multiply_avx2(int64_t rounds)
{
    vector8 c[CHAINS] = {{0}}, a = {0};
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(EACH_CHAIN(FMA_STEP) OPERANDS("x", c, a));
}
#endif

/* Without a fused instruction: half of the chains multiply, half add. */
static void multiply_baseline(int64_t rounds)
{
    vector c[CHAINS] = {{0}}, a = {1, 1, 1, 1};
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++) {
            c[j] = j % 2 ? c[j] * a : c[j] + a;
            __asm__ volatile("" : "+" IN_REGISTER(c[j]));
        }
    }
}

typedef struct multiplier {
    const char *instruction_set;
    void (*run)(int64_t rounds);
    int operations; /* of a chain in a round */
} multiplier;

static const multiplier multipliers[] = {
    {"baseline", multiply_baseline, 4},
#if defined(__x86_64__)
    {"avx2", multiply_avx2, 16},
    {"avx512", multiply_avx512, 32},
#endif
};

typedef struct multiplication {
    const multiplier *by;
    int64_t rounds;
} multiplication;

static void multiply(const void *data, int thread)
{
    const multiplication *m = data;
    (void)thread;
    m->by->run(m->rounds);
}

double machine_multiply_adds(const char *instruction_set, const machine_trials *trials)
{
    enum { TRIAL_ROUNDS = 1 << 20 };
    multiplication m = {multipliers, (int64_t)TRIAL_ROUNDS * trials->length};
    for (size_t i = 0; i < sizeof(multipliers) / sizeof(multipliers[0]); i++)
        if (strcmp(multipliers[i].instruction_set, instruction_set) == 0)
            m.by = &multipliers[i];
    return best_rate(trials, multiply, &m, (double)(m.by->operations * CHAINS * m.rounds));
}

/* ---- Bandwidth ---- */

enum { STEP = 64 }; /* floats; arrays are multiples of it */

typedef void pass_fn(float *a, const float *b, const float *c, int64_t n);

static void read_pass(float *a, const float *b, const float *c, int64_t n)
{
    (void)a;
    (void)c;
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            __asm__ volatile("" : : IN_REGISTER(*(const unaligned *)(b + i + j)));
}

static void write_pass(float *a, const float *b, const float *c, int64_t n)
{
    (void)b;
    (void)c;
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            *(unaligned *)(a + i + j) = (unaligned){1};
    __asm__ volatile("" : : : "memory");
}

static void triad_pass(float *a, const float *b, const float *c, int64_t n)
{
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            *(unaligned *)(a + i + j) =
                *(const unaligned *)(b + i + j) + 3 * *(const unaligned *)(c + i + j);
    __asm__ volatile("" : : : "memory");
}

static const struct {
    pass_fn *run;
    int arrays; /* that it touches */
} passes[] = {
    [MACHINE_READ] = {read_pass, 1},
    [MACHINE_WRITE] = {write_pass, 1},
    [MACHINE_TRIAD] = {triad_pass, 3},
};

typedef struct stream {
    pass_fn *pass;
    float *data;
    int64_t n; /* floats of an array */
    int64_t rounds;
} stream;

/* A thread writes its own arrays first, so that they lie in memory near it. */
static void touch(const void *data, int thread)
{
    const stream *s = data;
    memset(s->data + 3 * s->n * thread, 0, (size_t)(3 * s->n) * sizeof(float));
}

static void move(const void *data, int thread)
{
    const stream *s = data;
    float *own = s->data + 3 * s->n * thread;
    for (int64_t i = 0; i < s->rounds; i++)
        s->pass(own, own + s->n, own + 2 * s->n, s->n);
}

double machine_bandwidth(machine_traffic traffic, int64_t bytes, const machine_trials *trials)
{
    enum { TRIAL_BYTES = 48 << 20 }; /* at least, of a thread */
    stream s = {.pass = passes[traffic].run,
                .n = bytes / 3 / (int64_t)sizeof(float) / STEP * STEP,
                .rounds = 1 + (int64_t)TRIAL_BYTES * trials->length / bytes};
    s.data = machine_allocate((size_t)(3 * s.n * trials->threads) * sizeof(float));
    if (!s.data)
        return 0;
    run_on_threads(trials->threads, touch, &s);
    double moved = (double)(s.n * passes[traffic].arrays * s.rounds) * sizeof(float);
    double rate = best_rate(trials, move, &s, moved);
    free(s.data);
    return rate;
}

/* ---- Both ---- */

/* More threads than processors raise no limit, and each would have arrays of its own. */
static int useful_threads(int threads)
{
#ifdef WEFT_HAVE_OPENMP
    int most = omp_get_num_procs();
#else
    int most = 1;
#endif
    return threads < most ? threads : most;
}

bool machine_roof(int threads, weft_roof *roof)
{
    /* More than caches of the last level hold. */
    enum { ALL_BYTES = 192 << 20, THREAD_BYTES = 24 << 20 };
    threads = useful_threads(threads);
    int64_t bytes = ALL_BYTES / threads > THREAD_BYTES ? ALL_BYTES / threads : THREAD_BYTES;
    machine_trials trials = {
        .threads = threads, .length = 1, .seconds = 0.08, .clock = weft_seconds};
    roof->flops = machine_multiply_adds(weft_instruction_set(), &trials);
    roof->bytes = machine_bandwidth(MACHINE_TRIAD, bytes, &trials);
    return roof->bytes > 0;
}

void *machine_allocate(size_t bytes)
{
    enum { HUGE_PAGE = 2 << 20 };
    size_t mapped = (bytes + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
    void *data = aligned_alloc(HUGE_PAGE, mapped);
#ifdef MADV_HUGEPAGE
    if (data)
        (void)madvise(data, mapped, MADV_HUGEPAGE);
#endif
    return data;
}

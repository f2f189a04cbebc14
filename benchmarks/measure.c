#include "measure.h"

#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static bool processor_time;

void measure_processor_time(void)
{
    processor_time = true;
}

double measure_seconds(void)
{
    struct timespec t;
    clock_gettime(processor_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    double seconds = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    return processor_time ? seconds / omp_get_max_threads() : seconds;
}

int measure_threads(int wanted)
{
    static cpu_set_t all; /* before the first call bound its caller */
    if (CPU_COUNT(&all) == 0)
        sched_getaffinity(0, sizeof all, &all);
    int processors = CPU_COUNT(&all);
    int threads = wanted > 0 && wanted < processors ? wanted : processors;
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
#pragma omp parallel
    {
        int place = omp_get_thread_num(), cpu = 0;
        for (;; cpu++)
            if (CPU_ISSET(cpu, &all) && place-- == 0)
                break;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    return threads;
}

/* Twelve independent chains fill two pipelines of up to six cycles; volatile assembly, so that nothing is
 * folded away. Returns the floating-point operations done. */
#define CHAINS(step)                                                                               \
    step("%0") step("%1") step("%2") step("%3") step("%4") step("%5") step("%6") step("%7")        \
        step("%8") step("%9") step("%10") step("%11")
#define OPERANDS(constraint, c, a)                                                                 \
    : "+" constraint(c[0]), "+" constraint(c[1]), "+" constraint(c[2]), "+" constraint(c[3]),      \
      "+" constraint(c[4]), "+" constraint(c[5]), "+" constraint(c[6]), "+" constraint(c[7]),      \
      "+" constraint(c[8]), "+" constraint(c[9]), "+" constraint(c[10]), "+" constraint(c[11])     \
    : constraint(a)

#if defined(__x86_64__)
typedef float v8 __attribute__((vector_size(32)));
typedef float v16 __attribute__((vector_size(64)));

#define FMA_STEP(to) "vfmadd231ps %12, %12, " to "\n\t"

__attribute__((target("avx512f"))) static double multiply_avx512(int64_t rounds)
{
    v16 c[12] = {{0}}, a = {0};
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(CHAINS(FMA_STEP) OPERANDS("v", c, a));
    return (double)rounds * 12 * 32;
}

__attribute__((target("avx2,fma"))) static double multiply_avx2(int64_t rounds)
{
    v8 c[12] = {{0}}, a = {0};
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(CHAINS(FMA_STEP) OPERANDS("x", c, a));
    return (double)rounds * 12 * 16;
}
#endif

/* Without a fused instruction: half of the chains multiply, half add. */
static double multiply_baseline(int64_t rounds)
{
    typedef float vector __attribute__((vector_size(16)));
    vector c[12] = {{0}}, a = {1, 1, 1, 1};
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++) {
            c[j] = j % 2 ? c[j] * a : c[j] + a;
            __asm__ volatile("" : "+" IN_REGISTER(c[j]));
        }
    }
    return (double)rounds * 12 * 4;
}

double measure_peak(weft_isa isa)
{
    double (*multiply)(int64_t) = multiply_baseline;
#if defined(__x86_64__)
    if (isa == WEFT_ISA_LEVEL_AVX2)
        multiply = multiply_avx2;
    if (isa == WEFT_ISA_LEVEL_AVX512)
        multiply = multiply_avx512;
#endif
    double best = 0;
    for (int repeat = 0; repeat < 7; repeat++) {
        double operations = 0, start = measure_seconds();
#pragma omp parallel reduction(+ : operations)
        operations += multiply(10000000);
        double rate = operations / (measure_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

enum { HUGE_PAGE = 2 << 20 };

static size_t mapped(int64_t n)
{
    return ((size_t)n * sizeof(float) + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
}

float *measure_floats(int64_t n)
{
    float *data = aligned_alloc(HUGE_PAGE, mapped(n));
    if (!data) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    madvise(data, mapped(n), MADV_HUGEPAGE);
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((uint32_t)i * 2654435761u >> 16 & 255) / 128.0f - 1;
    return data;
}

double measure_copy(void)
{
    const int64_t n = 16 << 20;
    int threads = omp_get_max_threads();
    float *data = measure_floats(2 * n * threads);
    double best = 0;
    for (int repeat = 0; repeat < 5; repeat++) {
        double start = measure_seconds();
#pragma omp parallel
        {
            float *own = data + 2 * n * omp_get_thread_num();
            memcpy(own, own + n, (size_t)n * sizeof *own);
        }
        double bytes = 2.0 * (double)(n * threads) * sizeof *data;
        double rate = bytes / (measure_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    free(data);
    return best;
}

void measure_run(const weft_kernel_plan *plan, void *const *operand)
{
    weft_call call = {.args = plan->args, .operand = operand};
    atomic_llong next[WEFT_PLAN_PHASES];
    for (int phase = 0; phase < plan->phases; phase++)
        atomic_init(&next[phase], 0);
#pragma omp parallel
    for (int phase = 0; phase < plan->phases; phase++) {
        for (int64_t piece;
             (piece = atomic_fetch_add(&next[phase], 1)) < plan->phase[phase].pieces;)
            plan->phase[phase].run(&call, piece);
#pragma omp barrier
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_median(void (*run)(const void *data), const void *data, double seconds)
{
    enum { MOST = 1000 };
    double time[MOST], total = 0;
    int runs = 0;
    run(data);
    for (; runs < MOST && (runs < 3 || total < seconds); runs++) {
        double start = measure_seconds();
        run(data);
        total += time[runs] = measure_seconds() - start;
    }
    qsort(time, (size_t)runs, sizeof *time, by_value);
    return time[processor_time ? 0 : runs / 2];
}

typedef struct planned {
    const weft_kernel_plan *plan;
    void *const *operand;
} planned;

static void run_planned(const void *data)
{
    const planned *p = data;
    measure_run(p->plan, p->operand);
}

double measure_plan(const weft_kernel_plan *plan, void *const *operand, double seconds)
{
    return measure_median(run_planned, &(planned){plan, operand}, seconds);
}

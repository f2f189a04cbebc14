/* The machine's own limits, which other benchmarks are held against: multiply-adds in registers for each
 * instruction set, and bandwidth of arrays that fit each level of the caches and none.
 *
 *     peak [--threads N]
 */
#include "measure.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef float vector __attribute__((vector_size(16), aligned(4), may_alias));

enum { STEP = 64, MIB = 1 << 18 }; /* floats */

/* Each works on `n` floats of its own, a multiple of STEP. */
typedef void pass_fn(float *a, const float *b, const float *c, int64_t n);

static void read_pass(float *a, const float *b, const float *c, int64_t n)
{
    (void)a;
    (void)c;
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            __asm__ volatile("" : : IN_REGISTER(*(const vector *)(b + i + j)));
}

static void write_pass(float *a, const float *b, const float *c, int64_t n)
{
    (void)b;
    (void)c;
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            *(vector *)(a + i + j) = (vector){1};
    __asm__ volatile("" : : : "memory");
}

static void triad_pass(float *a, const float *b, const float *c, int64_t n)
{
    for (int64_t i = 0; i < n; i += STEP)
#pragma GCC unroll 16
        for (int j = 0; j < STEP; j += 4)
            *(vector *)(a + i + j) =
                *(const vector *)(b + i + j) + 3 * *(const vector *)(c + i + j);
    __asm__ volatile("" : : : "memory");
}

/* GB/s of all threads together; each has arrays of `n` floats. */
static double bandwidth(pass_fn *pass, int arrays, int threads, int64_t n)
{
    double best = 0;
    float *data = measure_floats(3 * n * threads);
    int64_t rounds = 1 + (64 * MIB) / n;
    for (int repeat = 0; repeat < 5; repeat++) {
        double start = measure_seconds();
#pragma omp parallel
        {
            float *own = data + 3 * n * omp_get_thread_num();
            for (int64_t i = 0; i < rounds; i++)
                pass(own, own + n, own + 2 * n, n);
        }
        double bytes = (double)(n * arrays * threads * rounds) * sizeof(float);
        double rate = bytes / (measure_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    free(data);
    return best;
}

int main(int argc, char **argv)
{
    int wanted = argc == 3 && strcmp(argv[1], "--threads") == 0 ? atoi(argv[2]) : 0;
    int all = measure_threads(wanted);
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    static const struct {
        const char *name;
        int64_t floats;
    } sizes[] = {
        {"24 KiB", 6 << 10}, {"768 KiB", 192 << 10}, {"12 MiB", 12 * MIB}, {"192 MiB", 192 * MIB}};

    for (int threads = 1; threads <= all; threads += all > 1 ? all - 1 : 1) {
        measure_threads(threads);
        printf("%d threads\n", threads);
        for (int level = 0; level <= (int)weft_isa_level(); level++)
            printf("  multiply-adds, %-9s %8.1f GFLOP/s\n", isa[level],
                   measure_peak((weft_isa)level));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int64_t n = sizes[i].floats / 3 / STEP * STEP;
            printf("  %-8s a thread: read %6.1f, write %6.1f, triad %6.1f GB/s\n", sizes[i].name,
                   bandwidth(read_pass, 1, threads, n), bandwidth(write_pass, 1, threads, n),
                   bandwidth(triad_pass, 3, threads, n));
        }
    }
    return 0;
}

/* The machine's own limits, which other benchmarks are held against: multiply-adds in registers for each
 * instruction set, and bandwidth of arrays that fit each level of the caches and none.
 *
 *     peak [--threads N]
 */
#include "kernels/isa.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    bool has_threads = argc == 3 && strcmp(argv[1], "--threads") == 0;
    if (argc > 1 && !has_threads) {
        fprintf(stderr, "peak: takes --threads N, not %s\n", argv[1]);
        return 2;
    }
    int all = measure_threads(has_threads ? atoi(argv[2]) : 0);
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    static const struct {
        const char *name;
        int64_t bytes;
    } sizes[] = {{"24 KiB", 24 << 10},
                 {"768 KiB", 768 << 10},
                 {"12 MiB", 12 << 20},
                 {"192 MiB", MEASURE_MEMORY_BYTES}};

    for (int threads = 1; threads <= all; threads += all > 1 ? all - 1 : 1) {
        measure_threads(threads);
        printf("%d threads\n", threads);
        for (int level = 0; level <= (int)weft_isa_level(); level++)
            printf("  multiply-adds, %-9s %8.1f GFLOP/s\n", isa[level],
                   measure_multiply_adds(isa[level]));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            printf("  %-8s a thread: read %6.1f, write %6.1f, triad %6.1f GB/s\n", sizes[i].name,
                   measure_bandwidth(MACHINE_READ, sizes[i].bytes),
                   measure_bandwidth(MACHINE_WRITE, sizes[i].bytes),
                   measure_bandwidth(MACHINE_TRIAD, sizes[i].bytes));
    }
    return 0;
}

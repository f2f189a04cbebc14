/* The machine's own limits, which profiles and benchmarks are held against: multiply-adds in registers, and
 * bytes to and from arrays that lie in some level of the caches or in none. */
#ifndef WEFT_CLI_MACHINE_H
#define WEFT_CLI_MACHINE_H

#include "weft/program.h"

/* How a limit is measured: the best of as many trials as fit into `seconds`, three at least. Short ones find
 * the moments in which nobody else disturbs; a clock of processor time needs longer ones. */
typedef struct machine_trials {
    int threads; /* at once, as far as OpenMP starts them; bound by the caller, or not at all */
    int length;  /* of a trial, in milliseconds or two */
    double seconds;
    double (*clock)(void); /* seconds from any beginning */
} machine_trials;

typedef enum machine_traffic { MACHINE_READ, MACHINE_WRITE, MACHINE_TRIAD } machine_traffic;

/* Flops a second (2 a multiply-add) of all threads together, by an instruction set that the processor has, as
 * weft_instruction_set calls it. */
double machine_multiply_adds(const char *instruction_set, const machine_trials *trials);

/* Bytes a second of all threads together, where each has so many bytes of its own, three arrays; it reads one,
 * writes one, or adds two into the third. 0 when memory is short. */
double machine_bandwidth(machine_traffic traffic, int64_t bytes, const machine_trials *trials);

/* By the wall clock, in a quarter of a second: multiply-adds of the kernels' instruction set, triad in memory.
 * Threads beyond the processors are left out. False when memory is short. */
bool machine_roof(int threads, weft_roof *roof);

/* On huge pages where there are any; what is in it is arbitrary. For free(); NULL when memory is short. */
void *machine_allocate(size_t bytes);

#endif

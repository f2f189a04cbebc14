/* What the benchmarks share: time, the machine's own limits, memory, running a plan on threads. */
#ifndef WEFT_BENCHMARKS_MEASURE_H
#define WEFT_BENCHMARKS_MEASURE_H

#include "cli/machine.h"
#include "kernels/plan.h"

/* By the wall clock; or, after measure_processor_time(), the time that the processors spent on this
 * program, divided by its threads: for a machine that others use, too (set OMP_WAIT_POLICY=passive). */
double measure_seconds(void);
void measure_processor_time(void);

/* Binds each of the threads to a processor of its own; returns their number. */
int measure_threads(int wanted);

/* The limits of src/cli/machine.h on these threads: GFLOP/s by an instruction set, and GB/s where each thread
 * has so many bytes; exits when memory is short. */
double measure_multiply_adds(const char *instruction_set);
double measure_bandwidth(machine_traffic traffic, int64_t bytes);
enum { MEASURE_MEMORY_BYTES = 192 << 20 }; /* of a thread: more than caches hold */

/* Floats on huge pages where there are any, filled with small values, for free(); exits when
 * memory is short. */
float *measure_floats(int64_t n);

/* Runs the phases of the plan on all threads, which draw pieces from a counter. */
void measure_run(const weft_kernel_plan *plan, void *const *operand);

/* Median seconds of a run (of processor time: the least), over about `seconds` in all and at least 3
 * runs, after one to warm up. */
double measure_median(void (*run)(const void *data), const void *data, double seconds);

/* The same of a plan. */
double measure_plan(const weft_kernel_plan *plan, void *const *operand, double seconds);

#endif

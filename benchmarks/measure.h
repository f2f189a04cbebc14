/* What the benchmarks share: time, the machine's own limits, memory, running a plan on threads. */
#ifndef WEFT_BENCHMARKS_MEASURE_H
#define WEFT_BENCHMARKS_MEASURE_H

#include "kernels/isa.h"
#include "kernels/plan.h"

/* Constraint of an operand of inline assembly in a vector register. */
#if defined(__aarch64__)
#define IN_REGISTER "w"
#else
#define IN_REGISTER "x"
#endif

/* By the wall clock; or, after measure_processor_time(), the time that the processors spent on this
 * program, divided by its threads: for a machine that others use, too (set OMP_WAIT_POLICY=passive). */
double measure_seconds(void);
void measure_processor_time(void);

/* Binds each of the threads to a processor of its own; returns their number. */
int measure_threads(int wanted);

/* Multiply-adds in registers, GFLOP/s (2 a multiply-add) of all threads together. */
double measure_peak(weft_isa isa);

/* GB/s of all threads together, read and written, when each copies 64 MiB of its own. */
double measure_copy(void);

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

#include "measure.h"

#include "cli/quantile.h"

#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void out_of_memory(void)
{
    fprintf(stderr, "out of memory\n");
    exit(1);
}

static machine_trials trials(void)
{
    return (machine_trials){.threads = omp_get_max_threads(),
                            .length = processor_time ? 8 : 1,
                            .seconds = 0.2,
                            .clock = measure_seconds};
}

double measure_multiply_adds(const char *instruction_set)
{
    machine_trials how = trials();
    return machine_multiply_adds(instruction_set, &how) * 1e-9;
}

double measure_bandwidth(machine_traffic traffic, int64_t bytes)
{
    machine_trials how = trials();
    double rate = machine_bandwidth(traffic, bytes, &how) * 1e-9;
    if (rate == 0)
        out_of_memory();
    return rate;
}

float *measure_floats(int64_t n)
{
    float *data = machine_allocate((size_t)n * sizeof(float));
    if (!data)
        out_of_memory();
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((uint32_t)i * 2654435761u >> 16 & 255) / 128.0f - 1;
    return data;
}

void measure_run(const weft_kernel_plan *plan, void *const *operand)
{
    atomic_llong next[WEFT_PLAN_PHASES];
    for (int phase = 0; phase < plan->phases; phase++)
        atomic_init(&next[phase], 0);
#pragma omp parallel
    for (int phase = 0; phase < plan->phases; phase++) {
        const weft_call call = {
            .args = plan->args, .operand = operand, .round = plan->phase[phase].round};
        for (int64_t piece;
             (piece = atomic_fetch_add(&next[phase], 1)) < plan->phase[phase].pieces;)
            plan->phase[phase].run(&call, piece);
#pragma omp barrier
    }
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
    return quantile(time, runs, processor_time ? 0 : 0.5);
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

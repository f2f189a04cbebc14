/* The three products of a dense layer: GFLOP/s, and GB/s of its weights, read once or (for their gradient)
 * written, to hold against those of memory.
 *
 *     matmul [--threads N] [--seconds S] [--clock cpu] [BATCHxINPUTSxOUTPUTS...]
 *
 * Without sizes it takes the dense layers of LeNet, VGG-16 and ResNet-50. --clock cpu counts processor time,
 * see measure.h. */
#include "kernels/matmul.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dense {
    int64_t batch, inputs, outputs;
} dense;

static const dense layers[] = {{64, 3136, 1024}, {64, 1024, 10},  {4, 25088, 4096},
                               {1, 25088, 4096}, {4, 4096, 1000}, {8, 2048, 1000},
                               {1, 2048, 1000}};

/* y from x, w; dx from dy, w; dw from x, dy. */
static weft_matmul_problem product_of(const dense *d, int pass)
{
    weft_matmul_problem p;
    if (pass == 0)
        p = (weft_matmul_problem){.rows = d->batch, .columns = d->outputs, .inner = d->inputs};
    else if (pass == 1)
        p = (weft_matmul_problem){
            .rows = d->batch, .columns = d->inputs, .inner = d->outputs, .transpose_b = true};
    else
        p = (weft_matmul_problem){
            .rows = d->inputs, .columns = d->outputs, .inner = d->batch, .transpose_a = true};
    p.batch = 1;
    p.a_stride = p.transpose_a ? p.rows : p.inner;
    p.b_stride = p.transpose_b ? p.inner : p.columns;
    p.c_stride = p.columns;
    return p;
}

static double measure_product(const weft_matmul_problem *p, double seconds)
{
    weft_kernel_plan plan;
    weft_matmul_plan(p, NULL, &plan);
    float *a = measure_floats(p->rows * p->inner), *b = measure_floats(p->inner * p->columns);
    float *c = measure_floats(p->rows * p->columns);
    float *workspace = measure_floats((int64_t)(plan.workspace / sizeof(float)) + 1);
    void *operand[] = {a, b, c, workspace};
    double time = measure_plan(&plan, operand, seconds);
    free(a);
    free(b);
    free(c);
    free(workspace);
    return time;
}

static void measure_layer(const dense *d, double peak, double seconds)
{
    printf("%4lld x %6lld -> %5lld", (long long)d->batch, (long long)d->inputs,
           (long long)d->outputs);
    for (int pass = 0; pass < 3; pass++) {
        weft_matmul_problem p = product_of(d, pass);
        double t = measure_product(&p, seconds);
        double rate = 2e-9 * (double)(d->batch * d->inputs * d->outputs) / t;
        printf("   %8.1f (%5.1f%%) %5.1f", rate, 100 * rate / peak,
               1e-9 * (double)sizeof(float) * (double)(d->inputs * d->outputs) / t);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int wanted = 0, i = 1;
    double seconds = 0.15;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            wanted = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--clock") == 0 && strcmp(argv[i + 1], "cpu") == 0)
            measure_processor_time();
        else {
            fprintf(stderr, "matmul: no option %s\n", argv[i]);
            return 2;
        }
    }
    int threads = measure_threads(wanted);
    double peak = measure_multiply_adds(weft_instruction_set());
    printf("%d threads, peak %.1f GFLOP/s, memory %.1f GB/s\n%-22s %25s %25s %25s\n", threads, peak,
           measure_bandwidth(MACHINE_TRIAD, MEASURE_MEMORY_BYTES), "layer", "forward",
           "input gradient", "weight gradient");
    if (i == argc)
        for (size_t j = 0; j < sizeof layers / sizeof *layers; j++)
            measure_layer(&layers[j], peak, seconds);
    for (; i < argc; i++) {
        long long size[3] = {0};
        if (sscanf(argv[i], "%lldx%lldx%lld", &size[0], &size[1], &size[2]) != 3 || size[0] < 1 ||
            size[1] < 1 || size[2] < 1) {
            fprintf(stderr, "matmul: no layer: %s\n", argv[i]);
            return 2;
        }
        measure_layer(&(dense){size[0], size[1], size[2]}, peak, seconds);
    }
    return 0;
}

/* The 3x3 and 1x1 convolutions of ResNet-50 (stride on the 3x3), all three passes: GFLOP/s, share of the
 * peak that multiply-adds in registers reach in the same run, and the total weighted by how often the
 * network has each layer.
 *
 *     convolution [--batch N] [--threads N] [--seconds S] [--pass 0|1|2] [--layer I] [--clock cpu]
 *
 * --clock cpu counts processor time, see measure.h.
 * WEFT_ISA=avx2 in the environment measures a lower instruction set. */
#include "kernels/convolution.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer {
    int64_t in_channels, size, out_channels, kernel, stride;
    int times; /* in the network */
} layer;

static const layer layers[] = {
    {64, 56, 64, 1, 1, 1},    {256, 56, 64, 1, 1, 2},    {64, 56, 64, 3, 1, 3},
    {64, 56, 256, 1, 1, 4},   {256, 56, 128, 1, 1, 1},   {128, 56, 128, 3, 2, 1},
    {128, 28, 512, 1, 1, 4},  {256, 56, 512, 1, 2, 1},   {512, 28, 128, 1, 1, 3},
    {128, 28, 128, 3, 1, 3},  {512, 28, 256, 1, 1, 1},   {256, 28, 256, 3, 2, 1},
    {256, 14, 1024, 1, 1, 6}, {512, 28, 1024, 1, 2, 1},  {1024, 14, 256, 1, 1, 5},
    {256, 14, 256, 3, 1, 5},  {1024, 14, 512, 1, 1, 1},  {512, 14, 512, 3, 2, 1},
    {512, 7, 2048, 1, 1, 3},  {1024, 14, 2048, 1, 2, 1}, {2048, 7, 512, 1, 1, 2},
    {512, 7, 512, 3, 1, 2},
};

static weft_convolution_problem problem_of(const layer *l, int64_t batch)
{
    int64_t pad = l->kernel / 2, out = (l->size + 2 * pad - l->kernel) / l->stride + 1;
    weft_convolution_problem p = {.batch = batch,
                                  .groups = 1,
                                  .in_channels = l->in_channels,
                                  .out_channels = l->out_channels,
                                  .in = {1, l->size, l->size},
                                  .out = {1, out, out},
                                  .kernel = {1, l->kernel, l->kernel},
                                  .stride = {1, l->stride, l->stride},
                                  .dilation = {1, 1, 1},
                                  .pad = {0, pad, pad}};
    weft_convolution_dense(p.in, p.in_channels, p.x_stride);
    weft_convolution_dense(p.out, p.out_channels, p.y_stride);
    return p;
}

/* Seconds of one pass. */
static double measure_pass(const weft_convolution_problem *p, int pass, double seconds)
{
    weft_kernel_plan plan;
    weft_convolution_plan(p, (weft_convolution_pass)pass, NULL, &plan);
    float *x = measure_floats(p->batch * p->x_stride[0]),
          *y = measure_floats(p->batch * p->y_stride[0]);
    float *w = measure_floats(p->kernel[1] * p->kernel[2] * p->in_channels * p->out_channels);
    float *workspace = measure_floats((int64_t)(plan.workspace / sizeof(float)) + 1);
    void *operands[3][4] = {{x, w, y, workspace}, {y, w, x, workspace}, {x, y, w, workspace}};
    double time = measure_plan(&plan, operands[pass], seconds);
    free(x);
    free(y);
    free(w);
    free(workspace);
    return time;
}

int main(int argc, char **argv)
{
    int64_t batch = 8;
    int threads = 0, only = -1;
    double seconds = 0.15;
    size_t layer_only = SIZE_MAX;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--batch") == 0)
            batch = atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--pass") == 0)
            only = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--layer") == 0)
            layer_only = (size_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--clock") == 0 && strcmp(argv[i + 1], "cpu") == 0)
            measure_processor_time();
    }
    threads = measure_threads(threads);
    double peak = measure_peak(weft_isa_level());
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    printf("%s, %d threads, batch %lld, peak %.1f GFLOP/s\n", isa[weft_isa_level()], threads,
           (long long)batch, peak);
    printf("%-28s %3s %18s %18s %18s\n", "layer", "n", "forward", "input gradient",
           "filter gradient");
    double flops[3] = {0}, time[3] = {0};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        if (layer_only != SIZE_MAX && i != layer_only)
            continue;
        const layer *l = &layers[i];
        weft_convolution_problem p = problem_of(l, batch);
        double work = 2 * weft_convolution_multiply_adds(&p);
        printf("%lldx%lld /%lld %4lld -> %4lld @ %-7lld %3d", (long long)l->kernel,
               (long long)l->kernel, (long long)l->stride, (long long)l->in_channels,
               (long long)l->out_channels, (long long)l->size, l->times);
        for (int pass = 0; pass < 3; pass++) {
            if (only >= 0 && pass != only)
                continue;
            double t = measure_pass(&p, pass, seconds);
            flops[pass] += l->times * work;
            time[pass] += l->times * t;
            printf("   %8.1f (%4.1f%%)", work / t * 1e-9, 100 * work / t * 1e-9 / peak);
        }
        printf("\n");
        fflush(stdout);
    }
    double all_flops = 0, all_time = 0;
    printf("%-32s", "total");
    for (int pass = 0; pass < 3; pass++) {
        if (only >= 0 && pass != only)
            continue;
        printf("   %8.1f (%4.1f%%)", flops[pass] / time[pass] * 1e-9,
               100 * flops[pass] / time[pass] * 1e-9 / peak);
        all_flops += flops[pass];
        all_time += time[pass];
    }
    printf("\nall passes: %.1f GFLOP/s, %.1f%% of the peak, %.1f ms\n", all_flops / all_time * 1e-9,
           100 * all_flops / all_time * 1e-9 / peak, all_time * 1e3);
    return 0;
}

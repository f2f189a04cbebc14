/* The 3x3 and 1x1 convolutions of a network, all three passes: GFLOP/s, share of the peak that multiply-adds
 * in registers reach in the same run, and the total weighted by how often the network has each layer.
 *
 *     convolution [--network resnet50|resnet18|vgg16|unet] [--batch N] [--threads N] [--seconds S]
 *                 [--pass 0|1|2] [--layer I] [--algorithm NAME] [--clock cpu]
 *
 * ResNet-50 has its strides on the 3x3. --algorithm measures the passes that algorithm can do, whether or not
 * it is the planner's choice; "all" lists every algorithm side by side, with the cost model's cycles as a
 * ratio to the chosen one's.
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

static const layer resnet50[] = {
    {64, 56, 64, 1, 1, 1},    {256, 56, 64, 1, 1, 2},    {64, 56, 64, 3, 1, 3},
    {64, 56, 256, 1, 1, 4},   {256, 56, 128, 1, 1, 1},   {128, 56, 128, 3, 2, 1},
    {128, 28, 512, 1, 1, 4},  {256, 56, 512, 1, 2, 1},   {512, 28, 128, 1, 1, 3},
    {128, 28, 128, 3, 1, 3},  {512, 28, 256, 1, 1, 1},   {256, 28, 256, 3, 2, 1},
    {256, 14, 1024, 1, 1, 6}, {512, 28, 1024, 1, 2, 1},  {1024, 14, 256, 1, 1, 5},
    {256, 14, 256, 3, 1, 5},  {1024, 14, 512, 1, 1, 1},  {512, 14, 512, 3, 2, 1},
    {512, 7, 2048, 1, 1, 3},  {1024, 14, 2048, 1, 2, 1}, {2048, 7, 512, 1, 1, 2},
    {512, 7, 512, 3, 1, 2},
};

static const layer resnet18[] = {
    {64, 56, 64, 3, 1, 4},   {64, 56, 128, 3, 2, 1},  {64, 56, 128, 1, 2, 1},
    {128, 28, 128, 3, 1, 3}, {128, 28, 256, 3, 2, 1}, {128, 28, 256, 1, 2, 1},
    {256, 14, 256, 3, 1, 3}, {256, 14, 512, 3, 2, 1}, {256, 14, 512, 1, 2, 1},
    {512, 7, 512, 3, 1, 3},
};

static const layer vgg16[] = {
    {3, 224, 64, 3, 1, 1},    {64, 224, 64, 3, 1, 1},  {64, 112, 128, 3, 1, 1},
    {128, 112, 128, 3, 1, 1}, {128, 56, 256, 3, 1, 1}, {256, 56, 256, 3, 1, 2},
    {256, 28, 512, 3, 1, 1},  {512, 28, 512, 3, 1, 2}, {512, 14, 512, 3, 1, 3},
};

static const layer unet[] = {
    {1, 256, 64, 3, 1, 1},    {64, 256, 64, 3, 1, 2},    {128, 256, 64, 3, 1, 1},
    {64, 128, 128, 3, 1, 1},  {128, 128, 128, 3, 1, 2},  {256, 128, 128, 3, 1, 1},
    {128, 64, 256, 3, 1, 1},  {256, 64, 256, 3, 1, 2},   {512, 64, 256, 3, 1, 1},
    {256, 32, 512, 3, 1, 1},  {512, 32, 512, 3, 1, 2},   {1024, 32, 512, 3, 1, 1},
    {512, 16, 1024, 3, 1, 1}, {1024, 16, 1024, 3, 1, 1},
};

typedef struct network {
    const char *name;
    const layer *layers;
    int count;
    int64_t batch;
} network;

static const network networks[] = {
    {"resnet50", resnet50, sizeof resnet50 / sizeof *resnet50, 8},
    {"resnet18", resnet18, sizeof resnet18 / sizeof *resnet18, 8},
    {"vgg16", vgg16, sizeof vgg16 / sizeof *vgg16, 4},
    {"unet", unet, sizeof unet / sizeof *unet, 2},
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

/* Seconds of one plan. */
static double measure_pass(const weft_convolution_problem *p, int pass,
                           const weft_kernel_plan *plan, double seconds)
{
    float *x = measure_floats(p->batch * p->x_stride[0]),
          *y = measure_floats(p->batch * p->y_stride[0]);
    float *w = measure_floats(p->kernel[1] * p->kernel[2] * p->in_channels * p->out_channels);
    float *workspace = measure_floats((int64_t)(plan->workspace / sizeof(float)) + 1);
    void *operands[3][4] = {{x, w, y, workspace}, {y, w, x, workspace}, {x, y, w, workspace}};
    double time = measure_plan(plan, operands[pass], seconds);
    free(x);
    free(y);
    free(w);
    free(workspace);
    return time;
}

typedef struct settings {
    const network *network;
    int64_t batch;
    int threads, pass, layer;
    double seconds, peak;
    const char *algorithm; /* NULL: the planner's choice */
} settings;

/* Every algorithm for one pass of a layer. */
static void compare_algorithms(const settings *s, const weft_convolution_problem *p, int pass)
{
    static const char *const names[] = {"forward", "input gradient", "filter gradient"};
    weft_kernel_plan chosen, plan;
    weft_convolution_plan(p, (weft_convolution_pass)pass, NULL, &chosen);
    printf("    %-16s", names[pass]);
    const char *algorithm;
    for (int i = 0; (algorithm = weft_convolution_algorithm(i)); i++)
        if (weft_convolution_plan_by(algorithm, p, (weft_convolution_pass)pass, NULL, &plan)) {
            double rate = 2 * weft_convolution_multiply_adds(p) /
                          measure_pass(p, pass, &plan, s->seconds) * 1e-9;
            printf("  %s%s %.1f (%.1f%%, %.2f)", algorithm,
                   strcmp(algorithm, chosen.algorithm) == 0 ? "*" : "", rate, 100 * rate / s->peak,
                   plan.cycles / chosen.cycles);
        }
    printf("\n");
}

static void run(const settings *s)
{
    double flops[3] = {0}, time[3] = {0};
    bool all = s->algorithm && strcmp(s->algorithm, "all") == 0;
    for (int i = 0; i < s->network->count; i++) {
        if (s->layer >= 0 && i != s->layer)
            continue;
        const layer *l = &s->network->layers[i];
        weft_convolution_problem p = problem_of(l, s->batch);
        double work = 2 * weft_convolution_multiply_adds(&p);
        printf("%lldx%lld /%lld %4lld -> %4lld @ %-7lld %3d%s", (long long)l->kernel,
               (long long)l->kernel, (long long)l->stride, (long long)l->in_channels,
               (long long)l->out_channels, (long long)l->size, l->times, all ? "\n" : "");
        for (int pass = 0; pass < 3; pass++) {
            if (s->pass >= 0 && pass != s->pass)
                continue;
            weft_kernel_plan plan;
            bool can = true;
            if (all) {
                compare_algorithms(s, &p, pass);
                continue;
            }
            if (s->algorithm)
                can = weft_convolution_plan_by(s->algorithm, &p, (weft_convolution_pass)pass, NULL,
                                               &plan);
            else
                weft_convolution_plan(&p, (weft_convolution_pass)pass, NULL, &plan);
            if (!can) {
                printf("   %8s %7s", "-", "");
                continue;
            }
            double t = measure_pass(&p, pass, &plan, s->seconds);
            flops[pass] += l->times * work;
            time[pass] += l->times * t;
            printf("   %8.1f (%4.1f%%)", work / t * 1e-9, 100 * work / t * 1e-9 / s->peak);
        }
        if (!all)
            printf("\n");
        fflush(stdout);
    }
    if (all)
        return;
    double all_flops = 0, all_time = 0;
    printf("%-32s", "total");
    for (int pass = 0; pass < 3; pass++) {
        if (time[pass] == 0)
            continue;
        printf("   %8.1f (%4.1f%%)", flops[pass] / time[pass] * 1e-9,
               100 * flops[pass] / time[pass] * 1e-9 / s->peak);
        all_flops += flops[pass];
        all_time += time[pass];
    }
    printf("\nall passes: %.1f GFLOP/s, %.1f%% of the peak, %.1f ms\n", all_flops / all_time * 1e-9,
           100 * all_flops / all_time * 1e-9 / s->peak, all_time * 1e3);
}

int main(int argc, char **argv)
{
    settings s = {.network = networks, .pass = -1, .layer = -1, .seconds = 0.15};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--network") == 0) {
            for (size_t k = 0; k < sizeof networks / sizeof *networks; k++)
                if (strcmp(argv[i + 1], networks[k].name) == 0)
                    s.network = &networks[k];
        } else if (strcmp(argv[i], "--batch") == 0)
            s.batch = atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            s.threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            s.seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--pass") == 0)
            s.pass = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--layer") == 0)
            s.layer = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--algorithm") == 0)
            s.algorithm = argv[i + 1];
        else if (strcmp(argv[i], "--clock") == 0 && strcmp(argv[i + 1], "cpu") == 0)
            measure_processor_time();
    }
    s.batch = s.batch > 0 ? s.batch : s.network->batch;
    s.threads = measure_threads(s.threads);
    s.peak = measure_peak(weft_isa_level());
    static const char *const isa[] = {"baseline", "avx2", "avx512"};
    printf("%s, %s, %d threads, batch %lld, peak %.1f GFLOP/s\n", s.network->name,
           isa[weft_isa_level()], s.threads, (long long)s.batch, s.peak);
    if (!s.algorithm || strcmp(s.algorithm, "all") != 0)
        printf("%-28s %3s %18s %18s %18s\n", "layer", "n", "forward", "input gradient",
               "filter gradient");
    run(&s);
    return 0;
}

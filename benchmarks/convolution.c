/* Single convolutions, all three passes: GFLOP/s, share of the peak that multiply-adds in registers reach
 * in the same run, GB/s (each operand once) to hold against those of memory, and the total weighted by how
 * often the network has each layer.
 *
 *     convolution [--set NAME] [--layer I] [--pass 0|1|2] [--threads N] [--seconds S] [--clock cpu]
 *                 [--algorithm NAME] [--candidates] [--steady] [--json] [DESCRIPTOR...]
 *
 * Without descriptors (layer.h) it takes a set of layers.txt, resnet50 by default. --clock cpu counts
 * processor time, see measure.h. --algorithm takes the passes that this algorithm can do, whether or not the
 * planner would ("direct", "outer", "depthwise", "winograd 4x4", ...). --candidates adds a line for each
 * algorithm of each pass, measured beside what the planner thinks of it, and the pieces of its phases. --steady
 * leaves out what is prepared of the filter, as inference does. --json prints a line for each layer.
 * WEFT_ISA=avx2 in the environment measures a lower instruction set. */
#include "kernels/convolution.h"
#include "layer.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No network needs the gradient of an image: it is measured, but not part of the totals. */
enum { LINE = 128, IMAGE_CHANNELS = 3 };

typedef struct bench {
    int threads, pass; /* -1: all three */
    double seconds, peak;
    const char *only; /* algorithm; NULL: the planner's choice */
    bool json, candidates, steady;
    double flops[LAYER_PASSES], time[LAYER_PASSES];
} bench;

/* A transposed convolution is the input gradient of the one from its output to its input. */
static weft_convolution_problem problem_of(const layer *l)
{
    const int64_t *in = l->transposed ? l->out : l->in, *out = l->transposed ? l->in : l->out;
    weft_convolution_problem p = {.batch = l->batch,
                                  .groups = l->groups,
                                  .in_channels = l->transposed ? l->out_channels : l->in_channels,
                                  .out_channels = l->transposed ? l->in_channels : l->out_channels,
                                  .in = {1, in[0], in[1]},
                                  .out = {1, out[0], out[1]},
                                  .kernel = {1, l->kernel[0], l->kernel[1]},
                                  .stride = {1, l->stride, l->stride},
                                  .dilation = {1, l->dilation, l->dilation},
                                  .pad = {0, l->pad[0], l->pad[1]}};
    weft_convolution_dense(p.in, p.in_channels, p.x_stride);
    weft_convolution_dense(p.out, p.out_channels, p.y_stride);
    return p;
}

/* Bytes of x, y and w. */
static double layer_bytes(const layer *l)
{
    weft_convolution_problem p = problem_of(l);
    int64_t w = p.kernel[1] * p.kernel[2] * p.in_channels / p.groups * p.out_channels;
    return (double)sizeof(float) * (double)(p.batch * (p.x_stride[0] + p.y_stride[0]) + w);
}

/* The problem of a pass of the layer, and the pass of it. */
static weft_convolution_problem problem_of_pass(const bench *b, const layer *l, int of,
                                                weft_convolution_pass *pass)
{
    static const weft_convolution_pass transposed[LAYER_PASSES] = {
        WEFT_CONVOLUTION_INPUT_GRADIENT, WEFT_CONVOLUTION_FORWARD,
        WEFT_CONVOLUTION_FILTER_GRADIENT};
    *pass = l->transposed ? transposed[of] : (weft_convolution_pass)of;
    weft_convolution_problem p = problem_of(l);
    p.steady_filter = b->steady;
    return p;
}

static double measure_problem(const bench *b, const weft_convolution_problem *p,
                              weft_convolution_pass pass, const weft_kernel_plan *plan)
{
    int64_t floats[6];
    void *operand[6];
    int operands = weft_convolution_operands(p, pass, floats);
    floats[operands++] = (int64_t)(plan->workspace / sizeof(float)) + 1;
    floats[operands++] = (int64_t)(plan->prepared / sizeof(float)) + 1;
    for (int i = 0; i < operands; i++)
        operand[i] = measure_floats(floats[i]);
    weft_kernel_plan every_time = *plan;
    if (b->steady) {
        measure_run(plan, operand);
        every_time.phases -= plan->prepare_phases;
        memmove(every_time.phase, plan->phase + plan->prepare_phases,
                sizeof every_time.phase - (size_t)plan->prepare_phases * sizeof *plan->phase);
    }
    double time = measure_plan(&every_time, operand, b->seconds);
    for (int i = 0; i < operands; i++)
        free(operand[i]);
    return time;
}

/* Seconds of one pass; 0 where the algorithm that is asked for cannot do it. */
static double measure_pass(const bench *b, const layer *l, int of, const char **algorithm)
{
    weft_convolution_pass pass;
    weft_convolution_problem p = problem_of_pass(b, l, of, &pass);
    weft_kernel_plan plan;
    if (!b->only)
        weft_convolution_plan(&p, pass, NULL, &plan);
    else if (!weft_convolution_plan_by(b->only, &p, pass, NULL, &plan))
        return 0;
    *algorithm = plan.algorithm;
    return measure_problem(b, &p, pass, &plan);
}

static void print_candidates(const bench *b, const layer *l, int of)
{
    weft_convolution_pass pass;
    weft_convolution_problem p = problem_of_pass(b, l, of, &pass);
    weft_kernel_plan plan[WEFT_CONVOLUTION_ALGORITHMS];
    int plans = weft_convolution_plans(&p, pass, plan);
    for (int i = 0; i < plans; i++) {
        printf("    %-16s %-28s %9.3f ms   model %10.3f million cycles, pieces",
               layer_pass_names[of], plan[i].algorithm,
               measure_problem(b, &p, pass, &plan[i]) * 1e3, plan[i].cycles * 1e-6);
        for (int phase = b->steady ? plan[i].prepare_phases : 0; phase < plan[i].phases; phase++)
            printf(" %lld", (long long)plan[i].phase[phase].pieces);
        printf("\n");
    }
}

static void measure_layer(bench *b, const char *text, const layer *l)
{
    double work = layer_flops(l);
    printf(b->json ? "{\"layer\": \"%s\"" : "%-36s", text);
    for (int pass = 0; pass < LAYER_PASSES; pass++) {
        if (b->pass >= 0 && pass != b->pass)
            continue;
        const char *algorithm = NULL;
        double t = measure_pass(b, l, pass, &algorithm);
        if (t == 0) {
            if (!b->json)
                printf("   %25s", "");
            continue;
        }
        if (pass != WEFT_CONVOLUTION_INPUT_GRADIENT || l->in_channels > IMAGE_CHANNELS) {
            b->flops[pass] += l->times * work;
            b->time[pass] += l->times * t;
        }
        if (b->json)
            printf(", \"%s\": {\"median_ms\": %.6f, \"algorithm\": \"%s\"}", layer_pass_names[pass],
                   t * 1e3, algorithm);
        else
            printf("   %8.1f (%5.1f%%) %5.1f", work / t * 1e-9, 100 * work / t * 1e-9 / b->peak,
                   layer_bytes(l) / t * 1e-9);
    }
    printf(b->json ? "}\n" : "\n");
    for (int pass = 0; pass < LAYER_PASSES && b->candidates; pass++)
        if (b->pass < 0 || pass == b->pass)
            print_candidates(b, l, pass);
    fflush(stdout);
}

static void print_totals(const bench *b)
{
    double flops = 0, time = 0;
    printf("%-36s", "total");
    for (int pass = 0; pass < LAYER_PASSES; pass++)
        if (b->time[pass] > 0) {
            double rate = b->flops[pass] / b->time[pass] * 1e-9;
            printf("   %8.1f (%5.1f%%)      ", rate, 100 * rate / b->peak);
            flops += b->flops[pass];
            time += b->time[pass];
        }
    printf("\n");
    if (time > 0)
        printf("all passes: %.1f GFLOP/s, %.1f%% of the peak, %.1f ms\n", flops / time * 1e-9,
               100 * flops / time * 1e-9 / b->peak, time * 1e3);
}

static bool measure_text(bench *b, const char *text)
{
    layer l;
    if (!layer_parse(text, &l)) {
        fprintf(stderr, "convolution: no layer: \"%s\"\n", text);
        return false;
    }
    measure_layer(b, text, &l);
    return true;
}

/* The layers of a set, or only the one with this index. */
static bool measure_set(bench *b, const char *set, int only)
{
    FILE *file = fopen(LAYERS_FILE, "r");
    if (!file) {
        perror(LAYERS_FILE);
        return false;
    }
    bool good = true;
    int index = 0;
    size_t length = strlen(set);
    for (char line[LINE]; good && fgets(line, sizeof line, file);) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, set, length) != 0 || line[length] != ' ')
            continue;
        if (only < 0 || index == only)
            good = measure_text(b, line + length + 1);
        index++;
    }
    fclose(file);
    if (index == 0)
        fprintf(stderr, "convolution: no set \"%s\" in %s\n", set, LAYERS_FILE);
    else if (good && only >= index)
        fprintf(stderr, "convolution: no layer %d: set \"%s\" has %d\n", only, set, index);
    return good && index > 0 && only < index;
}

static bool is_algorithm(const char *name)
{
    const char *known;
    for (int i = 0; (known = weft_convolution_algorithm(i)); i++)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    bench b = {.pass = -1, .seconds = 0.15};
    const char *set = "resnet50";
    int only = -1, i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
            continue;
        }
        if (strcmp(argv[i], "--candidates") == 0) {
            b.candidates = true;
            continue;
        }
        if (strcmp(argv[i], "--steady") == 0) {
            b.steady = true;
            continue;
        }
        if (strcmp(argv[i], "--set") == 0)
            set = value;
        else if (strcmp(argv[i], "--threads") == 0)
            b.threads = atoi(value);
        else if (strcmp(argv[i], "--seconds") == 0)
            b.seconds = atof(value);
        else if (strcmp(argv[i], "--pass") == 0)
            b.pass = atoi(value);
        else if (strcmp(argv[i], "--layer") == 0)
            only = atoi(value);
        else if (strcmp(argv[i], "--algorithm") == 0)
            b.only = value;
        else if (strcmp(argv[i], "--clock") == 0 && strcmp(value, "cpu") == 0)
            measure_processor_time();
        else {
            fprintf(stderr, "convolution: no option %s\n", argv[i]);
            return 2;
        }
        i++;
    }
    if (b.pass < -1 || b.pass >= LAYER_PASSES) {
        fprintf(stderr, "convolution: no pass %d\n", b.pass);
        return 2;
    }
    if (b.only && !is_algorithm(b.only)) {
        fprintf(stderr, "convolution: no algorithm \"%s\"\n", b.only);
        return 2;
    }
    if (b.json && b.candidates) {
        fprintf(stderr, "convolution: --candidates prints no JSON\n");
        return 2;
    }
    b.threads = measure_threads(b.threads);
    if (!b.json) {
        b.peak = measure_multiply_adds(weft_instruction_set());
        printf("%s, %d threads, peak %.1f GFLOP/s, memory %.1f GB/s\n%-36s %25s %25s %25s\n",
               weft_instruction_set(), b.threads, b.peak,
               measure_bandwidth(MACHINE_TRIAD, MEASURE_MEMORY_BYTES), "layer", "forward",
               "input gradient", "filter gradient");
    }
    bool good = true;
    if (i < argc)
        for (; i < argc && good; i++)
            good = measure_text(&b, argv[i]);
    else
        good = measure_set(&b, set, only);
    if (good && !b.json)
        print_totals(&b);
    return good ? 0 : 2;
}

/* Time and memory of a training step and of inference, for the networks of the examples on random data.
 *
 * usage: bench_networks [NETWORK BATCH [THREADS]]      (no arguments: all of them, on all processors) */
#include "networks/networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 9 };

static weft_value resnet18(weft_value x)
{
    return resnet_large(x, 18, 1000);
}

static weft_value resnet20(weft_value x)
{
    return resnet_small(x, 20, 10);
}

static weft_value resnet50(weft_value x)
{
    return resnet_large(x, 50, 1000);
}

static weft_value inception(weft_value x)
{
    return inception_small(x, 10, 0.2);
}

static weft_value unet_64(weft_value x)
{
    return unet(x, 64, 5, 2);
}

static const struct network {
    const char *name;
    weft_value (*build)(weft_value image);
    int size, channels;
    bool per_pixel; /* a label for each pixel */
    int batch;      /* by default */
} networks[] = {
    {"resnet20", resnet20, 32, 3, false, 128}, {"inception", inception, 32, 3, false, 128},
    {"resnet18", resnet18, 224, 3, false, 8},  {"resnet50", resnet50, 224, 3, false, 8},
    {"unet", unet_64, 256, 1, true, 2},
};

/* One network on one graph, with its data. */
typedef struct bench {
    const struct network *network;
    int64_t batch;
    weft_context *context;
    weft_graph *graph;
    weft_value image, label, logits, loss;
    weft_state *state;
    weft_feed feed[2];
    weft_error error;
} bench;

static int64_t pixels(const bench *b)
{
    return b->batch * b->network->size * b->network->size;
}

static weft_status build(bench *b)
{
    int64_t size = b->network->size;
    b->graph = weft_graph_create(b->context);
    if (!b->graph)
        return weft_error_set(&b->error, WEFT_ERROR_MEMORY, "out of memory");
    b->image = weft_input(b->graph, .name = "image",
                          .shape = weft_shape_of(WEFT_BATCH, size, size, b->network->channels));
    weft_shape labels =
        b->network->per_pixel ? weft_shape_of(WEFT_BATCH, size, size) : weft_shape_of(WEFT_BATCH);
    b->label = weft_input(b->graph, .name = "label", .shape = labels, .dtype = WEFT_INT32);
    b->logits = b->network->build(b->image);
    b->loss = weft_sparse_cross_entropy(b->logits, b->label);
    weft_minimize(b->loss, &(weft_optimizer_options){.learning_rate = 0.01, .momentum = 0.9}, NULL);
    return weft_state_create(b->graph, NULL, &b->state, &b->error);
}

static weft_status fill(bench *b)
{
    size_t elements = (size_t)(pixels(b) * b->network->channels);
    size_t labels = (size_t)(b->network->per_pixel ? pixels(b) : b->batch);
    float *image = malloc(elements * sizeof(float));
    int32_t *label = calloc(labels, sizeof(int32_t));
    b->feed[0] = (weft_feed){b->image, image, elements * sizeof(float)};
    b->feed[1] = (weft_feed){b->label, label, labels * sizeof(int32_t)};
    if (!image || !label)
        return weft_error_set(&b->error, WEFT_ERROR_MEMORY, "out of memory");
    uint32_t random = 1;
    for (size_t i = 0; i < elements; i++) {
        random = random * 1664525u + 1013904223u;
        image[i] = (float)(random >> 8) * 0x1p-24f - 0.5f;
    }
    return WEFT_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static weft_status measure(bench *b, weft_mode mode)
{
    weft_program *program = NULL;
    weft_compile_options options = {.mode = mode,
                                    .fetch = mode == WEFT_TRAIN ? &b->loss : &b->logits,
                                    .fetches = 1,
                                    .batch = b->batch};
    weft_status status = weft_compile(b->graph, b->state, &options, &program, &b->error);
    double seconds[RUNS];
    for (int i = -1; i < RUNS && status == WEFT_OK; i++) { /* one to warm up */
        status = weft_run(program, b->feed, mode == WEFT_TRAIN ? 2 : 1, NULL, &b->error);
        if (i >= 0)
            seconds[i] = weft_program_report(program).seconds;
    }
    if (status == WEFT_OK) {
        weft_report report = weft_program_report(program);
        qsort(seconds, RUNS, sizeof(double), by_value);
        double median = seconds[RUNS / 2];
        printf("%-10s %-5s %5lld %10.2f %10.2f %9.1f %8.1f %10.1f %10.1f\n", b->network->name,
               mode == WEFT_TRAIN ? "train" : "infer", (long long)b->batch, median * 1e3,
               seconds[0] * 1e3, report.flops / median * 1e-9, (double)b->batch / median,
               (double)report.arena_bytes * 1e-6, (double)report.bound_bytes * 1e-6);
        fflush(stdout);
    }
    weft_program_destroy(program);
    return status;
}

static weft_status bench_network(const struct network *network, int64_t batch, int threads)
{
    bench b = {.network = network, .batch = batch};
    b.context = weft_context_create(&(weft_context_options){.threads = threads});
    weft_status status = b.context ? build(&b) : WEFT_ERROR_MEMORY;
    if (status == WEFT_OK)
        status = fill(&b);
    if (status == WEFT_OK)
        status = measure(&b, WEFT_TRAIN);
    if (status == WEFT_OK)
        status = measure(&b, WEFT_INFER);
    if (status != WEFT_OK)
        fprintf(stderr, "%s: %s\n", network->name, b.error.message);
    free((void *)b.feed[0].data);
    free((void *)b.feed[1].data);
    weft_state_destroy(b.state);
    weft_graph_destroy(b.graph);
    weft_context_destroy(b.context);
    return status;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    int64_t batch = argc > 2 ? atoll(argv[2]) : 0;
    int threads = argc > 3 ? atoi(argv[3]) : 0;
    bool found = false;
    weft_status status = WEFT_OK;
    printf(
        "network    mode  batch  median ms     min ms   GFLOP/s images/s   arena MB   bound MB\n");
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]) && status == WEFT_OK; i++)
        if (!only || strcmp(only, networks[i].name) == 0) {
            found = true;
            status = bench_network(&networks[i], batch > 0 ? batch : networks[i].batch, threads);
        }
    if (!found)
        fprintf(stderr, "bench_networks: no network \"%s\"\n", only);
    return found && status == WEFT_OK ? 0 : 1;
}

#include "cli/workload.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const modes[] = {"train", "infer", NULL};
/* In the order of weft_micro_batching. */
static const char *const micro_batchings[] = {"never", "images", "mixed", NULL};

workload_options workload_defaults(void)
{
    return (workload_options){.mode = modes[0], .seed = 1, .micro_batching = micro_batchings[0]};
}

void workload_arguments(workload_options *options, argument *table)
{
    const argument all[WORKLOAD_ARGUMENTS] = {
        {"mode", "MODE", "train or infer", .choice = &options->mode, .words = modes},
        {"batch", "N", "images in a batch; 0: as is usual for the model",
         .integer = &options->batch, .high = 1 << 20},
        {"size", "N", "height and width of the images; 0: the model's", .integer = &options->size,
         .high = 1 << 14},
        {"threads", "N", "0: one for each processor", .integer = &options->threads, .high = 1024},
        {"seed", "N", "of variables and data", .seed = &options->seed},
        {"wisdom", "FILE", "fastest algorithms, as measured before; it need not be there yet",
         .text = &options->wisdom},
        {"measure", NULL, "algorithms where wisdom knows of none, and write the file",
         .flag = &options->measure},
        {"limit", "SIZE", "of the arena: compute again what does not fit into 300MB, 1GiB, ...",
         .bytes = &options->limit},
        {"keep-all", NULL, "compute nothing again to save memory", .flag = &options->keep_all},
        {"micro-batching", "WORD",
         "take the batch in parts: never, images or, with batch norm, mixed",
         .choice = &options->micro_batching, .words = micro_batchings},
        {"micro-batches", "N",
         "parts of the batch; 0: the number that keeps the limit in the least time",
         .integer = &options->micro_batches, .high = 1 << 20},
        {0},
    };
    memcpy(table, all, sizeof(all));
}

const char *workload_mode_name(const workload *w)
{
    return w->mode == WEFT_TRAIN ? "train" : "infer";
}

/* ---- The graph ---- */

static weft_status build_training(workload *w)
{
    weft_shape rows = weft_shape_get(w->result); /* of logits: a label for each row */
    if (rows.rank < 1)
        return weft_graph_error(w->graph)->status;
    rows.rank--;
    w->label = weft_input(w->graph, .name = "label", .shape = rows, .dtype = WEFT_INT32);
    w->result = weft_sparse_cross_entropy(w->result, w->label);
    return weft_minimize(w->result,
                         &(weft_optimizer_options){.learning_rate = 1e-3, .momentum = 0.9}, NULL);
}

weft_status workload_build(workload *w, const workload_options *options, weft_error *error)
{
    *w = (workload){.model = weft_model_find(options->model)};
    if (!w->model)
        return weft_error_set(error, WEFT_ERROR_NOT_FOUND,
                              "there is no model \"%s\" (weft models lists them)", options->model);
    w->mode = strcmp(options->mode, "train") == 0 ? WEFT_TRAIN : WEFT_INFER;
    w->batch = options->batch ? options->batch : w->model->batch;
    w->size = options->size ? options->size : w->model->size;
    w->context = weft_context_create(&(weft_context_options){.threads = options->threads});
    w->graph = w->context ? weft_graph_create(w->context) : NULL;
    if (!w->graph)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    w->threads = weft_context_threads(w->context);
    w->image = weft_input(w->graph, .name = "image",
                          .shape = weft_shape_of(WEFT_BATCH, w->size, w->size, w->model->channels));
    w->result = weft_model_build(w->model, w->image, 0);
    weft_summary summary;
    weft_status status = weft_summarize(w->graph, &summary);
    if (status == WEFT_OK) {
        w->parameters = summary.trainable;
        w->multiply_adds = summary.multiply_adds;
        status = w->mode == WEFT_TRAIN ? build_training(w) : WEFT_OK;
    }
    const weft_error *mistake = weft_graph_error(w->graph);
    if (mistake->status != WEFT_OK)
        return weft_error_set(error, mistake->status, "%s", mistake->message);
    return status == WEFT_OK ? WEFT_OK
                             : weft_error_set(error, status, "%s", weft_status_text(status));
}

double workload_flops(const workload *w)
{
    return 2 * w->multiply_adds * (double)w->batch * (w->mode == WEFT_TRAIN ? 3 : 1);
}

/* ---- Data ---- */

static uint32_t draw(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)(*random >> 33);
}

static weft_status fill(workload *w, uint64_t seed, weft_error *error)
{
    uint64_t random = seed;
    size_t elements = (size_t)(w->batch * w->size * w->size * w->model->channels);
    float *image = malloc(elements * sizeof(float));
    w->feed[w->feeds++] = (weft_feed){w->image, image, elements * sizeof(float)};
    if (!image)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory: the images");
    for (size_t i = 0; i < elements; i++)
        image[i] = (float)draw(&random) * 0x1p-30f - 1;
    if (w->mode != WEFT_TRAIN)
        return WEFT_OK;
    size_t rows = (size_t)(w->batch * (w->model->per_pixel ? w->size * w->size : 1));
    int32_t *label = malloc(rows * sizeof(int32_t));
    w->feed[w->feeds++] = (weft_feed){w->label, label, rows * sizeof(int32_t)};
    if (!label)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory: the labels");
    for (size_t i = 0; i < rows; i++)
        label[i] = (int32_t)(draw(&random) % (uint32_t)w->model->classes);
    return WEFT_OK;
}

/* ---- The program ---- */

static weft_status load_wisdom(workload *w, const workload_options *options, weft_error *error)
{
    if (w->wisdom || (!options->wisdom && !options->measure))
        return WEFT_OK;
    w->wisdom = weft_wisdom_create(w->context);
    if (!w->wisdom)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
    bool is_there = options->wisdom && access(options->wisdom, F_OK) == 0;
    return is_there ? weft_wisdom_load(w->wisdom, options->wisdom, error) : WEFT_OK;
}

static weft_micro_batching micro_batching_of(const workload_options *options)
{
    int index = 0;
    while (strcmp(micro_batchings[index], options->micro_batching) != 0)
        index++;
    return (weft_micro_batching)index;
}

static weft_compile_options compile_options(const workload *w, const workload_options *options)
{
    unsigned keep_all = 1u << WEFT_PASS_REMATERIALIZE | 1u << WEFT_PASS_RECOMPUTE;
    return (weft_compile_options){.mode = w->mode,
                                  .fetch = &w->result,
                                  .fetches = 1,
                                  .batch = w->batch,
                                  .wisdom = w->wisdom,
                                  .memory_limit = options->limit,
                                  .micro_batching = micro_batching_of(options),
                                  .micro_batches = options->micro_batches,
                                  .without = options->keep_all ? keep_all : 0};
}

weft_status workload_compile(workload *w, const workload_options *options, bool profile,
                             weft_error *error)
{
    weft_status status = load_wisdom(w, options, error);
    weft_compile_options compiled = compile_options(w, options);
    compiled.profile = profile;
    compiled.measure = options->measure;
    if (status == WEFT_OK)
        status = weft_state_create(w->graph, &(weft_state_options){.seed = options->seed},
                                   &w->state, error);
    if (status == WEFT_OK)
        status = fill(w, options->seed, error);
    if (status == WEFT_OK)
        status = weft_compile(w->graph, w->state, &compiled, &w->program, error);
    if (status == WEFT_OK && options->wisdom && options->measure)
        status = weft_wisdom_save(w->wisdom, options->wisdom, error);
    return status;
}

weft_status workload_plan(workload *w, const workload_options *options, weft_plan **plan,
                          weft_error *error)
{
    weft_status status = load_wisdom(w, options, error);
    weft_compile_options compiled = compile_options(w, options);
    return status == WEFT_OK ? weft_plan_create(w->graph, WEFT_FLOAT32, &compiled, plan, error)
                             : status;
}

weft_status workload_fit(workload *w, const workload_options *options, int64_t limit_bytes,
                         weft_batch_limit *result, weft_error *error)
{
    weft_status status = load_wisdom(w, options, error);
    weft_compile_options compiled = compile_options(w, options);
    if (status == WEFT_OK)
        status = weft_largest_batch(w->graph, WEFT_FLOAT32, &compiled, limit_bytes, result, error);
    if (status == WEFT_OK && result->batch > 0)
        w->batch = result->batch;
    return status;
}

weft_status workload_run(workload *w, double *seconds, weft_error *error)
{
    double start = weft_seconds();
    weft_status status = weft_run(w->program, w->feed, w->feeds, NULL, error);
    *seconds = weft_seconds() - start;
    return status;
}

void workload_close(workload *w)
{
    for (int i = 0; i < w->feeds; i++)
        free((void *)w->feed[i].data);
    weft_program_destroy(w->program);
    weft_state_destroy(w->state);
    weft_wisdom_destroy(w->wisdom);
    weft_graph_destroy(w->graph);
    weft_context_destroy(w->context);
}

int workload_fail(const argument_usage *usage, const weft_error *error)
{
    if (error->status == WEFT_ERROR_NOT_FOUND)
        return arguments_refuse(usage, "%s", error->message);
    fprintf(stderr, "%s: %s\n", usage->program, error->message);
    return 1;
}

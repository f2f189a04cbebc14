#include "common/example.h"

#include "cli/machine.h"
#include "cli/profile_table.h"
#include "common/data.h"
#include "common/progress.h"
#include "common/score.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_CHANNELS = 256 };

/* A network with its loss and updates, and the programs that run it. */
typedef struct session {
    const example *example;
    const example_options *options;
    example_data data;
    weft_graph *graph;
    weft_state *state;
    weft_value images, target, logits, loss;
    weft_optimizer optimizer;
    weft_program *train;
    weft_program *test, *test_rest; /* of a whole batch, and of a last, smaller one */
    weft_batches *train_batches, *test_batches;
    uint8_t *image_buffer, *mask_buffer;
    int32_t *label_buffer;
} session;

/* Sums over images. */
typedef struct tally {
    double loss, score;
    int64_t images;
} tally;

static weft_status out_of_memory(weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory");
}

/* ---- The graph ---- */

static weft_value normalized(session *s)
{
    double scale[LARGEST_CHANNELS], shift[LARGEST_CHANNELS];
    int64_t channels = s->data.train->channels;
    example_data_normalization(&s->data, scale, shift);
    weft_value x = weft_multiply(weft_cast_real(s->images),
                                 weft_constant(s->graph, weft_shape_of(channels), scale));
    return weft_add(x, weft_constant(s->graph, weft_shape_of(channels), shift));
}

static weft_status build(session *s, weft_error *error)
{
    const weft_dataset *data = s->data.train;
    if (data->channels > LARGEST_CHANNELS)
        return weft_error_set(error, WEFT_ERROR_SHAPE, "images of more than %d channels",
                              LARGEST_CHANNELS);
    s->images =
        weft_input(s->graph, .name = "images", .dtype = WEFT_UINT8,
                   .shape = weft_shape_of(WEFT_BATCH, data->height, data->width, data->channels));
    s->target = s->example->segment
                    ? weft_input(s->graph, .name = "masks", .dtype = WEFT_UINT8,
                                 .shape = weft_shape_of(WEFT_BATCH, data->height, data->width, 1))
                    : weft_input(s->graph, .name = "labels", .dtype = WEFT_INT32,
                                 .shape = weft_shape_of(WEFT_BATCH));
    s->logits = s->example->network(normalized(s), s->data.classes);
    s->loss =
        s->example->loss(s->logits, s->example->segment ? weft_cast_real(s->target) : s->target);
    if (s->options->summary)
        weft_print_summary(s->graph, stdout);
    if (s->options->dot) {
        weft_dot_options drawing = {.forward_only = true};
        weft_status status = weft_graph_draw(s->graph, &drawing, s->options->dot, error);
        if (status != WEFT_OK)
            return status;
    }
    weft_optimizer_options optimizer = s->example->optimizer;
    optimizer.learning_rate = s->options->learning_rate;
    if (weft_minimize(s->loss, &optimizer, &s->optimizer) != WEFT_OK)
        return weft_error_set(error, weft_graph_error(s->graph)->status, "%s",
                              weft_graph_error(s->graph)->message);
    return WEFT_OK;
}

static weft_status compile(session *s, weft_mode mode, int64_t batch, weft_program **program,
                           weft_error *error)
{
    weft_value fetch[] = {s->loss, s->logits};
    return weft_compile(s->graph, s->state,
                        &(weft_compile_options){.mode = mode,
                                                .fetch = fetch,
                                                .fetches = 2,
                                                .batch = batch,
                                                .profile = s->options->profile},
                        program, error);
}

static weft_status prepare(session *s, weft_error *error)
{
    int64_t batch = s->options->batch, rest = s->data.test->count % batch;
    weft_status status = weft_state_create(
        s->graph, &(weft_state_options){.seed = s->options->seed}, &s->state, error);
    if (status == WEFT_OK)
        status = compile(s, WEFT_TRAIN, batch, &s->train, error);
    if (status == WEFT_OK && s->data.test->count >= batch)
        status = compile(s, WEFT_INFER, batch, &s->test, error);
    if (status == WEFT_OK && rest)
        status = compile(s, WEFT_INFER, rest, &s->test_rest, error);

    weft_batch_options order = s->example->augmentation;
    order.batch = batch;
    order.seed = s->options->seed;
    order.drop_last = true;
    if (status == WEFT_OK)
        status = weft_batches_create(s->data.train, &order, &s->train_batches, error);
    if (status == WEFT_OK)
        status = weft_batches_create(s->data.test,
                                     &(weft_batch_options){.batch = batch, .in_order = true},
                                     &s->test_batches, error);
    if (status != WEFT_OK)
        return status;
    size_t pixels = (size_t)(batch * s->data.train->height * s->data.train->width);
    s->image_buffer = malloc(pixels * (size_t)s->data.train->channels);
    s->mask_buffer = malloc(pixels);
    s->label_buffer = malloc((size_t)batch * sizeof(int32_t));
    if (!s->image_buffer || !s->mask_buffer || !s->label_buffer)
        return out_of_memory(error);
    return WEFT_OK;
}

static void release(session *s)
{
    free(s->label_buffer);
    free(s->mask_buffer);
    free(s->image_buffer);
    weft_batches_destroy(s->test_batches);
    weft_batches_destroy(s->train_batches);
    weft_program_destroy(s->test_rest);
    weft_program_destroy(s->test);
    weft_program_destroy(s->train);
    weft_state_destroy(s->state);
    weft_graph_destroy(s->graph);
    example_data_release(&s->data);
}

/* ---- Running ---- */

/* Runs the program on the next batch and adds to the tally; *count is 0 at the end of the epoch. */
static weft_status run_batch(session *s, weft_batches *batches, tally *sums, int64_t *count,
                             weft_error *error)
{
    const weft_dataset *data = s->data.train;
    int64_t pixels = data->height * data->width;
    int64_t n = *count =
        weft_batches_next(batches, s->image_buffer, s->label_buffer, s->mask_buffer);
    if (n == 0)
        return WEFT_OK;
    weft_program *program = batches == s->train_batches ? s->train
                            : n == s->options->batch    ? s->test
                                                        : s->test_rest;
    const weft_feed feeds[] = {
        {s->images, s->image_buffer, (size_t)(n * pixels * data->channels)},
        s->example->segment ? (weft_feed){s->target, s->mask_buffer, (size_t)(n * pixels)}
                            : (weft_feed){s->target, s->label_buffer, (size_t)n * sizeof(int32_t)},
    };
    weft_status status = weft_run(program, feeds, 2, NULL, error);
    if (status != WEFT_OK)
        return status;
    const float *logits = weft_fetch(program, s->logits).data;
    sums->images += n;
    sums->loss += weft_fetch_scalar(program, s->loss) * (double)n;
    sums->score += s->example->segment ? score_overlap(logits, s->mask_buffer, pixels, n)
                                       : score_correct(logits, s->data.classes, s->label_buffer, n);
    return WEFT_OK;
}

static tally means(tally sums)
{
    double images = (double)(sums.images ? sums.images : 1);
    return (tally){sums.loss / images, sums.score / images, sums.images};
}

static weft_status train_epoch(session *s, int epoch, const weft_schedule *schedule, progress *bar,
                               tally *result, weft_error *error)
{
    tally sums = {0};
    weft_batches_start(s->train_batches, epoch);
    for (int64_t n = 1; n > 0;) {
        double rate = weft_schedule_at(schedule, weft_state_step(s->state));
        weft_status status = weft_optimizer_set_learning_rate(&s->optimizer, s->state, rate, error);
        if (status == WEFT_OK)
            status = run_batch(s, s->train_batches, &sums, &n, error);
        if (status != WEFT_OK)
            return status;
        *result = means(sums);
        progress_update(bar, epoch, sums.images, result->loss, result->score);
    }
    return WEFT_OK;
}

static weft_status evaluate(session *s, tally *result, weft_error *error)
{
    tally sums = {0};
    weft_status status = WEFT_OK;
    weft_batches_start(s->test_batches, 0);
    for (int64_t n = 1; n > 0 && status == WEFT_OK;)
        status = run_batch(s, s->test_batches, &sums, &n, error);
    *result = means(sums);
    return status;
}

typedef struct outcome {
    tally train, test;
    double train_seconds, seconds;
    int64_t trained; /* images, all epochs together */
} outcome;

static weft_status train(session *s, outcome *result, weft_error *error)
{
    int64_t steps = s->data.train->count / s->options->batch;
    weft_schedule schedule = {
        .kind = WEFT_SCHEDULE_COSINE,
        .rate = s->options->learning_rate,
        .steps = steps * s->options->epochs,
        .warmup = steps / 4,
    };
    progress bar = progress_begin(s->example->segment ? "IoU" : "accuracy", s->options->epochs,
                                  steps * s->options->batch);
    for (int epoch = 0; epoch < s->options->epochs; epoch++) {
        double start = progress_clock();
        weft_status status = train_epoch(s, epoch, &schedule, &bar, &result->train, error);
        result->train_seconds += progress_clock() - start;
        result->trained += result->train.images;
        if (status == WEFT_OK)
            status = evaluate(s, &result->test, error);
        if (status != WEFT_OK)
            return status;
        progress_epoch(&bar, epoch, result->train.loss, result->train.score, result->test.loss,
                       result->test.score);
    }
    result->seconds = progress_clock() - bar.started;
    return WEFT_OK;
}

/* Where the time of the last run went. */
static weft_status print_profile(const weft_program *program, int threads, weft_error *error)
{
    profile_table table = {0};
    weft_roof roof;
    bool made = machine_roof(threads, &roof) && profile_begin(&table, program, &roof, 1);
    if (made) {
        profile_add(&table, program);
        profile_finish(&table);
        profile_print(&table, 25, stdout);
    }
    profile_release(&table);
    return made ? WEFT_OK : out_of_memory(error);
}

/* JSON has no word for a loss that is NaN or infinite. */
static void print_number(const char *name, double value)
{
    if (isfinite(value))
        printf("\"%s\": %.6f, ", name, value);
    else
        printf("\"%s\": null, ", name);
}

static void print_json(const session *s, const outcome *result)
{
    weft_report report = weft_program_report(s->train);
    printf("{");
    print_number("loss", result->train.loss);
    print_number("test_loss", result->test.loss);
    print_number(s->example->segment ? "mean_iou" : "test_accuracy", result->test.score);
    printf("\"epochs\": %d, \"seconds\": %.3f, \"images_per_second\": %.1f, "
           "\"arena_bytes\": %" PRId64 ", \"bound_bytes\": %" PRId64
           ", \"parameters_xxh3\": \"%016" PRIx64 "\"}\n",
           s->options->epochs, result->seconds, (double)result->trained / result->train_seconds,
           report.arena_bytes, report.bound_bytes, weft_state_hash(s->state));
}

static weft_status run(session *s, weft_context *context, weft_error *error)
{
    weft_status status =
        example_data_load(context, s->options, s->example->segment, &s->data, error);
    if (status != WEFT_OK)
        return status;
    s->graph = weft_graph_create(context);
    if (!s->graph)
        return out_of_memory(error);
    status = build(s, error);
    if (status == WEFT_OK)
        status = prepare(s, error);
    outcome result = {0};
    if (status == WEFT_OK)
        status = train(s, &result, error);
    if (status == WEFT_OK && s->options->profile)
        status = print_profile(s->train, weft_context_threads(context), error);
    if (status == WEFT_OK && s->options->json)
        print_json(s, &result);
    return status;
}

int example_run(const char *program, const example *description)
{
    session s = {.example = description, .options = &description->options};
    weft_error error = {.message = "out of memory"};
    weft_context *context =
        weft_context_create(&(weft_context_options){.threads = s.options->threads});
    weft_status status = context ? run(&s, context, &error) : WEFT_ERROR_MEMORY;
    release(&s);
    weft_context_destroy(context);
    if (status != WEFT_OK)
        fprintf(stderr, "%s: %s\n", program, error.message);
    return status == WEFT_OK ? 0 : 1;
}

int example_main(int argc, char **argv, const argument *own, example *description)
{
    int status;
    if (!example_parse(argc, argv, description->purpose, &description->options, own, &status))
        return status;
    return example_run(argv[0], description);
}

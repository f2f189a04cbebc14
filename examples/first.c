/* A first program: a small network learns to tell shapes apart, or the images of a data set.
 *
 * usage: first [DIRECTORY] */
#include "weft/weft.h"

#include <stdio.h>
#include <stdlib.h>

/* Two convolutions and a dense layer: logits [N, classes] for images [N, H, W, C]. */
static weft_value network(weft_value x, int classes)
{
    x = weft_relu(weft_conv2d(x, .filters = 16, .kernel = {3, 3}, .padding = WEFT_SAME));
    x = weft_max_pool(x, .window = {2, 2});
    x = weft_relu(weft_conv2d(x, .filters = 32, .kernel = {3, 3}, .padding = WEFT_SAME));
    x = weft_max_pool(x, .window = {2, 2});
    return weft_dense(weft_flatten(x, 1), .units = classes);
}

static void check(weft_status status, const weft_error *error)
{
    if (status == WEFT_OK)
        return;
    fprintf(stderr, "first: %s\n", error->message);
    exit(1);
}

/* Whether there is a whole batch, and a label for each image. */
static weft_status check_data(const weft_dataset *data, int batch, weft_error *error)
{
    if (!data->labels)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "the images have masks, not labels");
    if (data->count < batch)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "a batch takes %d images; there are %lld",
                              batch, (long long)data->count);
    return WEFT_OK;
}

int main(int argc, char **argv)
{
    enum { BATCH = 50, STEPS = 1000 };
    weft_error error = {.message = "out of memory"};
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = context ? weft_graph_create(context) : NULL;
    check(graph ? WEFT_OK : WEFT_ERROR_MEMORY, &error);

    weft_dataset *data;
    if (argc > 1)
        check(weft_dataset_load_directory(context, argv[1], WEFT_SPLIT_TRAIN, &data, &error),
              &error);
    else
        check(weft_dataset_generate_shapes(context, &(weft_generate_options){.count = 10000}, &data,
                                           &error),
              &error);
    check(check_data(data, BATCH, &error), &error);
    weft_batches *batches;
    check(weft_batches_create(data, &(weft_batch_options){.batch = BATCH, .drop_last = true},
                              &batches, &error),
          &error);

    /* The graph: bytes to reals, the network, its loss, and the updates that make the loss smaller. */
    weft_value images = weft_input(
        graph, .shape = weft_shape_of(WEFT_BATCH, data->height, data->width, data->channels),
        .dtype = WEFT_UINT8);
    weft_value labels = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    weft_value x = weft_cast_real(images, .scale = 1.0 / 128, .offset = -1);
    weft_value loss = weft_sparse_cross_entropy(network(x, data->classes), labels);
    weft_minimize(loss, &(weft_optimizer_options){.kind = WEFT_ADAM}, NULL);

    /* The variables, and the program; an error of any builder comes out here. */
    weft_state *state;
    check(weft_state_create(graph, NULL, &state, &error), &error);
    weft_program *program;
    weft_compile_options options = {
        .mode = WEFT_TRAIN, .fetch = &loss, .fetches = 1, .batch = BATCH};
    check(weft_compile(graph, state, &options, &program, &error), &error);

    size_t bytes = (size_t)(BATCH * data->height * data->width * data->channels);
    uint8_t *image_batch = malloc(bytes);
    int32_t label_batch[BATCH];
    check(image_batch ? WEFT_OK : WEFT_ERROR_MEMORY, &error);
    for (int step = 0, epoch = 0; step < STEPS; step++) {
        while (weft_batches_next(batches, image_batch, label_batch, NULL) == 0)
            weft_batches_start(batches, ++epoch);
        const weft_feed feeds[] = {{images, image_batch, bytes},
                                   {labels, label_batch, sizeof(label_batch)}};
        check(weft_run(program, feeds, 2, NULL, &error), &error);
        if (step % 100 == 99)
            printf("step %4d  loss %.3f\n", step + 1, weft_fetch_scalar(program, loss));
    }
    free(image_batch);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_batches_destroy(batches);
    weft_dataset_destroy(data);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    return 0;
}

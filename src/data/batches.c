/* Batches of a data set: an order for each epoch, and augmentation. */
#include "weft/data.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/random.h"

#include <string.h>

struct weft_batches {
    const weft_dataset *dataset;
    weft_batch_options options;
    int64_t epoch, next;
    int64_t order[]; /* of the samples in this epoch */
};

/* Keeps the numbers of order and augmentation apart. */
enum { STREAM_ORDER = 1, STREAM_AUGMENT = 2 };

static weft_random stream(const weft_batches *batches, uint64_t which, int64_t sample)
{
    weft_philox_block mixed = weft_philox(batches->options.seed, (uint64_t)batches->epoch, which);
    uint64_t key = (uint64_t)mixed.word[0] << 32 | mixed.word[1];
    return weft_random_begin(key, (uint64_t)sample);
}

static size_t bytes_needed(const weft_dataset *dataset)
{
    return sizeof(weft_batches) + (size_t)dataset->count * sizeof(int64_t);
}

weft_status weft_batches_create(const weft_dataset *dataset, const weft_batch_options *options,
                                weft_batches **batches, weft_error *error)
{
    *batches = NULL;
    if (options->batch < 0 || options->crop < 0 || options->crop > INT32_MAX)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "batches of %lld with crops by %lld cannot be",
                              (long long)options->batch, (long long)options->crop);
    if (options->flip_diagonal && dataset->height != dataset->width)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "images of %lld x %lld cannot be transposed in place",
                              (long long)dataset->height, (long long)dataset->width);
    weft_batches *made = weft_allocate(dataset->context, bytes_needed(dataset));
    if (!made)
        return weft_out_of_memory(error, bytes_needed(dataset));
    made->dataset = dataset;
    made->options = *options;
    if (made->options.batch == 0)
        made->options.batch = 1;
    weft_batches_start(made, 0);
    *batches = made;
    return WEFT_OK;
}

void weft_batches_destroy(weft_batches *batches)
{
    if (batches)
        weft_release(batches->dataset->context, batches, bytes_needed(batches->dataset));
}

void weft_batches_start(weft_batches *batches, int64_t epoch)
{
    int64_t count = batches->dataset->count;
    batches->epoch = epoch;
    batches->next = 0;
    for (int64_t i = 0; i < count; i++)
        batches->order[i] = i;
    if (batches->options.in_order)
        return;
    weft_random random = stream(batches, STREAM_ORDER, 0);
    for (int64_t i = count - 1; i > 0; i--) { /* Fisher and Yates */
        int64_t other = weft_random_below(&random, i + 1);
        int64_t kept = batches->order[i];
        batches->order[i] = batches->order[other];
        batches->order[other] = kept;
    }
}

/* Where the pixels of an augmented sample come from. */
typedef struct placement {
    int64_t down, right; /* shift */
    bool flip, flip_vertical, flip_diagonal;
} placement;

static placement draw_placement(const weft_batches *batches, int64_t sample)
{
    const weft_batch_options *options = &batches->options;
    weft_random random = stream(batches, STREAM_AUGMENT, sample);
    uint32_t bits = weft_random_word(&random);
    int64_t down = weft_random_below(&random, 2 * options->crop + 1);
    int64_t right = weft_random_below(&random, 2 * options->crop + 1);
    return (placement){
        .down = down - options->crop,
        .right = right - options->crop,
        .flip = options->flip && (bits & 1),
        .flip_vertical = options->flip_vertical && (bits & 2),
        .flip_diagonal = options->flip_diagonal && (bits & 4),
    };
}

/* Copies one image of `pixel` bytes a pixel. */
static void copy_placed(const placement *place, int64_t height, int64_t width, int64_t pixel,
                        const uint8_t *from, uint8_t *to)
{
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++, to += pixel) {
            int64_t row = (place->flip_vertical ? height - 1 - y : y) + place->down;
            int64_t column = (place->flip ? width - 1 - x : x) + place->right;
            if (row < 0 || row >= height || column < 0 || column >= width) {
                memset(to, 0, (size_t)pixel);
                continue;
            }
            int64_t index = place->flip_diagonal ? column * width + row : row * width + column;
            memcpy(to, from + index * pixel, (size_t)pixel);
        }
}

static void copy_sample(const weft_batches *batches, int64_t sample, int64_t slot, uint8_t *images,
                        int32_t *labels, uint8_t *masks)
{
    const weft_dataset *dataset = batches->dataset;
    const weft_batch_options *options = &batches->options;
    int64_t height = dataset->height, width = dataset->width, pixels = height * width;
    int64_t bytes = pixels * dataset->channels;
    const uint8_t *image = dataset->images + sample * bytes;
    if (labels && dataset->labels)
        labels[slot] = dataset->labels[sample];
    if (!options->crop && !options->flip && !options->flip_vertical && !options->flip_diagonal) {
        memcpy(images + slot * bytes, image, (size_t)bytes);
        if (masks && dataset->masks)
            memcpy(masks + slot * pixels, dataset->masks + sample * pixels, (size_t)pixels);
        return;
    }
    placement place = draw_placement(batches, sample);
    copy_placed(&place, height, width, dataset->channels, image, images + slot * bytes);
    if (masks && dataset->masks)
        copy_placed(&place, height, width, 1, dataset->masks + sample * pixels,
                    masks + slot * pixels);
}

int64_t weft_batches_next(weft_batches *batches, uint8_t *images, int32_t *labels, uint8_t *masks)
{
    int64_t left = batches->dataset->count - batches->next;
    int64_t batch = batches->options.batch;
    if (left < batch)
        batch = batches->options.drop_last ? 0 : left;
    for (int64_t i = 0; i < batch; i++)
        copy_sample(batches, batches->order[batches->next + i], i, images, labels, masks);
    batches->next += batch;
    return batch;
}

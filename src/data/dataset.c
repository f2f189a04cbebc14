#include "data/dataset.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

static bool multiply(size_t *product, int64_t factor)
{
    return !__builtin_mul_overflow(*product, (uint64_t)factor, product) && *product <= INT64_MAX;
}

bool weft_dataset_sizes(const weft_dataset_options *options, size_t *images, size_t *targets)
{
    *images = 1;
    *targets = options->masks ? sizeof(uint8_t) : sizeof(int32_t);
    return multiply(images, options->count) && multiply(images, options->height) &&
           multiply(images, options->width) && multiply(images, options->channels) &&
           multiply(targets, options->count) &&
           (!options->masks ||
            (multiply(targets, options->height) && multiply(targets, options->width)));
}

static weft_status check(const weft_dataset_options *options, weft_error *error)
{
    size_t images, targets;
    if (options->count < 1 || options->height < 1 || options->width < 1 || options->channels < 1 ||
        !weft_dataset_sizes(options, &images, &targets))
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "a data set of %lld images of %lld x %lld x %lld cannot be",
                              (long long)options->count, (long long)options->height,
                              (long long)options->width, (long long)options->channels);
    if (options->classes < 1 || (options->masks && options->classes > 256))
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "a data set of %d classes cannot be",
                              options->classes);
    return WEFT_OK;
}

weft_status weft_dataset_create_raw(weft_context *context, const weft_dataset_options *options,
                                    weft_dataset **dataset, weft_error *error)
{
    *dataset = NULL;
    WEFT_TRY(check(options, error));
    size_t image_bytes, target_bytes;
    weft_dataset_sizes(options, &image_bytes, &target_bytes);
    weft_dataset *made = weft_allocate(context, sizeof(*made));
    if (!made)
        return weft_out_of_memory(error, sizeof(*made));
    *made = (weft_dataset){
        .context = context,
        .count = options->count,
        .height = options->height,
        .width = options->width,
        .channels = options->channels,
        .classes = options->classes,
    };
    made->images = weft_allocate_raw(context, image_bytes, WEFT_ALIGNMENT);
    void *targets = weft_allocate_raw(context, target_bytes, WEFT_ALIGNMENT);
    if (options->masks)
        made->masks = targets;
    else
        made->labels = targets;
    if (!made->images || !targets) {
        weft_dataset_destroy(made);
        return weft_out_of_memory(error, image_bytes + target_bytes);
    }
    *dataset = made;
    return WEFT_OK;
}

weft_status weft_dataset_create(weft_context *context, const weft_dataset_options *options,
                                weft_dataset **dataset, weft_error *error)
{
    WEFT_TRY(weft_dataset_create_raw(context, options, dataset, error));
    size_t image_bytes, target_bytes;
    weft_dataset_sizes(options, &image_bytes, &target_bytes);
    memset((*dataset)->images, 0, image_bytes);
    memset(options->masks ? (void *)(*dataset)->masks : (*dataset)->labels, 0, target_bytes);
    return WEFT_OK;
}

void weft_dataset_destroy(weft_dataset *dataset)
{
    if (!dataset)
        return;
    size_t images, targets;
    weft_dataset_sizes(
        &(weft_dataset_options){
            .count = dataset->count,
            .height = dataset->height,
            .width = dataset->width,
            .channels = dataset->channels,
            .masks = dataset->masks,
        },
        &images, &targets);
    weft_release(dataset->context, dataset->images, images);
    weft_release(dataset->context, dataset->masks, targets);
    weft_release(dataset->context, dataset->labels, targets);
    weft_release(dataset->context, dataset, sizeof(*dataset));
}

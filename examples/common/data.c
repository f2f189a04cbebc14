#include "common/data.h"

#include <math.h>

static weft_status draw(weft_context *context, const example_options *options, bool masks,
                        weft_data_split split, weft_dataset **dataset, weft_error *error)
{
    weft_generate_options generate = {
        .count = split == WEFT_SPLIT_TRAIN ? options->samples : (options->samples + 3) / 4,
        .seed = options->seed,
        .split = split,
    };
    return (masks ? weft_dataset_generate_cells : weft_dataset_generate_shapes)(context, &generate,
                                                                                dataset, error);
}

static weft_status load_split(weft_context *context, const example_options *options, bool masks,
                              weft_data_split split, weft_dataset **dataset, weft_error *error)
{
    if (options->data)
        return weft_dataset_load_directory(context, options->data, split, dataset, error);
    return draw(context, options, masks, split, dataset, error);
}

static weft_status check(const example_data *data, const example_options *options, bool masks,
                         weft_error *error)
{
    const weft_dataset *train = data->train, *test = data->test;
    if (masks ? !train->masks || !test->masks : !train->labels || !test->labels)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "%s has %s, this program needs %s",
                              options->data, masks ? "labels" : "masks",
                              masks ? "masks" : "labels");
    if (train->height != test->height || train->width != test->width ||
        train->channels != test->channels)
        return weft_error_set(error, WEFT_ERROR_SHAPE,
                              "%s: training and test images differ in their extents",
                              options->data);
    if (train->count < options->batch)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "a batch of %d needs as many training images; there are %lld",
                              options->batch, (long long)train->count);
    return WEFT_OK;
}

weft_status example_data_load(weft_context *context, const example_options *options, bool masks,
                              example_data *data, weft_error *error)
{
    *data = (example_data){0};
    weft_status status = load_split(context, options, masks, WEFT_SPLIT_TRAIN, &data->train, error);
    if (status == WEFT_OK)
        status = load_split(context, options, masks, WEFT_SPLIT_TEST, &data->test, error);
    if (status == WEFT_OK)
        status = check(data, options, masks, error);
    if (status == WEFT_OK)
        data->classes =
            data->train->classes > data->test->classes ? data->train->classes : data->test->classes;
    return status;
}

void example_data_release(example_data *data)
{
    weft_dataset_destroy(data->train);
    weft_dataset_destroy(data->test);
}

void example_data_normalization(const example_data *data, double *scale, double *shift)
{
    const weft_dataset *train = data->train;
    int64_t pixels = train->count * train->height * train->width;
    for (int64_t channel = 0; channel < train->channels; channel++) {
        double sum = 0, squares = 0; /* of whole numbers, and so exact */
        for (int64_t i = 0; i < pixels; i++) {
            double value = train->images[i * train->channels + channel];
            sum += value;
            squares += value * value;
        }
        double mean = sum / (double)pixels;
        double deviation = sqrt(fmax(squares / (double)pixels - mean * mean, 1));
        scale[channel] = 1 / deviation;
        shift[channel] = -mean / deviation;
    }
}

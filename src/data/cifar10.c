/* CIFAR-10's binary version: records of one byte of label, then a red, a green and a blue plane of
 * 32 x 32 bytes. https://www.cs.toronto.edu/~kriz/cifar.html */
#include "base/error.h"
#include "data/dataset.h"
#include "data/reader.h"

enum {
    SIDE = 32,
    CHANNELS = 3,
    CLASSES = 10,
    PLANE_BYTES = SIDE * SIDE,
    RECORD_BYTES = 1 + CHANNELS * PLANE_BYTES,
};

/* The records of an opened file, by its size. */
static weft_status count_records(weft_reader *reader, int64_t *records)
{
    *records = 0;
    if (weft_reader_compressed(reader))
        return weft_reader_fail(reader, "is compressed; CIFAR-10's files are read as they are");
    int64_t bytes = weft_reader_bound(reader);
    *records = bytes / RECORD_BYTES;
    if (bytes == 0 || bytes % RECORD_BYTES != 0)
        return weft_reader_fail(reader, "has %lld bytes, not a multiple of a record's %d",
                                (long long)bytes, RECORD_BYTES);
    return WEFT_OK;
}

static weft_status read_records(weft_reader *reader, weft_dataset *dataset, int64_t first,
                                int64_t records)
{
    uint8_t record[RECORD_BYTES];
    for (int64_t i = first; i < first + records; i++) {
        WEFT_TRY(weft_reader_read(reader, record, RECORD_BYTES));
        if (record[0] >= CLASSES)
            return weft_reader_fail(reader, "record %lld has the label %d; there are %d classes",
                                    (long long)(i - first), record[0], CLASSES);
        dataset->labels[i] = record[0];
        uint8_t *image = dataset->images + i * PLANE_BYTES * CHANNELS;
        for (int channel = 0; channel < CHANNELS; channel++)
            for (int pixel = 0; pixel < PLANE_BYTES; pixel++)
                image[pixel * CHANNELS + channel] = record[1 + channel * PLANE_BYTES + pixel];
    }
    return weft_reader_finish(reader);
}

/* Opens one file, counts its records, and reads them if the data set is there already. */
static weft_status visit(weft_context *context, const char *file, weft_dataset *dataset,
                         int64_t *total, weft_error *error)
{
    weft_reader *reader;
    WEFT_TRY(weft_reader_open(context, file, &reader, error));
    int64_t records;
    weft_status status = count_records(reader, &records);
    if (status == WEFT_OK && dataset && *total + records > dataset->count)
        status = weft_reader_fail(reader, "grew while it was read");
    if (status == WEFT_OK && dataset)
        status = read_records(reader, dataset, *total, records);
    weft_reader_close(reader);
    *total += records;
    return status;
}

weft_status weft_dataset_load_cifar10(weft_context *context, const char *const *files, int count,
                                      weft_dataset **dataset, weft_error *error)
{
    *dataset = NULL;
    int64_t total = 0;
    for (int i = 0; i < count; i++)
        WEFT_TRY(visit(context, files[i], NULL, &total, error));
    WEFT_TRY(weft_dataset_create_raw(context,
                                     &(weft_dataset_options){
                                         .count = total,
                                         .height = SIDE,
                                         .width = SIDE,
                                         .channels = CHANNELS,
                                         .classes = CLASSES,
                                     },
                                     dataset, error));
    total = 0;
    for (int i = 0; i < count; i++) {
        weft_status status = visit(context, files[i], *dataset, &total, error);
        if (status != WEFT_OK) {
            weft_dataset_destroy(*dataset);
            *dataset = NULL;
            return status;
        }
    }
    if (total == (*dataset)->count)
        return WEFT_OK;
    weft_dataset_destroy(*dataset);
    *dataset = NULL;
    return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: it changes while it is read",
                          files[count - 1]);
}

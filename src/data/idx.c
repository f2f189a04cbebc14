/* IDX: two zero bytes, the type of the elements, the rank, big-endian 32-bit extents, the elements.
 * http://yann.lecun.com/exdb/mnist/ */
#include "base/error.h"
#include "data/dataset.h"
#include "data/reader.h"

enum {
    TYPE_UNSIGNED_BYTE = 0x08,
    LARGEST_RANK = 4,
    MASK_THRESHOLD = 128,
};

/* An opened file whose header has been read. */
typedef struct idx_file {
    weft_reader *reader;
    weft_shape shape;
} idx_file;

static weft_status read_header(idx_file *file)
{
    weft_reader *reader = file->reader;
    uint8_t magic[4];
    WEFT_TRY(weft_reader_read(reader, magic, sizeof(magic)));
    if (magic[0] != 0 || magic[1] != 0)
        return weft_reader_fail(reader, "is not an IDX file (begins with bytes %02x %02x)",
                                magic[0], magic[1]);
    if (magic[2] != TYPE_UNSIGNED_BYTE)
        return weft_reader_fail(reader,
                                "has elements of type 0x%02x; only unsigned bytes (0x08) "
                                "are read",
                                magic[2]);
    if (magic[3] < 1 || magic[3] > LARGEST_RANK)
        return weft_reader_fail(reader, "has %d dimensions; 1 to 4 are read", magic[3]);
    file->shape.rank = magic[3];
    for (int i = 0; i < file->shape.rank; i++) {
        uint8_t b[4];
        WEFT_TRY(weft_reader_read(reader, b, sizeof(b)));
        file->shape.extent[i] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    }
    char text[100];
    weft_shape_text(file->shape, text, sizeof(text));
    int64_t elements = weft_shape_elements(file->shape); /* 0 also for what overflows */
    if (elements < 1)
        return weft_reader_fail(reader, "claims extents %s, which cannot be", text);
    if (elements > weft_reader_bound(reader))
        return weft_reader_fail(reader, "claims extents %s, more than the file can hold", text);
    return WEFT_OK;
}

static weft_status read_elements(idx_file *file, uint8_t *bytes)
{
    WEFT_TRY(weft_reader_read(file->reader, bytes, (size_t)weft_shape_elements(file->shape)));
    return weft_reader_finish(file->reader);
}

static weft_status check_pair(const idx_file *images, const idx_file *targets)
{
    const weft_shape *image = &images->shape, *target = &targets->shape;
    char image_text[100], target_text[100];
    weft_shape_text(*image, image_text, sizeof(image_text));
    weft_shape_text(*target, target_text, sizeof(target_text));
    if (image->rank < 3)
        return weft_reader_fail(images->reader,
                                "has extents %s; images have 3 or 4 (count, height, width and "
                                "channels)",
                                image_text);
    bool labels = target->rank == 1;
    bool masks = target->rank == 3 && target->extent[1] == image->extent[1] &&
                 target->extent[2] == image->extent[2];
    if ((!labels && !masks) || target->extent[0] != image->extent[0])
        return weft_reader_fail(targets->reader,
                                "has extents %s, neither labels nor masks for images of %s",
                                target_text, image_text);
    return WEFT_OK;
}

static weft_status read_labels(idx_file *file, weft_dataset *dataset)
{
    /* The bytes go into the last quarter of the labels and are widened from the front. */
    uint8_t *bytes = (uint8_t *)(dataset->labels + dataset->count) - dataset->count;
    WEFT_TRY(read_elements(file, bytes));
    for (int64_t i = 0; i < dataset->count; i++) {
        int label = bytes[i];
        dataset->labels[i] = label;
        if (label >= dataset->classes)
            dataset->classes = label + 1;
    }
    return WEFT_OK;
}

static weft_status read_masks(idx_file *file, weft_dataset *dataset)
{
    WEFT_TRY(read_elements(file, dataset->masks));
    int64_t pixels = dataset->count * dataset->height * dataset->width;
    for (int64_t i = 0; i < pixels; i++)
        dataset->masks[i] = dataset->masks[i] >= MASK_THRESHOLD;
    return WEFT_OK;
}

static weft_status load_pair(weft_context *context, idx_file *images, idx_file *targets,
                             weft_dataset **dataset, weft_error *error)
{
    WEFT_TRY(read_header(images));
    WEFT_TRY(read_header(targets));
    WEFT_TRY(check_pair(images, targets));
    const int64_t *extent = images->shape.extent;
    WEFT_TRY(weft_dataset_create_raw(context,
                                     &(weft_dataset_options){
                                         .count = extent[0],
                                         .height = extent[1],
                                         .width = extent[2],
                                         .channels = images->shape.rank == 4 ? extent[3] : 1,
                                         .classes = 2,
                                         .masks = targets->shape.rank == 3,
                                     },
                                     dataset, error));
    WEFT_TRY(read_elements(images, (*dataset)->images));
    return (*dataset)->masks ? read_masks(targets, *dataset) : read_labels(targets, *dataset);
}

weft_status weft_dataset_load_idx(weft_context *context, const char *images, const char *targets,
                                  weft_dataset **dataset, weft_error *error)
{
    idx_file image_file = {0}, target_file = {0};
    *dataset = NULL;
    weft_status status = weft_reader_open(context, images, &image_file.reader, error);
    if (status == WEFT_OK)
        status = weft_reader_open(context, targets, &target_file.reader, error);
    if (status == WEFT_OK)
        status = load_pair(context, &image_file, &target_file, dataset, error);
    weft_reader_close(image_file.reader);
    weft_reader_close(target_file.reader);
    if (status != WEFT_OK) {
        weft_dataset_destroy(*dataset);
        *dataset = NULL;
    }
    return status;
}

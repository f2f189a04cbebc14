/* Data files: what is read, and what is refused without keeping anything. */
#include "support/allocator.h"

#include "config.h"
#include "weft/data.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef WEFT_HAVE_ZLIB
#include <zlib.h>
#endif

enum { COUNT = 4, HEIGHT = 3, WIDTH = 5, PIXELS = COUNT * HEIGHT * WIDTH };

static char folder[] = "/tmp/weft-data-XXXXXX";
static test_allocator allocator;
static weft_context *context;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
}

static void end(void)
{
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0, "something leaked");
    cr_expect_eq(allocator.wrong_releases, 0);
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(data_files, .init = begin, .fini = end);

/* ---- Writing files ---- */

typedef struct bytes {
    uint8_t data[4096];
    size_t count;
} bytes;

static const char *path_of(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void write_file(const char *name, const void *data, size_t count)
{
    FILE *file = fopen(path_of(name), "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, count, file), count);
    fclose(file);
}

static bytes idx_header(int rank, const uint32_t *extent)
{
    bytes made = {{0, 0, 8, (uint8_t)rank}, 4};
    for (int i = 0; i < rank; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            made.data[made.count++] = (uint8_t)(extent[i] >> shift);
    return made;
}

/* Elements with some pattern, each at most `most`. */
static bytes idx_bytes(int rank, const uint32_t *extent, int most)
{
    bytes made = idx_header(rank, extent);
    size_t elements = 1;
    for (int i = 0; i < rank; i++)
        elements *= extent[i];
    for (size_t i = 0; i < elements; i++)
        made.data[made.count++] = (uint8_t)(i * 37 % (unsigned)(most + 1));
    return made;
}

static const uint32_t image_extent[] = {COUNT, HEIGHT, WIDTH};
static const uint32_t colour_extent[] = {COUNT, HEIGHT, WIDTH, 3};

static bytes image_bytes(void)
{
    return idx_bytes(3, image_extent, 255);
}

static bytes label_bytes(void)
{
    return idx_bytes(1, image_extent, 9);
}

static bytes compress_bytes(const bytes *plain)
{
    bytes packed = {.count = 0};
#ifdef WEFT_HAVE_ZLIB
    z_stream stream = {0};
    cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)plain->data;
    stream.avail_in = (uInt)plain->count;
    stream.next_out = packed.data;
    stream.avail_out = sizeof(packed.data);
    cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.count = sizeof(packed.data) - stream.avail_out;
    deflateEnd(&stream);
#else
    (void)plain;
    cr_skip_test("built without zlib");
#endif
    return packed;
}

static weft_status load(weft_dataset **dataset, weft_error *error)
{
    return weft_dataset_load_idx(context, path_of("images"), path_of("targets"), dataset, error);
}

/* Expects an error that names the file, and nothing kept. */
static void expect_refused(weft_status wanted, const char *named)
{
    weft_dataset *dataset = (weft_dataset *)&allocator;
    weft_error error = {0};
    weft_status status = load(&dataset, &error);
    cr_expect_eq(status, wanted, "status %d (%s)", status, error.message);
    cr_expect_eq(error.status, status);
    cr_expect_null(dataset);
    cr_expect_not_null(strstr(error.message, named), "%s", error.message);
    cr_expect_eq(allocator.live_blocks, 1, "only the context should live");
}

/* ---- What is read ---- */

static void check_images_and_labels(const weft_dataset *dataset)
{
    cr_assert_eq(dataset->count, COUNT);
    cr_assert_eq(dataset->height, HEIGHT);
    cr_assert_eq(dataset->width, WIDTH);
    cr_assert_eq(dataset->channels, 1);
    cr_assert_eq(dataset->classes, 8); /* labels 0, 7, 4, 1 */
    cr_assert_null(dataset->masks);
    for (int i = 0; i < PIXELS; i++)
        cr_assert_eq(dataset->images[i], (uint8_t)(i * 37 % 256));
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(dataset->labels[i], i * 37 % 10);
}

Test(data_files, reads_plain_idx)
{
    bytes images = image_bytes(), labels = label_bytes();
    write_file("images", images.data, images.count);
    write_file("targets", labels.data, labels.count);
    weft_dataset *dataset;
    weft_error error;
    int64_t heap = test_heap_calls(), requests = allocator.requests;
    cr_assert_eq(load(&dataset, &error), WEFT_OK, "%s", error.message);
    if (heap > 0) /* they are counted */
        cr_expect_eq(test_heap_calls() - heap, allocator.requests - requests,
                     "memory must come from the context");
    check_images_and_labels(dataset);
    weft_dataset_destroy(dataset);
}

Test(data_files, reads_compressed_idx_through_the_allocator)
{
    bytes images = image_bytes(), labels = label_bytes();
    images = compress_bytes(&images);
    write_file("images", images.data, images.count);
    write_file("targets", labels.data, labels.count);
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(load(&dataset, &error), WEFT_OK, "%s", error.message);
    check_images_and_labels(dataset);
    weft_dataset_destroy(dataset);
    /* Two gzip members after each other are one file (RFC 1952, 2.2). */
    bytes plain = image_bytes(), first = plain, second = {.count = plain.count - 20};
    first.count = 20;
    memcpy(second.data, plain.data + 20, second.count);
    first = compress_bytes(&first);
    second = compress_bytes(&second);
    memcpy(first.data + first.count, second.data, second.count);
    write_file("images", first.data, first.count + second.count);
    cr_assert_eq(load(&dataset, &error), WEFT_OK, "%s", error.message);
    check_images_and_labels(dataset);
    weft_dataset_destroy(dataset);
}

Test(data_files, cuts_masks_at_128)
{
    bytes images = idx_bytes(4, colour_extent, 255), masks = idx_bytes(3, image_extent, 255);
    size_t header = masks.count - PIXELS;
    masks.data[header] = 127;
    masks.data[header + 1] = 128;
    write_file("train-images-idx4-ubyte", images.data, images.count);
    write_file("train-masks-idx3-ubyte", masks.data, masks.count);
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(weft_dataset_load_directory(context, folder, WEFT_SPLIT_TRAIN, &dataset, &error),
                 WEFT_OK, "%s", error.message);
    cr_expect_eq(dataset->channels, 3);
    cr_expect_eq(dataset->classes, 2);
    cr_expect_null(dataset->labels);
    cr_expect_eq(dataset->masks[0], 0);
    cr_expect_eq(dataset->masks[1], 1);
    for (int i = 2; i < PIXELS; i++)
        cr_expect_eq(dataset->masks[i], i * 37 % 256 >= 128);
    weft_dataset_destroy(dataset);
}

Test(data_files, recognizes_the_names_of_mnist)
{
    static const struct {
        const char *images, *labels;
        weft_data_split split;
    } names[] = {
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", WEFT_SPLIT_TRAIN},
        {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", WEFT_SPLIT_TRAIN},
        {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", WEFT_SPLIT_TEST},
        {"t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", WEFT_SPLIT_TEST},
    };
    bytes images = image_bytes(), labels = label_bytes();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        weft_dataset *dataset;
        weft_error error;
        cr_expect_eq(weft_dataset_load_directory(context, folder, names[i].split, &dataset, &error),
                     WEFT_ERROR_NOT_FOUND);
        cr_expect_not_null(strstr(error.message, folder));
        write_file(names[i].images, images.data, images.count);
        write_file(names[i].labels, labels.data, labels.count);
        cr_expect_eq(weft_dataset_load_directory(context, folder, names[i].split, &dataset, &error),
                     WEFT_OK, "%s", error.message);
        check_images_and_labels(dataset);
        weft_dataset_destroy(dataset);
        unlink(path_of(names[i].images));
        unlink(path_of(names[i].labels));
    }
}

Test(data_files, finds_compressed_files_by_name)
{
    bytes images = image_bytes(), labels = label_bytes();
    images = compress_bytes(&images);
    labels = compress_bytes(&labels);
    write_file("t10k-images-idx3-ubyte.gz", images.data, images.count);
    write_file("t10k-labels-idx1-ubyte.gz", labels.data, labels.count);
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(weft_dataset_load_directory(context, folder, WEFT_SPLIT_TEST, &dataset, &error),
                 WEFT_OK, "%s", error.message);
    check_images_and_labels(dataset);
    weft_dataset_destroy(dataset);
}

/* ---- What is refused ---- */

Test(data_files, refuses_every_truncation)
{
    bytes labels = label_bytes();
    write_file("targets", labels.data, labels.count);
    bytes images = image_bytes();
    for (size_t length = 0; length < images.count; length++) {
        write_file("images", images.data, length);
        expect_refused(WEFT_ERROR_FORMAT, "images");
    }
    write_file("images", images.data, images.count);
    for (size_t length = 0; length < labels.count; length++) {
        write_file("targets", labels.data, length);
        expect_refused(WEFT_ERROR_FORMAT, "targets");
    }
}

Test(data_files, refuses_every_truncation_of_a_compressed_file)
{
    bytes labels = label_bytes();
    write_file("targets", labels.data, labels.count);
    bytes images = image_bytes();
    images = compress_bytes(&images);
    for (size_t length = 0; length < images.count; length++) {
        write_file("images", images.data, length);
        expect_refused(WEFT_ERROR_FORMAT, "images");
    }
}

Test(data_files, refuses_every_flipped_bit_of_a_header)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
    for (size_t bit = 0; bit < 8 * (images.count - PIXELS); bit++) {
        bytes flipped = images;
        flipped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        write_file("images", flipped.data, flipped.count);
        weft_dataset *dataset;
        weft_error error;
        cr_expect_eq(load(&dataset, &error), WEFT_ERROR_FORMAT, "bit %zu", bit);
        weft_dataset_destroy(dataset);
    }
}

Test(data_files, refuses_or_survives_every_flipped_bit_of_a_compressed_file)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
    bytes packed = compress_bytes(&images);
    int refused = 0;
    for (size_t bit = 0; bit < 8 * packed.count; bit++) {
        bytes flipped = packed;
        flipped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        write_file("images", flipped.data, flipped.count);
        weft_dataset *dataset;
        weft_error error;
        if (load(&dataset, &error) == WEFT_OK) {
            check_images_and_labels(dataset); /* a bit of the time stamp, or of what pads */
        } else
            refused++;
        weft_dataset_destroy(dataset);
    }
    cr_expect_geq(refused, 8 * ((int)packed.count - 8));
}

Test(data_files, refuses_extents_that_cannot_be)
{
    static const uint32_t extents[][4] = {
        {0, HEIGHT, WIDTH, 1},
        {COUNT, 0, WIDTH, 1},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
        {0x80000000, 0x80000000, 2, 1},
        {60000, 65535, 65535, 4},
        {0xffffffff, 1, 1, 1},
    };
    bytes labels = label_bytes();
    write_file("targets", labels.data, labels.count);
    for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
        bytes images = idx_header(4, extents[i]);
        write_file("images", images.data, images.count + 100);
        expect_refused(WEFT_ERROR_FORMAT, "claims extents");
#ifdef WEFT_HAVE_ZLIB
        images = compress_bytes(&images);
        write_file("images", images.data, images.count);
        expect_refused(WEFT_ERROR_FORMAT, "images");
#endif
    }
}

Test(data_files, refuses_what_follows_the_end)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
    images.data[images.count] = 0;
    write_file("images", images.data, images.count + 1);
    expect_refused(WEFT_ERROR_FORMAT, "goes on after its end");
    labels.data[labels.count] = 0;
    write_file("images", images.data, images.count);
    write_file("targets", labels.data, labels.count + 1);
    expect_refused(WEFT_ERROR_FORMAT, "goes on after its end");
}

Test(data_files, refuses_what_follows_the_end_of_a_compressed_file)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
    bytes longer = images;
    longer.count++;
    longer = compress_bytes(&longer);
    write_file("images", longer.data, longer.count);
    expect_refused(WEFT_ERROR_FORMAT, "goes on after its end");
    bytes packed = compress_bytes(&images);
    packed.data[packed.count] = 'x';
    write_file("images", packed.data, packed.count + 1);
    expect_refused(WEFT_ERROR_FORMAT, "images");
}

Test(data_files, refuses_targets_that_do_not_belong_to_the_images)
{
    static const struct {
        int rank;
        uint32_t extent[4];
    } wrong[] = {
        {1, {COUNT + 1}},
        {2, {COUNT, 1}},
        {3, {COUNT, HEIGHT, WIDTH + 1}},
        {3, {COUNT + 1, HEIGHT, WIDTH}},
        {4, {COUNT, HEIGHT, WIDTH, 1}},
    };
    bytes images = image_bytes();
    write_file("images", images.data, images.count);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bytes targets = idx_bytes(wrong[i].rank, wrong[i].extent, 9);
        write_file("targets", targets.data, targets.count);
        expect_refused(WEFT_ERROR_FORMAT, "neither labels nor masks");
    }
    images = label_bytes();
    write_file("images", images.data, images.count);
    expect_refused(WEFT_ERROR_FORMAT, "images have 3 or 4");
}

Test(data_files, refuses_other_kinds_of_files)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
    expect_refused(WEFT_ERROR_IO, "images");
    images.data[2] = 0x0d;
    write_file("images", images.data, images.count);
    expect_refused(WEFT_ERROR_FORMAT, "type 0x0d");
    write_file("images", "P5 28 28 255", 12);
    expect_refused(WEFT_ERROR_FORMAT, "not an IDX file");
    weft_dataset *dataset;
    weft_error error;
    cr_expect_eq(weft_dataset_load_idx(context, folder, folder, &dataset, &error), WEFT_ERROR_IO);
    cr_expect_not_null(strstr(error.message, "not a regular file"));
    cr_expect_eq(
        weft_dataset_load_directory(context, "/no/such/place", WEFT_SPLIT_TEST, &dataset, &error),
        WEFT_ERROR_IO);
    cr_expect_not_null(strstr(error.message, "/no/such/place"));
}

Test(data_files, refuses_a_fifo, .timeout = 20)
{
    bytes labels = label_bytes();
    write_file("targets", labels.data, labels.count);
    cr_assert_eq(mkfifo(path_of("images"), 0600), 0);
    expect_refused(WEFT_ERROR_IO, "images: not a regular file");
}

Test(data_files, comes_through_every_failed_allocation)
{
    bytes labels = label_bytes(), images = image_bytes();
    write_file("targets", labels.data, labels.count);
#ifdef WEFT_HAVE_ZLIB
    images = compress_bytes(&images);
#endif
    write_file("images", images.data, images.count);
    int64_t before = allocator.requests;
    weft_status status = WEFT_ERROR_MEMORY;
    int failures = 0;
    for (int n = 1; status != WEFT_OK; n++) {
        allocator.fail_at = allocator.requests + n;
        weft_dataset *dataset;
        weft_error error = {0};
        status = load(&dataset, &error);
        if (status == WEFT_OK)
            weft_dataset_destroy(dataset);
        else {
            failures++;
            cr_assert_eq(status, WEFT_ERROR_MEMORY, "%s", error.message);
            cr_assert_eq(allocator.live_blocks, 1);
        }
    }
    allocator.fail_at = 0;
    cr_expect_geq(failures, 5);
    cr_expect_gt(allocator.requests, before);
}

/* ---- CIFAR-10 ---- */

enum { CIFAR_RECORD = 1 + 3 * 1024 };

static void write_cifar(const char *name, int records, int first_label)
{
    FILE *file = fopen(path_of(name), "wb");
    cr_assert_not_null(file);
    for (int i = 0; i < records; i++) {
        fputc((first_label + i) % 10, file);
        for (int plane = 0; plane < 3; plane++)
            for (int pixel = 0; pixel < 1024; pixel++)
                fputc((pixel * 3 + plane + i) & 255, file);
    }
    fclose(file);
}

Test(data_files, reads_cifar10)
{
    for (int i = 1; i <= 5; i++) {
        char name[40];
        snprintf(name, sizeof(name), "data_batch_%d.bin", i);
        weft_dataset *none;
        weft_error error;
        cr_expect_eq(weft_dataset_load_directory(context, folder, WEFT_SPLIT_TRAIN, &none, &error),
                     WEFT_ERROR_NOT_FOUND);
        write_cifar(name, i, i);
    }
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(weft_dataset_load_directory(context, folder, WEFT_SPLIT_TRAIN, &dataset, &error),
                 WEFT_OK, "%s", error.message);
    cr_expect_eq(dataset->count, 15);
    cr_expect_eq(dataset->channels, 3);
    cr_expect_eq(dataset->classes, 10);
    cr_expect_eq(dataset->labels[14], 9);
    cr_expect_eq(dataset->labels[10], 5);
    const uint8_t *image = dataset->images + 14 * 3072; /* record 4 of its file */
    for (int i = 0; i < 3072; i++)
        cr_assert_eq(image[i], (uint8_t)(i + 4));
    weft_dataset_destroy(dataset);
}

Test(data_files, finds_cifar10_in_its_folder)
{
    cr_assert_eq(mkdir(path_of("cifar-10-batches-bin"), 0700), 0);
    write_cifar("cifar-10-batches-bin/test_batch.bin", 2, 3);
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(weft_dataset_load_directory(context, folder, WEFT_SPLIT_TEST, &dataset, &error),
                 WEFT_OK, "%s", error.message);
    cr_expect_eq(dataset->count, 2);
    cr_expect_eq(dataset->labels[1], 4);
    weft_dataset_destroy(dataset);
}

static void expect_cifar_refused(const char *words)
{
    const char *files[] = {path_of("good.bin"), path_of("bad.bin")};
    weft_dataset *dataset;
    weft_error error = {0};
    cr_expect_eq(weft_dataset_load_cifar10(context, files, 2, &dataset, &error), WEFT_ERROR_FORMAT);
    cr_expect_not_null(strstr(error.message, "bad.bin"), "%s", error.message);
    cr_expect_not_null(strstr(error.message, words), "%s", error.message);
    cr_expect_eq(allocator.live_blocks, 1);
}

Test(data_files, refuses_bad_cifar10)
{
    write_cifar("good.bin", 2, 0);
    write_cifar("bad.bin", 2, 0);
    static const long lengths[] = {0, 1, CIFAR_RECORD - 1, CIFAR_RECORD + 1, 2 * CIFAR_RECORD - 1};
    for (int i = 4; i >= 0; i--) {
        cr_assert_eq(truncate(path_of("bad.bin"), lengths[i]), 0);
        expect_cifar_refused("multiple");
    }
    uint8_t record[CIFAR_RECORD] = {10};
    write_file("bad.bin", record, sizeof(record));
    expect_cifar_refused("label 10");
    record[0] = 0x1f;
    record[1] = 0x8b;
    write_file("bad.bin", record, sizeof(record));
#ifdef WEFT_HAVE_ZLIB
    expect_cifar_refused("compressed");
#endif
}

/* Generators and batches: the same in every run, and what they promise. */
#include "support/allocator.h"

#include "weft/data.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static test_allocator allocator;
static weft_context *context;

static void begin(void)
{
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
}

static void end(void)
{
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0, "something leaked");
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(data_batches, .init = begin, .fini = end);

typedef weft_status generate(weft_context *context, const weft_generate_options *options,
                             weft_dataset **dataset, weft_error *error);

static weft_dataset *make(generate *generator, weft_generate_options options)
{
    weft_dataset *dataset;
    weft_error error;
    cr_assert_eq(generator(context, &options, &dataset, &error), WEFT_OK, "%s", error.message);
    return dataset;
}

static size_t image_bytes(const weft_dataset *dataset)
{
    return (size_t)(dataset->count * dataset->height * dataset->width * dataset->channels);
}

/* ---- Generators ---- */

static void check_generator(generate *generator)
{
    weft_dataset *few = make(generator, (weft_generate_options){.count = 12, .seed = 5});
    weft_dataset *more = make(generator, (weft_generate_options){.count = 20, .seed = 5});
    weft_dataset *other = make(generator, (weft_generate_options){.count = 12, .seed = 6});
    weft_dataset *test =
        make(generator, (weft_generate_options){.count = 12, .seed = 5, .split = WEFT_SPLIT_TEST});
    size_t bytes = image_bytes(few), pixels = (size_t)(12 * few->height * few->width);
    cr_expect_eq(memcmp(few->images, more->images, bytes), 0);
    cr_expect_neq(memcmp(few->images, other->images, bytes), 0);
    cr_expect_neq(memcmp(few->images, test->images, bytes), 0);
    if (few->masks)
        cr_expect_eq(memcmp(few->masks, more->masks, pixels), 0);
    else
        cr_expect_eq(memcmp(few->labels, more->labels, 12 * sizeof(int32_t)), 0);
    weft_dataset_destroy(few);
    weft_dataset_destroy(more);
    weft_dataset_destroy(other);
    weft_dataset_destroy(test);

    weft_dataset *none;
    weft_error error;
    cr_expect_eq(generator(context, &(weft_generate_options){.size = 8}, &none, &error),
                 WEFT_ERROR_ARGUMENT);
    cr_expect_null(none);
    for (int n = 1; n <= 4; n++) {
        allocator.fail_at = allocator.requests + n;
        cr_expect_eq(generator(context, &(weft_generate_options){.count = 2}, &none, &error),
                     WEFT_ERROR_MEMORY);
    }
}

Test(data_batches, shapes_are_the_same_in_every_run)
{
    check_generator(weft_dataset_generate_shapes);
}

Test(data_batches, cells_are_the_same_in_every_run)
{
    check_generator(weft_dataset_generate_cells);
}

Test(data_batches, shapes_have_ten_balanced_classes_that_their_mean_does_not_tell)
{
    weft_dataset *set = make(weft_dataset_generate_shapes, (weft_generate_options){.count = 2000});
    cr_assert_eq(set->classes, 10);
    int64_t bytes = set->height * set->width * set->channels;
    double mean[10] = {0};
    int count[10] = {0};
    for (int64_t i = 0; i < set->count; i++) {
        count[set->labels[i]]++;
        for (int64_t j = 0; j < bytes; j++)
            mean[set->labels[i]] += set->images[i * bytes + j] / (double)bytes / 200;
    }
    for (int label = 0; label < 10; label++) {
        cr_expect_eq(count[label], 200);
        cr_expect_float_eq(mean[label], mean[0], 15);
        cr_expect_gt(strlen(weft_shapes_class_name(label)), 0);
    }
    cr_expect_str_eq(weft_shapes_class_name(10), "");
    weft_dataset_destroy(set);
}

Test(data_batches, cells_are_in_every_picture_and_leave_ground)
{
    weft_dataset *set = make(weft_dataset_generate_cells, (weft_generate_options){.count = 200});
    int64_t pixels = set->height * set->width, total = 0;
    for (int64_t i = 0; i < set->count; i++) {
        int64_t covered = 0;
        for (int64_t j = 0; j < pixels; j++) {
            cr_assert_leq(set->masks[i * pixels + j], 1);
            covered += set->masks[i * pixels + j];
        }
        cr_expect(covered > 20 && covered < pixels / 2, "picture %d: %d", (int)i, (int)covered);
        total += covered;
    }
    double share = (double)total / (double)(pixels * set->count);
    cr_expect(share > 0.05 && share < 0.25, "%g", share);
    weft_dataset_destroy(set);
}

/* ---- Batches ---- */

/* A data set of 1 x 1 images whose pixel and label are the sample's number. */
static weft_dataset *numbered(int count)
{
    weft_dataset *set;
    weft_error error;
    cr_assert_eq(weft_dataset_create(
                     context,
                     &(weft_dataset_options){
                         .count = count, .height = 1, .width = 1, .channels = 1, .classes = count},
                     &set, &error),
                 WEFT_OK);
    for (int i = 0; i < count; i++) {
        set->images[i] = (uint8_t)i;
        set->labels[i] = i;
    }
    return set;
}

static weft_batches *iterate(const weft_dataset *set, weft_batch_options options)
{
    weft_batches *batches;
    weft_error error;
    cr_assert_eq(weft_batches_create(set, &options, &batches, &error), WEFT_OK, "%s",
                 error.message);
    return batches;
}

/* The order of a whole epoch; checks sizes of batches, and that labels go with images. */
static void collect(weft_batches *batches, int batch, int count, int32_t *order)
{
    uint8_t images[256];
    int seen = 0;
    int64_t got;
    while ((got = weft_batches_next(batches, images, order + seen, NULL)) > 0) {
        cr_expect_eq(got, seen + batch <= count ? batch : count - seen);
        for (int i = 0; i < got; i++)
            cr_expect_eq(images[i], order[seen + i]);
        seen += (int)got;
    }
    cr_assert_eq(seen, count);
    cr_expect_eq(weft_batches_next(batches, images, NULL, NULL), 0);
}

Test(data_batches, an_epoch_is_a_permutation_of_its_own)
{
    enum { COUNT = 100 };
    weft_dataset *set = numbered(COUNT);
    weft_batches *sevens = iterate(set, (weft_batch_options){.batch = 7, .seed = 3});
    weft_batches *tens = iterate(set, (weft_batch_options){.batch = 10, .seed = 3});
    weft_batches *seeded = iterate(set, (weft_batch_options){.batch = 10, .seed = 4});
    int32_t first[COUNT], second[COUNT], third[COUNT];
    collect(sevens, 7, COUNT, first);
    collect(tens, 10, COUNT, second);
    collect(seeded, 10, COUNT, third);
    cr_expect_arr_eq(first, second, sizeof(first));
    cr_expect_arr_neq(first, third, sizeof(first));
    bool seen[COUNT] = {false};
    int moved = 0;
    for (int i = 0; i < COUNT; i++) {
        cr_expect_not(seen[first[i]]);
        seen[first[i]] = true;
        moved += first[i] != i;
    }
    cr_expect_gt(moved, 80);
    weft_batches_start(sevens, 1);
    collect(sevens, 7, COUNT, second);
    cr_expect_arr_neq(first, second, sizeof(first));
    weft_batches_start(sevens, 0);
    collect(sevens, 7, COUNT, second);
    cr_expect_arr_eq(first, second, sizeof(first));
    weft_batches_destroy(sevens);
    weft_batches_destroy(tens);
    weft_batches_destroy(seeded);
    weft_dataset_destroy(set);
}

Test(data_batches, in_order_and_without_the_rest)
{
    weft_dataset *set = numbered(10);
    weft_batches *batches =
        iterate(set, (weft_batch_options){.batch = 4, .in_order = true, .drop_last = true});
    uint8_t images[4];
    int32_t labels[4];
    cr_expect_eq(weft_batches_next(batches, images, labels, NULL), 4);
    cr_expect_arr_eq(labels, ((int32_t[]){0, 1, 2, 3}), sizeof(labels));
    cr_expect_eq(weft_batches_next(batches, images, labels, NULL), 4);
    cr_expect_eq(labels[3], 7);
    cr_expect_eq(weft_batches_next(batches, images, labels, NULL), 0);
    weft_batches_destroy(batches);
    weft_dataset_destroy(set);
}

Test(data_batches, running_allocates_nothing)
{
    weft_dataset *set = make(weft_dataset_generate_cells, (weft_generate_options){.count = 6});
    weft_batches *batches = iterate(set, (weft_batch_options){.batch = 4, .crop = 3, .flip = true});
    static uint8_t images[4 * 96 * 96], masks[4 * 96 * 96];
    int64_t requests = allocator.requests, heap = test_heap_calls();
    for (int epoch = 0; epoch < 3; epoch++) {
        weft_batches_start(batches, epoch);
        while (weft_batches_next(batches, images, NULL, masks) > 0)
            continue;
    }
    cr_expect_eq(allocator.requests, requests);
    cr_expect_eq(test_heap_calls(), heap);
    weft_batches_destroy(batches);
    weft_dataset_destroy(set);
}

/* A picture whose pixels are numbered from 1, the same in image and mask; many samples of it. */
enum { SIDE = 5, SAMPLES = 400 };

static weft_dataset *squares(void)
{
    weft_dataset *set;
    weft_error error;
    weft_dataset_options options = {.count = SAMPLES,
                                    .height = SIDE,
                                    .width = SIDE,
                                    .channels = 2,
                                    .classes = 26,
                                    .masks = true};
    cr_assert_eq(weft_dataset_create(context, &options, &set, &error), WEFT_OK);
    for (int i = 0; i < SAMPLES * SIDE * SIDE; i++) {
        set->masks[i] = (uint8_t)(1 + i % (SIDE * SIDE));
        set->images[2 * i] = set->masks[i];
        set->images[2 * i + 1] = (uint8_t)(100 + set->masks[i]);
    }
    return set;
}

Test(data_batches, flips_give_the_eight_symmetries_of_image_and_mask)
{
    weft_dataset *set = squares();
    weft_batches *batches = iterate(
        set, (weft_batch_options){
                 .batch = SAMPLES, .flip = true, .flip_vertical = true, .flip_diagonal = true});
    static uint8_t images[SAMPLES * SIDE * SIDE * 2], masks[SAMPLES * SIDE * SIDE];
    cr_assert_eq(weft_batches_next(batches, images, NULL, masks), SAMPLES);
    int seen[8] = {0};
    for (int i = 0; i < SAMPLES; i++) {
        const uint8_t *mask = masks + i * SIDE * SIDE;
        /* The corner that came to the front, and whether rows became columns, tell the symmetry. */
        int corner = mask[0] == 1 ? 0 : mask[0] == SIDE ? 1 : mask[0] == 21 ? 2 : 3;
        bool turned = abs(mask[1] - mask[0]) != 1;
        seen[corner * 2 + turned]++;
        for (int j = 0; j < SIDE * SIDE; j++) {
            cr_assert_eq(images[(i * SIDE * SIDE + j) * 2], mask[j]);
            cr_assert_eq(images[(i * SIDE * SIDE + j) * 2 + 1], 100 + mask[j]);
        }
    }
    for (int i = 0; i < 8; i++)
        cr_expect(seen[i] > 25 && seen[i] < 80, "symmetry %d: %d of %d", i, seen[i], SAMPLES);
    weft_batches_destroy(batches);
    weft_dataset_destroy(set);
}

Test(data_batches, crops_shift_by_every_distance_and_fill_with_zeros)
{
    weft_dataset *set = squares();
    weft_batches *batches = iterate(set, (weft_batch_options){.batch = SAMPLES, .crop = 1});
    static uint8_t images[SAMPLES * SIDE * SIDE * 2], masks[SAMPLES * SIDE * SIDE];
    cr_assert_eq(weft_batches_next(batches, images, NULL, masks), SAMPLES);
    int seen[3][3] = {{0}};
    for (int i = 0; i < SAMPLES; i++) {
        const uint8_t *mask = masks + i * SIDE * SIDE;
        int middle = mask[SIDE * SIDE / 2] - 1; /* 12 if not shifted */
        int down = middle / SIDE - SIDE / 2, right = middle % SIDE - SIDE / 2;
        cr_assert(abs(down) <= 1 && abs(right) <= 1);
        seen[down + 1][right + 1]++;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int row = y + down, column = x + right;
                bool inside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
                cr_assert_eq(mask[y * SIDE + x], inside ? 1 + row * SIDE + column : 0);
            }
    }
    for (int i = 0; i < 9; i++)
        cr_expect_gt(seen[i / 3][i % 3], 20);
    weft_batches_destroy(batches);
    weft_dataset_destroy(set);
}

Test(data_batches, augmentation_depends_on_the_sample_and_not_on_the_batch)
{
    weft_dataset *set =
        make(weft_dataset_generate_shapes, (weft_generate_options){.count = 30, .size = 16});
    int64_t bytes = 16 * 16 * 3;
    uint8_t *one = malloc((size_t)(30 * bytes)), *other = malloc((size_t)(30 * bytes));
    weft_batch_options options = {.seed = 9, .crop = 4, .flip = true};
    options.batch = 30;
    weft_batches *whole = iterate(set, options);
    options.batch = 4;
    weft_batches *parts = iterate(set, options);
    weft_batches_start(whole, 2);
    weft_batches_start(parts, 1);
    cr_assert_eq(weft_batches_next(parts, other, NULL, NULL), 4);
    weft_batches_start(parts, 2);
    cr_assert_eq(weft_batches_next(whole, one, NULL, NULL), 30);
    int64_t got, seen = 0;
    while ((got = weft_batches_next(parts, other + seen * bytes, NULL, NULL)) > 0)
        seen += got;
    cr_expect_eq(memcmp(one, other, (size_t)(30 * bytes)), 0);
    weft_batches_start(whole, 3);
    cr_assert_eq(weft_batches_next(whole, other, NULL, NULL), 30);
    cr_expect_neq(memcmp(one, other, (size_t)(30 * bytes)), 0);
    free(one);
    free(other);
    weft_batches_destroy(whole);
    weft_batches_destroy(parts);
    weft_dataset_destroy(set);
}

Test(data_batches, refuses_what_cannot_be)
{
    weft_dataset *none;
    weft_error error;
    weft_dataset_options large = {INT64_MAX / 2, 3, 3, 3, 2, false};
    cr_expect_eq(weft_dataset_create(context, &large, &none, &error), WEFT_ERROR_ARGUMENT);
    cr_expect_eq(
        weft_dataset_create(context, &(weft_dataset_options){1, 1, 0, 1, 2, false}, &none, &error),
        WEFT_ERROR_ARGUMENT);
    weft_dataset *set;
    cr_assert_eq(
        weft_dataset_create(context, &(weft_dataset_options){2, 3, 4, 1, 2, false}, &set, &error),
        WEFT_OK);
    weft_batches *batches;
    cr_expect_eq(weft_batches_create(set, &(weft_batch_options){.batch = -1}, &batches, &error),
                 WEFT_ERROR_ARGUMENT);
    cr_expect_eq(
        weft_batches_create(set, &(weft_batch_options){.flip_diagonal = true}, &batches, &error),
        WEFT_ERROR_ARGUMENT);
    cr_expect_null(batches);
    weft_dataset_destroy(set);
}

/* Data sets in memory: read from files or drawn by a generator, and handed out in batches.
 *
 * Each function that makes one of these writes it for the caller to destroy; on an error, NULL. All give
 * WEFT_ERROR_MEMORY where memory is short, and WEFT_ERROR_ARGUMENT for options that cannot be. */
#ifndef WEFT_DATA_H
#define WEFT_DATA_H

#include "weft/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Images with a label each, or with a mask each. Made by the functions below, which allocate through
 * the context; the arrays may be read and written, the other fields only read. */
typedef struct weft_dataset {
    weft_context *context;
    int64_t count, height, width, channels;
    int classes;     /* labels and elements of masks lie in [0, classes) */
    uint8_t *images; /* [count, height, width, channels] */
    int32_t *labels; /* [count]; NULL where there are masks */
    uint8_t *masks;  /* [count, height, width]; NULL where there are labels */
} weft_dataset;

typedef enum weft_data_split { WEFT_SPLIT_TRAIN = 0, WEFT_SPLIT_TEST } weft_data_split;

typedef struct weft_dataset_options {
    int64_t count, height, width, channels; /* 1 at least */
    int classes;                            /* 1 at least; with masks 256 at most */
    bool masks;                             /* instead of labels */
} weft_dataset_options;

/* A data set whose arrays are zeroed, to be filled by the caller. The context must outlive it. */
WEFT_API weft_status weft_dataset_create(weft_context *context, const weft_dataset_options *options,
                                         weft_dataset **dataset, weft_error *error);
/* NULL is allowed. */
WEFT_API void weft_dataset_destroy(weft_dataset *dataset);

/* ---- Files ----
 *
 * A file that is cut off, corrupt, claims more than it holds or goes on after its end is an error
 * (WEFT_ERROR_FORMAT) whose message names the file; nothing is kept then. WEFT_ERROR_IO: it cannot be read.
 * IDX files that begin like gzip are decompressed, if the library has zlib (else WEFT_ERROR_UNSUPPORTED);
 * CIFAR-10's are read as they are. */

/* Reads the training or test part of the data set that lies in a directory. Recognized are
 *   MNIST, Fashion-MNIST   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...
 *   images with masks      train-images-idx4-ubyte, train-masks-idx3-ubyte, test-...
 *   CIFAR-10 (binary)      data_batch_1.bin ... data_batch_5.bin, test_batch.bin, also in
 *                          cifar-10-batches-bin/
 * IDX files may end in .gz, and may be called train-images.idx3-ubyte as well. WEFT_ERROR_NOT_FOUND: none
 * of these is there, or only some of CIFAR-10's files. */
WEFT_API weft_status weft_dataset_load_directory(weft_context *context, const char *directory,
                                                 weft_data_split split, weft_dataset **dataset,
                                                 weft_error *error);

/* Reads two IDX files (LeCun's format: two zero bytes, type, rank, big-endian extents, elements; here
 * unsigned bytes): images of rank 3 or 4 (channels last), and targets of rank 1 (labels) or 3 (masks,
 * whose elements of 128 and above become 1, the others 0). With labels, classes is the highest label
 * plus 1, at least 2. */
WEFT_API weft_status weft_dataset_load_idx(weft_context *context, const char *images,
                                           const char *targets, weft_dataset **dataset,
                                           weft_error *error);

/* Reads CIFAR-10's binary files one after the other: records of a label and three planes of 32 x 32
 * (Krizhevsky 2009), which become channels. */
WEFT_API weft_status weft_dataset_load_cifar10(weft_context *context, const char *const *files,
                                               int count, weft_dataset **dataset,
                                               weft_error *error);

/* ---- Generators ----
 *
 * Sample i is a pure function of seed, split and i: a larger count begins with the same samples. */

typedef struct weft_generate_options {
    int64_t count; /* of samples; 0: 1000 */
    int64_t size;  /* height and width, 16 to 4096; 0: 32 for shapes, 96 for cells */
    uint64_t seed;
    weft_data_split split; /* training and test samples are different ones */
} weft_generate_options;

/* Ten classes of shapes in colour (disc, ring, square, frame, triangle, star, plus, crescent, bow tie,
 * two bars), anywhere, in any size, rotation and colour, partly hidden, on uneven ground among lines
 * and spots, under noise. Size, position and colours say nothing about the class. */
WEFT_API weft_status weft_dataset_generate_shapes(weft_context *context,
                                                  const weft_generate_options *options,
                                                  weft_dataset **dataset, weft_error *error);
WEFT_API const char *weft_shapes_class_name(int label);

/* Grey pictures of cells as under a microscope with masks (1: cell): textured blobs of different
 * brightness, many of them touching, under uneven light, with spots out of focus and specks of dust
 * (not cells), and noise. */
WEFT_API weft_status weft_dataset_generate_cells(weft_context *context,
                                                 const weft_generate_options *options,
                                                 weft_dataset **dataset, weft_error *error);

/* ---- Batches ---- */

/* An iterator over a data set, epoch by epoch. Order and augmentation of a sample depend on seed, epoch
 * and the sample only, neither on the size of the batch nor on what was asked for before. */
typedef struct weft_batches weft_batches;

typedef struct weft_batch_options {
    int64_t batch; /* samples in a batch; 0: 1 */
    uint64_t seed;
    bool in_order;      /* default: shuffled anew in each epoch */
    bool drop_last;     /* leave out a last batch that is smaller */
    int64_t crop;       /* augmentation: shift by up to so many pixels, zeros coming in */
    bool flip;          /* mirror left and right, every second sample by chance */
    bool flip_vertical; /* mirror top and bottom likewise */
    bool flip_diagonal; /* transpose likewise; other images than square ones are an error */
} weft_batch_options;

/* The data set must outlive the iterator, which stands before epoch 0. */
WEFT_API weft_status weft_batches_create(const weft_dataset *dataset,
                                         const weft_batch_options *options, weft_batches **batches,
                                         weft_error *error);
/* NULL is allowed. */
WEFT_API void weft_batches_destroy(weft_batches *batches);

/* Goes to the beginning of an epoch. Allocates nothing. */
WEFT_API void weft_batches_start(weft_batches *batches, int64_t epoch);

/* Copies the next batch: images [n, height, width, channels] and, where not NULL, its labels [n] or
 * masks [n, height, width], for each the array that the data set has. Returns n: the size of a batch,
 * less for the last one, 0 at the end of the epoch. Allocates nothing. */
WEFT_API int64_t weft_batches_next(weft_batches *batches, uint8_t *images, int32_t *labels,
                                   uint8_t *masks);

#ifdef __cplusplus
}
#endif
#endif

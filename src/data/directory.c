/* Which data set lies in a directory. */
#include "weft/data.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The names of pairs of IDX files, without ".gz". */
static const struct {
    weft_data_split split;
    const char *images, *targets;
} idx_names[] = {
    {WEFT_SPLIT_TRAIN, "train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    {WEFT_SPLIT_TRAIN, "train-images.idx3-ubyte", "train-labels.idx1-ubyte"},
    {WEFT_SPLIT_TRAIN, "train-images-idx4-ubyte", "train-masks-idx3-ubyte"},
    {WEFT_SPLIT_TRAIN, "train-images-idx3-ubyte", "train-masks-idx3-ubyte"},
    {WEFT_SPLIT_TRAIN, "train-images-idx4-ubyte", "train-labels-idx1-ubyte"},
    {WEFT_SPLIT_TEST, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
    {WEFT_SPLIT_TEST, "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
    {WEFT_SPLIT_TEST, "test-images-idx4-ubyte", "test-masks-idx3-ubyte"},
    {WEFT_SPLIT_TEST, "test-images-idx3-ubyte", "test-masks-idx3-ubyte"},
    {WEFT_SPLIT_TEST, "test-images-idx4-ubyte", "test-labels-idx1-ubyte"},
    {WEFT_SPLIT_TEST, "test-images-idx3-ubyte", "test-labels-idx1-ubyte"},
};

enum { CIFAR_TRAIN_FILES = 5 };

static const char *const cifar_folders[] = {".", "cifar-10-batches-bin"};

/* Writes directory/name and ending; false where there is no such file. */
static bool find(const char *directory, const char *name, const char *ending, char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s%s", directory, name, ending);
    return length > 0 && length < PATH_MAX && access(path, F_OK) == 0;
}

static bool find_idx(const char *directory, const char *name, char path[PATH_MAX])
{
    return find(directory, name, "", path) || find(directory, name, ".gz", path);
}

/* Looks for CIFAR-10's files; the number of those found in the first folder that has any. */
static int find_cifar(const char *directory, weft_data_split split,
                      char path[CIFAR_TRAIN_FILES][PATH_MAX])
{
    for (size_t i = 0; i < sizeof(cifar_folders) / sizeof(cifar_folders[0]); i++) {
        char name[64];
        int found = 0;
        if (split == WEFT_SPLIT_TEST) {
            snprintf(name, sizeof(name), "%s/test_batch.bin", cifar_folders[i]);
            found = find(directory, name, "", path[0]);
        }
        for (int batch = 1; split == WEFT_SPLIT_TRAIN && batch <= CIFAR_TRAIN_FILES; batch++) {
            snprintf(name, sizeof(name), "%s/data_batch_%d.bin", cifar_folders[i], batch);
            found += find(directory, name, "", path[found]);
        }
        if (found)
            return found;
    }
    return 0;
}

weft_status weft_dataset_load_directory(weft_context *context, const char *directory,
                                        weft_data_split split, weft_dataset **dataset,
                                        weft_error *error)
{
    *dataset = NULL;
    if (access(directory, R_OK | X_OK) != 0)
        return weft_error_set(error, WEFT_ERROR_IO, "%s: cannot open: %s", directory,
                              strerror(errno));
    char path[CIFAR_TRAIN_FILES][PATH_MAX];
    for (size_t i = 0; i < sizeof(idx_names) / sizeof(idx_names[0]); i++)
        if (idx_names[i].split == split && find_idx(directory, idx_names[i].images, path[0]) &&
            find_idx(directory, idx_names[i].targets, path[1]))
            return weft_dataset_load_idx(context, path[0], path[1], dataset, error);

    int found = find_cifar(directory, split, path);
    int wanted = split == WEFT_SPLIT_TRAIN ? CIFAR_TRAIN_FILES : 1;
    if (found == wanted) {
        const char *files[CIFAR_TRAIN_FILES];
        for (int i = 0; i < found; i++)
            files[i] = path[i];
        return weft_dataset_load_cifar10(context, files, found, dataset, error);
    }
    if (found)
        return weft_error_set(error, WEFT_ERROR_NOT_FOUND,
                              "%s: has %d of CIFAR-10's %d files data_batch_1.bin ...", directory,
                              found, wanted);
    return weft_error_set(
        error, WEFT_ERROR_NOT_FOUND,
        "%s: no %s set is here (looked for %s[.gz], %s[.gz] and others, and CIFAR-10's %s)",
        directory, split == WEFT_SPLIT_TRAIN ? "training" : "test",
        split == WEFT_SPLIT_TRAIN ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte",
        split == WEFT_SPLIT_TRAIN ? "train-images-idx4-ubyte" : "test-images-idx4-ubyte",
        split == WEFT_SPLIT_TRAIN ? "data_batch_1.bin" : "test_batch.bin");
}

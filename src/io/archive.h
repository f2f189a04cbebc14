/* A safetensors file that is open for reading, its header checked. */
#ifndef WEFT_IO_ARCHIVE_H
#define WEFT_IO_ARCHIVE_H

#include <jansson.h>
#include <stdio.h>

#include "weft/context.h"

/* A tensor of the file. Its elements are the bytes from begin up to end behind the header. */
typedef struct weft_archive_entry {
    const char *name;  /* UTF-8, from the file: may hold anything but NUL */
    const char *dtype; /* such as "F32" */
    int rank;          /* may be above WEFT_MAX_RANK; extent has the first of them */
    int64_t extent[WEFT_MAX_RANK];
    int64_t begin, end;
} weft_archive_entry;

typedef struct weft_archive {
    weft_context *context;
    const char *path;
    FILE *file;
    json_t *root;
    weft_archive_entry
        *entry; /* in the order of their elements, which fill the file without gaps */
    size_t entries;
    int64_t data; /* where the elements start in the file */
} weft_archive;

/* Opens the file and reads its header. WEFT_ERROR_IO, WEFT_ERROR_FORMAT or WEFT_ERROR_MEMORY; closing is
 * needed (and allowed) in any case. path must outlive the archive. */
weft_status weft_archive_open(weft_context *context, const char *path, weft_archive *archive,
                              weft_error *error);
void weft_archive_close(weft_archive *archive);

/* Copies the elements of an entry. */
weft_status weft_archive_read(weft_archive *archive, const weft_archive_entry *entry, void *memory,
                              weft_error *error);

bool weft_archive_has(const weft_archive *archive, const char *name);
/* A text of __metadata__; NULL where it is missing. */
const char *weft_archive_metadata(const weft_archive *archive, const char *key);

/* Bytes of one element of a safetensors dtype; 0 for one that is not known. */
int64_t weft_archive_dtype_bytes(const char *dtype);
/* The dtype's name: "F32", "F64", "I32". */
const char *weft_archive_dtype_name(weft_dtype dtype);

/* True for variables that oihw_filters concerns. */
bool weft_is_filter(const char *name, int rank);
/* What a filter of shape [k.., b, a] is in PyTorch's order [a, b, k..]. */
typedef struct weft_filter_order {
    int64_t a, b, taps;
} weft_filter_order;
weft_filter_order weft_filter_order_of(int rank, const int64_t *extent);

/* A name for a message: cut to size, control characters replaced. Returns text. */
const char *weft_printable(const char *name, char *text, size_t size);

#endif

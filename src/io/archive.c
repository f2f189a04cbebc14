#include "io/archive.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the reference implementation takes (safetensors/src/tensor.rs, MAX_HEADER_SIZE). */
static const int64_t longest_header = 100000000;

/* ---- Words ---- */

static const struct {
    const char *name;
    int64_t bytes;
} dtypes[] = {
    {"F32", 4},  {"F64", 8}, {"I32", 4},     {"I64", 8},     {"F16", 2},     {"BF16", 2},
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},      {"I16", 2},     {"U16", 2},     {"U32", 4},
    {"U64", 8},  {"C64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
};

int64_t weft_archive_dtype_bytes(const char *dtype)
{
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        if (strcmp(dtype, dtypes[i].name) == 0)
            return dtypes[i].bytes;
    return 0;
}

const char *weft_archive_dtype_name(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_FLOAT32:
        return "F32";
    case WEFT_FLOAT64:
        return "F64";
    case WEFT_INT32:
        return "I32";
    case WEFT_UINT8:
        return "U8";
    case WEFT_REAL:
        break;
    }
    return "";
}

bool weft_is_filter(const char *name, int rank)
{
    const char *dot = strrchr(name, '.');
    return rank >= 2 && strcmp(dot ? dot + 1 : name, "weight") == 0;
}

weft_filter_order weft_filter_order_of(int rank, const int64_t *extent)
{
    weft_filter_order order = {.a = extent[rank - 1], .b = extent[rank - 2], .taps = 1};
    for (int i = 0; i < rank - 2; i++)
        order.taps *= extent[i];
    return order;
}

const char *weft_printable(const char *name, char *text, size_t size)
{
    size_t length = 0;
    for (; name[length] && length + 1 < size; length++)
        text[length] =
            (unsigned char)name[length] < ' ' || name[length] == 127 ? '?' : name[length];
    text[length] = '\0';
    return text;
}

/* ---- Header ---- */

static weft_status malformed(const weft_archive *archive, const char *what, weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: not a safetensors file: %s",
                          archive->path, what);
}

static weft_status malformed_entry(const weft_archive *archive, const char *name, const char *what,
                                   weft_error *error)
{
    char text[80];
    return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: tensor \"%s\": %s", archive->path,
                          weft_printable(name, text, sizeof(text)), what);
}

static weft_status unreadable(const weft_archive *archive, weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_IO, "%.200s: %s", archive->path,
                          errno ? strerror(errno) : "cannot be read");
}

static weft_status read_bytes(const weft_archive *archive, void *memory, size_t bytes,
                              weft_error *error)
{
    errno = 0;
    if (fread(memory, 1, bytes, archive->file) == bytes)
        return WEFT_OK;
    return ferror(archive->file) ? unreadable(archive, error)
                                 : malformed(archive, "it is cut short", error);
}

static weft_status parse(weft_archive *archive, const char *header, size_t length,
                         weft_error *error)
{
    json_error_t where;
    if (length == 0 || header[0] != '{')
        return malformed(archive, "its header does not start with {", error);
    archive->root = json_loadb(header, length, JSON_REJECT_DUPLICATES, &where);
    if (!archive->root) {
        char text[200];
        return malformed(archive, weft_printable(where.text, text, sizeof(text)), error);
    }
    return WEFT_OK;
}

/* Reads and parses the header of a file of that size. */
static weft_status read_header(weft_archive *archive, int64_t size, weft_error *error)
{
    unsigned char prefix[8];
    WEFT_TRY(read_bytes(archive, prefix, sizeof(prefix), error));
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)prefix[i] << 8 * i;
    if (length > (uint64_t)longest_header || (int64_t)length > size - 8)
        return malformed(archive, "its header is longer than the file or 100 MB", error);
    char *header = weft_allocate_raw(archive->context, length, WEFT_ALIGNMENT);
    if (!header)
        return weft_out_of_memory(error, length);
    weft_status status = read_bytes(archive, header, length, error);
    if (status == WEFT_OK)
        status = parse(archive, header, length, error);
    weft_release(archive->context, header, length);
    archive->data = 8 + (int64_t)length;
    return status;
}

/* ---- Entries ---- */

/* The shape, and the number of elements: -1 where that is too large. */
static bool read_shape(const json_t *shape, weft_archive_entry *entry, int64_t *elements)
{
    if (!json_is_array(shape) || json_array_size(shape) > 1000)
        return false;
    entry->rank = (int)json_array_size(shape);
    *elements = 1;
    for (int i = 0; i < entry->rank; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        int64_t value = json_integer_value(extent);
        if (!json_is_integer(extent) || value < 0)
            return false;
        if (i < WEFT_MAX_RANK)
            entry->extent[i] = value;
        if (*elements < 0 || __builtin_mul_overflow(*elements, value, elements))
            *elements = -1;
    }
    return true;
}

static bool read_offsets(const json_t *offsets, weft_archive_entry *entry)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return false;
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    entry->begin = json_integer_value(begin);
    entry->end = json_integer_value(end);
    return json_is_integer(begin) && json_is_integer(end) && entry->begin >= 0 &&
           entry->end >= entry->begin;
}

static weft_status read_entry(const weft_archive *archive, const char *name, const json_t *from,
                              weft_archive_entry *entry, weft_error *error)
{
    int64_t elements, bytes, element;
    *entry = (weft_archive_entry){.name = name,
                                  .dtype = json_string_value(json_object_get(from, "dtype"))};
    if (!entry->dtype)
        return malformed_entry(archive, name, "it has no dtype", error);
    if (!read_shape(json_object_get(from, "shape"), entry, &elements))
        return malformed_entry(archive, name, "its shape is not a list of extents", error);
    if (!read_offsets(json_object_get(from, "data_offsets"), entry))
        return malformed_entry(archive, name, "its data_offsets are not an interval", error);
    element = weft_archive_dtype_bytes(entry->dtype);
    if (element && (elements < 0 || __builtin_mul_overflow(elements, element, &bytes) ||
                    bytes != entry->end - entry->begin))
        return malformed_entry(archive, name, "its shape needs other data_offsets", error);
    return WEFT_OK;
}

static int by_place(const void *a, const void *b)
{
    const weft_archive_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Tensors must fill the rest of the file, without gaps and without overlap. */
static weft_status check_places(const weft_archive *archive, int64_t bytes, weft_error *error)
{
    int64_t at = 0;
    for (size_t i = 0; i < archive->entries; i++) {
        const weft_archive_entry *entry = &archive->entry[i];
        if (entry->begin != at)
            return malformed_entry(archive, entry->name,
                                   entry->begin < at ? "it overlaps another" : "a gap before it",
                                   error);
        if (entry->end > bytes)
            return malformed_entry(archive, entry->name, "the file is cut short", error);
        at = entry->end;
    }
    return at == bytes ? WEFT_OK : malformed(archive, "bytes follow the last tensor", error);
}

static weft_status read_entries(weft_archive *archive, int64_t bytes, weft_error *error)
{
    size_t room = json_object_size(archive->root);
    archive->entry = weft_allocate_array(archive->context, room, sizeof(*archive->entry));
    if (!archive->entry)
        return weft_out_of_memory(error, room * sizeof(*archive->entry));
    const char *name;
    json_t *value;
    json_object_foreach(archive->root, name, value)
    {
        if (strcmp(name, "__metadata__") != 0)
            WEFT_TRY(read_entry(archive, name, value, &archive->entry[archive->entries++], error));
    }
    qsort(archive->entry, archive->entries, sizeof(*archive->entry), by_place);
    return check_places(archive, bytes, error);
}

/* ---- The whole ---- */

weft_status weft_archive_open(weft_context *context, const char *path, weft_archive *archive,
                              weft_error *error)
{
    int64_t size;
    *archive = (weft_archive){.context = context, .path = path};
    WEFT_TRY(weft_open_file(path, &archive->file, &size, error));
    WEFT_TRY(read_header(archive, size, error));
    return read_entries(archive, size - archive->data, error);
}

void weft_archive_close(weft_archive *archive)
{
    if (archive->root)
        weft_release_array(archive->context, archive->entry, json_object_size(archive->root),
                           sizeof(*archive->entry));
    json_decref(archive->root);
    if (archive->file)
        fclose(archive->file);
}

weft_status weft_archive_read(weft_archive *archive, const weft_archive_entry *entry, void *memory,
                              weft_error *error)
{
    errno = 0;
    if (fseeko(archive->file, archive->data + entry->begin, SEEK_SET) != 0)
        return unreadable(archive, error);
    return read_bytes(archive, memory, (size_t)(entry->end - entry->begin), error);
}

bool weft_archive_has(const weft_archive *archive, const char *name)
{
    return json_object_get(archive->root, name) != NULL && strcmp(name, "__metadata__") != 0;
}

const char *weft_archive_metadata(const weft_archive *archive, const char *key)
{
    return json_string_value(json_object_get(json_object_get(archive->root, "__metadata__"), key));
}

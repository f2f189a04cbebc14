/* Wisdom as a text file. Its last line has the hash of all before, so that what was damaged or cut short is
 * seen before anything is taken from it. */
#include "graph/wisdom.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/open.h"
#include "io/replace.h"
#include "kernels/convolution.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char first_line[] = "weft wisdom 1\n";

enum { MOST_BYTES = 4 * 1024 * 1024, LAST_LINE = sizeof("end 0123456789abcdef\n") - 1 };

/* ---- Saving ---- */

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const weft_wisdom_entry *)a)->key, y = ((const weft_wisdom_entry *)b)->key;
    return (x > y) - (x < y);
}

/* All entries, in order of their keys; NULL when memory is short. There are capacity of them, those that are
 * free included. */
static weft_wisdom_entry *copy_entries(weft_wisdom *wisdom, size_t *capacity)
{
    pthread_mutex_lock(&wisdom->lock);
    *capacity = wisdom->capacity;
    weft_wisdom_entry *entry =
        weft_allocate_array(wisdom->context, wisdom->capacity, sizeof(*entry));
    if (entry && wisdom->capacity)
        memcpy(entry, wisdom->entry, wisdom->capacity * sizeof(*entry));
    pthread_mutex_unlock(&wisdom->lock);
    if (entry)
        qsort(entry, *capacity, sizeof(*entry), by_key);
    return entry;
}

static void write_text(const weft_wisdom_entry *entry, size_t count, weft_text *text)
{
    weft_text_add(text, "%s", first_line);
    for (size_t i = 0; i < count; i++)
        if (entry[i].algorithm)
            weft_text_add(text, "%016" PRIx64 " %" PRId64 " %s\n", entry[i].key,
                          entry[i].nanoseconds, entry[i].algorithm);
    if (!text->failed)
        weft_text_add(text, "end %016" PRIx64 "\n", XXH3_64bits(text->data, text->length));
}

static weft_status write_file(FILE *file, const char *path, void *user, weft_error *error)
{
    const weft_text *text = user;
    return weft_write_bytes(file, path, text->data, text->length, error);
}

weft_status weft_wisdom_save(weft_wisdom *wisdom, const char *path, weft_error *error)
{
    size_t capacity;
    weft_wisdom_entry *entry = copy_entries(wisdom, &capacity);
    weft_text text = weft_text_begin(wisdom->context);
    if (entry)
        write_text(entry, capacity, &text);
    weft_status status =
        !entry || text.failed
            ? weft_error_set(error, WEFT_ERROR_MEMORY, "%.200s: out of memory for the text", path)
            : weft_replace_file(wisdom->context, path, write_file, &text, error);
    weft_text_release(&text);
    weft_release_array(wisdom->context, entry, capacity, sizeof(*entry));
    return status;
}

/* ---- Loading ---- */

/* The whole file; text is to be released in any case. */
static weft_status read_file(FILE *file, const char *path, weft_text *text, weft_error *error)
{
    char block[4096];
    size_t count;
    errno = 0;
    while (!text->failed && text->length <= MOST_BYTES &&
           (count = fread(block, 1, sizeof(block), file)) > 0)
        weft_text_add_bytes(text, block, count);
    if (ferror(file))
        return weft_error_set(error, WEFT_ERROR_IO, "%.200s: %s", path,
                              errno ? strerror(errno) : "cannot be read");
    if (text->failed)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "%.200s: out of memory", path);
    if (text->length > MOST_BYTES)
        return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: not wisdom: above %d bytes", path,
                              MOST_BYTES);
    return WEFT_OK;
}

/* Checks the first line and the last, and cuts the last one off. */
static weft_status check_frame(const char *path, weft_text *text, weft_error *error)
{
    size_t first = sizeof(first_line) - 1;
    if (text->length < first || memcmp(text->data, first_line, first) != 0)
        return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: does not begin with \"%.*s\"",
                              path, (int)first - 1, first_line);
    char last_line[LAST_LINE + 1];
    bool whole = text->length >= first + LAST_LINE;
    if (whole) {
        text->length -= LAST_LINE;
        snprintf(last_line, sizeof(last_line), "end %016" PRIx64 "\n",
                 XXH3_64bits(text->data, text->length));
        whole = memcmp(text->data + text->length, last_line, LAST_LINE) == 0;
    }
    return whole ? WEFT_OK
                 : weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: damaged or cut short", path);
}

static const char *known_algorithm(const char *name, size_t length)
{
    const char *known;
    for (int i = 0; (known = weft_convolution_algorithm(i)); i++)
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return known;
    return NULL;
}

/* -1 for what is none, capitals included. */
static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Reads the line at *at, and moves *at behind it. The algorithm is NULL where it is not known. */
static bool parse_line(const char **at, const char *end, weft_wisdom_entry *entry)
{
    enum { KEY = 16, MOST_DIGITS = 18 };
    const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
    *entry = (weft_wisdom_entry){0};
    if (!stop || stop - line < KEY || line[KEY] != ' ')
        return false;
    for (int i = 0; i < KEY; i++) {
        int digit = hexadecimal(line[i]);
        if (digit < 0)
            return false;
        entry->key = entry->key << 4 | (uint64_t)digit;
    }
    const char *number = line + KEY + 1, *name = number;
    for (; name - number < MOST_DIGITS && *name >= '0' && *name <= '9'; name++)
        entry->nanoseconds = entry->nanoseconds * 10 + (*name - '0');
    if (name == number || *name++ != ' ')
        return false;
    entry->algorithm = known_algorithm(name, (size_t)(stop - name));
    *at = stop + 1;
    return true;
}

/* Checks every line, then adds them. */
static weft_status take(weft_wisdom *wisdom, const char *path, const weft_text *text,
                        weft_error *error)
{
    const char *begin = text->data + sizeof(first_line) - 1, *end = text->data + text->length;
    weft_wisdom_entry entry;
    size_t lines = 0;
    for (const char *at = begin; at < end; lines++)
        if (!parse_line(&at, end, &entry))
            return weft_error_set(error, WEFT_ERROR_FORMAT, "%.200s: line %zu is malformed", path,
                                  lines + 2);
    pthread_mutex_lock(&wisdom->lock);
    bool room = weft_wisdom_reserve(wisdom, lines);
    for (const char *at = begin; at < end && room;)
        if (parse_line(&at, end, &entry) && entry.algorithm)
            weft_wisdom_add(wisdom, entry);
    pthread_mutex_unlock(&wisdom->lock);
    return room ? WEFT_OK : weft_error_set(error, WEFT_ERROR_MEMORY, "%.200s: out of memory", path);
}

weft_status weft_wisdom_load(weft_wisdom *wisdom, const char *path, weft_error *error)
{
    FILE *file;
    int64_t bytes;
    WEFT_TRY(weft_open_file(path, &file, &bytes, error));
    weft_text text = weft_text_begin(wisdom->context);
    weft_status status = read_file(file, path, &text, error);
    fclose(file);
    if (status == WEFT_OK)
        status = check_frame(path, &text, error);
    if (status == WEFT_OK)
        status = take(wisdom, path, &text, error);
    weft_text_release(&text);
    return status;
}

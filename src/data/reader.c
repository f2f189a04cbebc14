#include "data/reader.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/open.h"

#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef WEFT_HAVE_ZLIB
#include <zlib.h>
#endif

enum {
    BUFFER_BYTES = 64 * 1024,
    /* Deflate's shortest code for its longest match is 2 bits for 258 bytes. */
    LARGEST_EXPANSION = 258 * 8 / 2,
};

struct weft_reader {
    weft_context *context;
    const char *path;
    weft_error *error;
    int file;
    int64_t file_bytes;
    int64_t delivered; /* bytes handed out */
    bool compressed;
    bool between_members; /* of a gzip file, which may have several, or at its end */
    const uint8_t *next;  /* raw bytes of the buffer that are not used yet */
    size_t available;
    bool raw_end; /* the file has no more than the buffer */
#ifdef WEFT_HAVE_ZLIB
    bool inflating;
    z_stream stream;
#endif
    uint8_t buffer[BUFFER_BYTES];
};

weft_status weft_reader_fail(const weft_reader *reader, const char *format, ...)
{
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return weft_error_set(reader->error, WEFT_ERROR_FORMAT, "%s: %s", reader->path, message);
}

/* Fills the buffer when it is empty; afterwards it is empty only at the end of the file. */
static weft_status refill(weft_reader *reader)
{
    if (reader->available || reader->raw_end)
        return WEFT_OK;
    ssize_t got;
    do
        got = read(reader->file, reader->buffer, BUFFER_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return weft_error_set(reader->error, WEFT_ERROR_IO, "%s: cannot read: %s", reader->path,
                              strerror(errno));
    reader->next = reader->buffer;
    reader->available = (size_t)got;
    reader->raw_end = got == 0;
    return WEFT_OK;
}

static size_t copy_plain(weft_reader *reader, uint8_t *bytes, size_t count)
{
    size_t part = count < reader->available ? count : reader->available;
    memcpy(bytes, reader->next, part);
    reader->next += part;
    reader->available -= part;
    return part;
}

#ifdef WEFT_HAVE_ZLIB

/* zlib does not say how much it gives back, so the size lies in front of the memory. */
static void *inflate_allocate(void *user, unsigned items, unsigned size)
{
    size_t bytes = (size_t)items * size + WEFT_ALIGNMENT;
    uint8_t *memory = weft_allocate(user, bytes);
    if (!memory)
        return NULL;
    memcpy(memory, &bytes, sizeof(bytes));
    return memory + WEFT_ALIGNMENT;
}

static void inflate_release(void *user, void *address)
{
    uint8_t *memory = (uint8_t *)address - WEFT_ALIGNMENT;
    size_t bytes;
    memcpy(&bytes, memory, sizeof(bytes));
    weft_release(user, memory, bytes);
}

static weft_status start_inflating(weft_reader *reader)
{
    enum { GZIP_WINDOW = 15 + 16 };
    reader->compressed = true;
    reader->stream =
        (z_stream){.zalloc = inflate_allocate, .zfree = inflate_release, .opaque = reader->context};
    if (inflateInit2(&reader->stream, GZIP_WINDOW) != Z_OK)
        return weft_error_set(reader->error, WEFT_ERROR_MEMORY,
                              "%s: out of memory for decompressing", reader->path);
    reader->inflating = true;
    return WEFT_OK;
}

static void stop_inflating(weft_reader *reader)
{
    if (reader->inflating)
        inflateEnd(&reader->stream);
}

/* Decompresses up to count bytes from the buffer, which is not empty. */
static weft_status copy_inflated(weft_reader *reader, uint8_t *bytes, size_t count, size_t *part)
{
    z_stream *stream = &reader->stream;
    if (reader->between_members) {
        if (inflateReset(stream) != Z_OK)
            return weft_reader_fail(reader, "cannot go on decompressing");
        reader->between_members = false;
    }
    const unsigned most = 1u << 30;
    stream->next_in = (Bytef *)reader->next;
    stream->avail_in = (uInt)reader->available;
    stream->next_out = bytes;
    stream->avail_out = count < most ? (uInt)count : most;
    uInt asked = stream->avail_out;
    int result = inflate(stream, Z_NO_FLUSH);
    reader->next = stream->next_in;
    reader->available = stream->avail_in;
    *part = asked - stream->avail_out;
    if (result == Z_MEM_ERROR)
        return weft_error_set(reader->error, WEFT_ERROR_MEMORY,
                              "%s: out of memory for decompressing", reader->path);
    if (result == Z_STREAM_END)
        reader->between_members = true;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return weft_reader_fail(reader, "corrupt gzip data after %lld bytes (%s)",
                                (long long)(reader->delivered + (int64_t)*part),
                                stream->msg ? stream->msg : "unknown");
    return WEFT_OK;
}

#else

static weft_status start_inflating(weft_reader *reader)
{
    return weft_error_set(reader->error, WEFT_ERROR_UNSUPPORTED,
                          "%s: is compressed, and this build has no zlib", reader->path);
}

static void stop_inflating(weft_reader *reader)
{
    (void)reader;
}

static weft_status copy_inflated(weft_reader *reader, uint8_t *bytes, size_t count, size_t *part)
{
    *part = copy_plain(reader, bytes, count);
    return WEFT_OK;
}

#endif

static weft_status open_file(weft_reader *reader)
{
    WEFT_TRY(weft_open_descriptor(reader->path, &reader->file, &reader->file_bytes, reader->error));
    WEFT_TRY(refill(reader));
    if (reader->available >= 2 && reader->next[0] == 0x1f && reader->next[1] == 0x8b)
        WEFT_TRY(start_inflating(reader));
    return WEFT_OK;
}

weft_status weft_reader_open(weft_context *context, const char *path, weft_reader **reader,
                             weft_error *error)
{
    *reader = NULL;
    weft_reader *made = weft_allocate(context, sizeof(*made));
    if (!made)
        return weft_out_of_memory(error, sizeof(*made));
    made->context = context;
    made->path = path;
    made->error = error;
    made->file = -1;
    weft_status status = open_file(made);
    if (status != WEFT_OK) {
        weft_reader_close(made);
        return status;
    }
    *reader = made;
    return WEFT_OK;
}

void weft_reader_close(weft_reader *reader)
{
    if (!reader)
        return;
    stop_inflating(reader);
    if (reader->file >= 0)
        close(reader->file);
    weft_release(reader->context, reader, sizeof(*reader));
}

/* Reads up to count bytes, fewer only at the end of the content. */
static weft_status read_some(weft_reader *reader, uint8_t *bytes, size_t count, size_t *got)
{
    *got = 0;
    while (*got < count) {
        WEFT_TRY(refill(reader));
        if (!reader->available)
            break;
        size_t part = 0;
        if (reader->compressed)
            WEFT_TRY(copy_inflated(reader, bytes + *got, count - *got, &part));
        else
            part = copy_plain(reader, bytes + *got, count - *got);
        *got += part;
        reader->delivered += (int64_t)part;
    }
    return WEFT_OK;
}

weft_status weft_reader_read(weft_reader *reader, void *bytes, size_t count)
{
    int64_t before = reader->delivered;
    size_t got;
    WEFT_TRY(read_some(reader, bytes, count, &got));
    if (got < count)
        return weft_reader_fail(reader, "is cut off: ends after %lld of at least %lld bytes",
                                (long long)reader->delivered, (long long)(before + (int64_t)count));
    return WEFT_OK;
}

weft_status weft_reader_finish(weft_reader *reader)
{
    /* Asking for one byte more also makes zlib read and compare the checksums at the end. */
    uint8_t beyond;
    size_t got;
    WEFT_TRY(read_some(reader, &beyond, 1, &got));
    if (got)
        return weft_reader_fail(reader, "goes on after its end at byte %lld",
                                (long long)(reader->delivered - 1));
    if (reader->compressed && !reader->between_members)
        return weft_reader_fail(reader, "is cut off: the compressed data has no end");
    return WEFT_OK;
}

bool weft_reader_compressed(const weft_reader *reader)
{
    return reader->compressed;
}

int64_t weft_reader_bound(const weft_reader *reader)
{
    int64_t bound;
    if (!reader->compressed)
        return reader->file_bytes;
    return __builtin_mul_overflow(reader->file_bytes, LARGEST_EXPANSION, &bound) ? INT64_MAX
                                                                                 : bound;
}

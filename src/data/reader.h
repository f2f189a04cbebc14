/* A file read from its beginning to its end, decompressed where it is gzip. */
#ifndef WEFT_DATA_READER_H
#define WEFT_DATA_READER_H

#include "weft/context.h"

typedef struct weft_reader weft_reader;

/* Opens a file. The reader keeps path and error (which may be NULL) and reports to it from then on. */
weft_status weft_reader_open(weft_context *context, const char *path, weft_reader **reader,
                             weft_error *error);
/* NULL is allowed. */
void weft_reader_close(weft_reader *reader);

/* Reads exactly so many bytes; a file that ends before is an error. */
weft_status weft_reader_read(weft_reader *reader, void *bytes, size_t count);
/* An error unless the file ends here, and its checksums are right. */
weft_status weft_reader_finish(weft_reader *reader);

bool weft_reader_compressed(const weft_reader *reader);

/* An upper bound of the bytes that the whole file can hold, known before reading it: so that memory is
 * not asked for on the word of a corrupt header. Exact where the file is not compressed. */
int64_t weft_reader_bound(const weft_reader *reader);

/* Records "path: message"; returns WEFT_ERROR_FORMAT. */
weft_status weft_reader_fail(const weft_reader *reader, const char *format, ...) WEFT_PRINTF(2, 3);

#endif

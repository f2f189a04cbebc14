/* Writing a file as a whole: what was there stays until all is written. */
#ifndef WEFT_IO_REPLACE_H
#define WEFT_IO_REPLACE_H

#include <stdio.h>

#include "weft/context.h"

/* Writes to the file, which is open; path is its name for messages. */
typedef weft_status weft_write_fn(FILE *file, const char *path, void *user, weft_error *error);

/* Has a file beside path ("<path>.<process>.<number>.tmp") written, which then takes the place of path and has its
 * permissions; on an error it is removed. Each call has a file of its own, so that any thread may write to any path at
 * any time. What a link leads to is replaced, not the link; into what is no regular file it writes directly. */
weft_status weft_replace_file(weft_context *context, const char *path, weft_write_fn *write,
                              void *user, weft_error *error);

/* Appends to the file; WEFT_ERROR_IO, with the words for errno, where that fails. */
weft_status weft_write_bytes(FILE *file, const char *path, const void *bytes, size_t count,
                             weft_error *error);

#endif

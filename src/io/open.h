/* Opening files to read them: regular ones only, as a FIFO would keep its reader waiting for a writer. */
#ifndef WEFT_IO_OPEN_H
#define WEFT_IO_OPEN_H

#include <stdio.h>

#include "weft/context.h"

/* Opens a file, and tells its size. WEFT_ERROR_IO, and -1 or NULL for the file, where it is not there or no regular
 * file. */
weft_status weft_open_descriptor(const char *path, int *file, int64_t *bytes, weft_error *error);
weft_status weft_open_file(const char *path, FILE **file, int64_t *bytes, weft_error *error);

#endif

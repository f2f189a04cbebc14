#include "io/replace.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static weft_status unwritable(const char *path, weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_IO, "%.200s: %s", path,
                          errno ? strerror(errno) : "cannot be written");
}

weft_status weft_write_bytes(FILE *file, const char *path, const void *bytes, size_t count,
                             weft_error *error)
{
    errno = 0;
    return fwrite(bytes, 1, count, file) == count ? WEFT_OK : unwritable(path, error);
}

static weft_status write_out(FILE *file, const char *path, weft_error *error)
{
    errno = 0;
    return fflush(file) == 0 && fsync(fileno(file)) == 0 ? WEFT_OK : unwritable(path, error);
}

static weft_status write_and_rename(const char *temporary, const char *path, weft_write_fn *write,
                                    void *user, weft_error *error)
{
    errno = 0;
    FILE *file = fopen(temporary, "wb");
    if (!file)
        return unwritable(temporary, error);
    weft_status status = write(file, temporary, user, error);
    if (status == WEFT_OK)
        status = write_out(file, temporary, error);
    errno = 0;
    if (fclose(file) != 0 && status == WEFT_OK)
        status = unwritable(temporary, error);
    if (status == WEFT_OK && rename(temporary, path) != 0)
        status = unwritable(path, error);
    if (status != WEFT_OK)
        remove(temporary);
    return status;
}

weft_status weft_replace_file(weft_context *context, const char *path, weft_write_fn *write,
                              void *user, weft_error *error)
{
    static atomic_uint writes;
    weft_text temporary = weft_text_begin(context);
    weft_text_add(&temporary, "%s.%ld.%u.tmp", path, (long)getpid(), atomic_fetch_add(&writes, 1));
    weft_status status = temporary.failed
                             ? weft_out_of_memory(error, strlen(path))
                             : write_and_rename(temporary.data, path, write, user, error);
    weft_text_release(&temporary);
    return status;
}

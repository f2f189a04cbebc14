#include "io/replace.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    if (fflush(file) != 0)
        return unwritable(path, error);
    /* Devices and pipes know no fsync. */
    return fsync(fileno(file)) == 0 || errno == EINVAL || errno == EROFS ? WEFT_OK
                                                                         : unwritable(path, error);
}

static weft_status write_and_close(FILE *file, const char *path, weft_write_fn *write, void *user,
                                   weft_error *error)
{
    weft_status status = write(file, path, user, error);
    if (status == WEFT_OK)
        status = write_out(file, path, error);
    errno = 0;
    if (fclose(file) != 0 && status == WEFT_OK)
        status = unwritable(path, error);
    return status;
}

/* A file that is not there yet, with permissions `mode`; 0: those of new files. NULL: errno says why. */
static FILE *create(const char *path, mode_t mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return NULL;
    FILE *file = !mode || fchmod(descriptor, mode) == 0 ? fdopen(descriptor, "wb") : NULL;
    if (!file) {
        int why = errno;
        close(descriptor);
        remove(path);
        errno = why;
    }
    return file;
}

static weft_status replace(weft_context *context, const char *path, mode_t mode,
                           weft_write_fn *write, void *user, weft_error *error)
{
    static atomic_uint writes;
    weft_text temporary = weft_text_begin(context);
    FILE *file = NULL;
    errno = 0;
    do {
        weft_text_release(&temporary);
        weft_text_add(&temporary, "%s.%ld.%u.tmp", path, (long)getpid(),
                      atomic_fetch_add(&writes, 1));
        file = temporary.failed ? NULL : create(temporary.data, mode);
    } while (!file && !temporary.failed && errno == EEXIST);
    weft_status status = file ? write_and_close(file, temporary.data, write, user, error)
                         : temporary.failed ? weft_out_of_memory(error, strlen(path))
                                            : unwritable(temporary.data, error);
    errno = 0;
    if (status == WEFT_OK && rename(temporary.data, path) != 0)
        status = unwritable(path, error);
    if (status != WEFT_OK && file)
        remove(temporary.data);
    weft_text_release(&temporary);
    return status;
}

static weft_status write_into(const char *path, weft_write_fn *write, void *user, weft_error *error)
{
    errno = 0;
    FILE *file = fopen(path, "wbe");
    return file ? write_and_close(file, path, write, user, error) : unwritable(path, error);
}

weft_status weft_replace_file(weft_context *context, const char *path, weft_write_fn *write,
                              void *user, weft_error *error)
{
    struct stat old;
    if (stat(path, &old) != 0)
        return replace(context, path, 0, write, user, error);
    if (!S_ISREG(old.st_mode))
        return write_into(path, write, user, error);
    char *behind = realpath(path, NULL); /* a link */
    weft_status status =
        replace(context, behind ? behind : path, old.st_mode & 07777, write, user, error);
    free(behind);
    return status;
}

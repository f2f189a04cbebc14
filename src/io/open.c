#include "io/open.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static weft_status unreadable(const char *path, weft_error *error)
{
    return weft_error_set(error, WEFT_ERROR_IO, "%.200s: %s", path, strerror(errno));
}

static weft_status examine(const char *path, int file, int64_t *bytes, weft_error *error)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return unreadable(path, error);
    if (!S_ISREG(status.st_mode))
        return weft_error_set(error, WEFT_ERROR_IO, "%.200s: not a regular file", path);
    *bytes = status.st_size;
    return WEFT_OK;
}

weft_status weft_open_descriptor(const char *path, int *file, int64_t *bytes, weft_error *error)
{
    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*file < 0)
        return unreadable(path, error);
    weft_status status = examine(path, *file, bytes, error);
    if (status != WEFT_OK) {
        close(*file);
        *file = -1;
    }
    return status;
}

weft_status weft_open_file(const char *path, FILE **file, int64_t *bytes, weft_error *error)
{
    int descriptor;
    *file = NULL;
    WEFT_TRY(weft_open_descriptor(path, &descriptor, bytes, error));
    *file = fdopen(descriptor, "rb");
    if (*file)
        return WEFT_OK;
    weft_status status = unreadable(path, error);
    close(descriptor);
    return status;
}

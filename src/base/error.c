#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *weft_status_text(weft_status status)
{
    static const char *const text[] = {
#define STATUS_TEXT(name, words) [name] = words,
        WEFT_STATUS_TABLE(STATUS_TEXT)
#undef STATUS_TEXT
    };
    size_t count = sizeof(text) / sizeof(text[0]);
    return (size_t)status < count ? text[status] : "unknown status";
}

weft_status weft_error_set(weft_error *error, weft_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof(error->message), format, arguments);
        va_end(arguments);
    }
    return status;
}

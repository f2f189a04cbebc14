/* A text that grows: for diagrams, tables and file headers. Its first failed allocation sticks, so
 * that only the end needs checking. */
#ifndef WEFT_BASE_TEXT_H
#define WEFT_BASE_TEXT_H

#include <locale.h>

#include "weft/context.h"

typedef struct weft_text {
    weft_context *context;
    char *data; /* NUL-terminated once anything was appended; NULL before */
    size_t length, capacity;
    bool failed;
} weft_text;

static inline weft_text weft_text_begin(weft_context *context)
{
    return (weft_text){.context = context};
}

/* Appends, printf style. */
void weft_text_add(weft_text *text, const char *format, ...) WEFT_PRINTF(2, 3);
void weft_text_add_bytes(weft_text *text, const char *bytes, size_t count);
void weft_text_release(weft_text *text);

/* Between the two, this thread writes numbers with a point, whatever the locale of the caller's program. */
typedef struct weft_numbers {
    locale_t own, callers;
} weft_numbers;

weft_numbers weft_numbers_begin(void);
void weft_numbers_end(const weft_numbers *numbers);

#endif

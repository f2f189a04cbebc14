#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(weft_text *text, size_t more)
{
    if (!text->failed && !weft_grow(text->context, (void **)&text->data, &text->capacity,
                                    text->length + more + 1, 1))
        text->failed = true;
    return !text->failed;
}

void weft_text_add_bytes(weft_text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count))
        return;
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void weft_text_add(weft_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

weft_numbers weft_numbers_begin(void)
{
    weft_numbers numbers = {.own = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)};
    if (numbers.own != (locale_t)0)
        numbers.callers = uselocale(numbers.own);
    return numbers;
}

void weft_numbers_end(const weft_numbers *numbers)
{
    if (numbers->own == (locale_t)0)
        return;
    uselocale(numbers->callers);
    freelocale(numbers->own);
}

void weft_text_release(weft_text *text)
{
    weft_release(text->context, text->data, text->capacity);
    *text = weft_text_begin(text->context);
}

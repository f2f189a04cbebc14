/* Statuses travel up by return; these two keep the checks to one line. */
#ifndef WEFT_BASE_ERROR_H
#define WEFT_BASE_ERROR_H

#include "weft/types.h"

/* Returns from the function if expression is not WEFT_OK. */
#define WEFT_TRY(expression)                                                                       \
    do {                                                                                           \
        weft_status try_status_ = (expression);                                                    \
        if (try_status_ != WEFT_OK)                                                                \
            return try_status_;                                                                    \
    } while (0)

/* The message for a failed allocation. */
static inline weft_status weft_out_of_memory(weft_error *error, size_t bytes)
{
    weft_error_set(error, WEFT_ERROR_MEMORY, "out of memory: %zu bytes", bytes);
    return WEFT_ERROR_MEMORY;
}

#endif

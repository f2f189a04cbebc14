/* Small integer arithmetic of blocking. */
#ifndef WEFT_KERNELS_INTEGER_H
#define WEFT_KERNELS_INTEGER_H

#include <stdint.h>

static inline int64_t weft_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t weft_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* a / b, rounded up, of positive numbers. */
static inline int64_t weft_ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif

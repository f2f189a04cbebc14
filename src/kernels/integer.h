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

/* a modulo b, 0 to b - 1, of any a and a positive b. */
static inline int64_t weft_remainder(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

/* The greatest divisor of both, of positive numbers. */
static inline int64_t weft_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

#endif

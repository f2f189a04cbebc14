/* Functions of vectors that are SLEEF's: within 1 unit in the last place for all arguments. */
#ifndef WEFT_KERNELS_SLEEF_SIMD_H
#define WEFT_KERNELS_SLEEF_SIMD_H

#include "kernels/simd.h"

#include <sleef.h>

#if defined(WEFT_ISA_avx512)
#define SIMD_SLEEF(name) Sleef_##name##f16_u10avx512f
#elif defined(WEFT_ISA_avx2)
#define SIMD_SLEEF(name) Sleef_##name##f8_u10avx2
#elif defined(__SSE2__)
#define SIMD_SLEEF(name) Sleef_##name##f4_u10sse2
#elif defined(__aarch64__)
#define SIMD_SLEEF(name) Sleef_##name##f4_u10advsimd
#endif

/* x^y */
SIMD_INLINE vfloat vpow(vfloat x, vfloat y)
{
    return (vfloat)SIMD_SLEEF(pow)(x, y);
}

#endif

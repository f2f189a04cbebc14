#include "kernels/isa.h"

#include "weft/context.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"baseline", "avx2", "avx512"};

static int detect(void)
{
    int level = WEFT_ISA_LEVEL_BASELINE;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        level = WEFT_ISA_LEVEL_AVX2;
    if (level == WEFT_ISA_LEVEL_AVX2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        level = WEFT_ISA_LEVEL_AVX512;
#endif
    const char *wanted = getenv("WEFT_ISA");
    for (int i = 0; wanted && i < level; i++)
        if (strcmp(wanted, names[i]) == 0)
            level = i;
    return level;
}

weft_isa weft_isa_level(void)
{
    /* A cache of a fact about the machine: every thread would store the same value. */
    static atomic_int cached = -1;
    int level = atomic_load_explicit(&cached, memory_order_relaxed);
    if (level < 0) {
        level = detect();
        atomic_store_explicit(&cached, level, memory_order_relaxed);
    }
    return (weft_isa)level;
}

const char *weft_instruction_set(void)
{
    return names[weft_isa_level()];
}

/* Which instruction set the kernels run on. */
#ifndef WEFT_KERNELS_ISA_H
#define WEFT_KERNELS_ISA_H

typedef enum weft_isa {
    WEFT_ISA_LEVEL_BASELINE,
    WEFT_ISA_LEVEL_AVX2,
    WEFT_ISA_LEVEL_AVX512
} weft_isa;

/* The best of the processor, or a lower one if the variable WEFT_ISA of the environment names it
 * ("baseline", "avx2", "avx512"). Read once. */
weft_isa weft_isa_level(void);

/* In a kernel file that is compiled once for each instruction set: WEFT_FOR_ISA(name) is
 * name_avx512, name_avx2 or name_baseline, the symbol of the table that the file exports. */
#define WEFT_ISA_JOIN_(name, isa) name##_##isa
#define WEFT_ISA_JOIN(name, isa) WEFT_ISA_JOIN_(name, isa)
#define WEFT_FOR_ISA(name) WEFT_ISA_JOIN(name, WEFT_ISA)

/* Declares the tables of such a file, and picks one: WEFT_ISA_DECLARE(type, table) in its header
 * gives `const type *table(void)` in the file that uses WEFT_ISA_DEFINE(type, table). */
#define WEFT_ISA_DECLARE(type, table)                                                              \
    extern const type table##_baseline, table##_avx2, table##_avx512;                              \
    const type *table(void)

#if defined(__x86_64__)
#define WEFT_ISA_DEFINE(type, table)                                                               \
    const type *table(void)                                                                        \
    {                                                                                              \
        static const type *const levels[] = {&table##_baseline, &table##_avx2, &table##_avx512};   \
        return levels[weft_isa_level()];                                                           \
    }
#else
#define WEFT_ISA_DEFINE(type, table)                                                               \
    const type *table(void)                                                                        \
    {                                                                                              \
        return &table##_baseline;                                                                  \
    }
#endif

#endif

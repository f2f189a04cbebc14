#include "kernels/convolution_grouped.h"

#define GROUPED(group)                                                                             \
    DEPTHWISE_EACH(DEPTHWISE_TILE, group)                                                          \
    SUMS_ROWS_OF(group)
#define ENTRY(group) {.tile = {DEPTHWISE_EACH(DEPTHWISE_ENTRY, group)}, .sums = sums_rows_##group},

#if defined(WEFT_ISA_avx512) || defined(WEFT_ISA_avx2)
#define EACH_GROUP(X) X(2) X(4) X(8)
#else
#define EACH_GROUP(X) X(2) X(4)
#endif

EACH_GROUP(GROUPED)

const grouped_kernels WEFT_FOR_ISA(weft_grouped)[GROUPED_SIZES] = {EACH_GROUP(ENTRY)};

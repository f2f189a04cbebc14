#include "kernels/epilogue.h"

WEFT_ISA_DEFINE(weft_epilogue_kernels, weft_epilogue_table)
WEFT_ISA_DEFINE(weft_channel_kernels, weft_channel_kernel_table)

size_t weft_epilogue_workspace(weft_epilogue *epilogue, int64_t parts, size_t workspace)
{
    epilogue->parts = parts;
    for (int i = 0; i < epilogue->sums; i++) {
        workspace = (workspace + 63) / 64 * 64;
        epilogue->sum[i].offset = (int64_t)(workspace / sizeof(float));
        workspace += (size_t)(parts * WEFT_CHANNEL_NUMBERS * epilogue->channels) * sizeof(float);
    }
    return workspace;
}

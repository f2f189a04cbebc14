#include "kernels/epilogue.h"

WEFT_ISA_DEFINE(weft_epilogue_kernels, weft_epilogue_table)
WEFT_ISA_DEFINE(weft_channel_kernels, weft_channel_kernel_table)

bool weft_epilogue_goes_on(const weft_epilogue *epilogue, int d, int64_t row)
{
    for (int i = 0; epilogue && i < epilogue->operands; i++)
        if (epilogue->operand[i].stride[d] != row * epilogue->operand[i].stride[3])
            return false;
    return true;
}

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

#include "kernels/merge.h"

#include "kernels/integer.h"
#include "kernels/simd.h"

static void run(const weft_call *call, int64_t piece)
{
    const weft_merge *m = call->args;
    const float *copies = call->operand[m->workspace];
    const float *bias = m->bias >= 0 ? call->operand[m->bias] : NULL;
    float *c = call->operand[m->output];
    int64_t size = m->rows * m->width;
    int64_t first = m->rows * piece / m->pieces, end = m->rows * (piece + 1) / m->pieces;
    for (int64_t row = first; row < end; row++) {
        float *to = c + row / m->group * m->outer + row % m->group * m->inner;
        const float *from = copies + row * m->width;
        for (int64_t i = 0; i < m->width; i += LANES) {
            int64_t n = weft_least(LANES, m->width - i);
            vfloat sum = bias ? vload_first(bias + i, n) : (vfloat){0};
            for (int64_t copy = 0; copy < m->copies; copy++)
                sum += vload_first(from + copy * size + i, n);
            vstore_first(to + i, sum, n);
        }
    }
}

const weft_merge_kernels WEFT_FOR_ISA(weft_merge_copies) = {.run = run};

/* Dropout's vector kernel. */
#include "kernels/dropout.h"

#include "kernels/philox_simd.h"

static void drop_row(const weft_dropout_stream *stream, const weft_dropout_row *row)
{
    uint32_t words[WEFT_PHILOX_GROUP + LANES]; /* the last vector may begin at the last word */
    memset(words + WEFT_PHILOX_GROUP, 0, LANES * sizeof(uint32_t));
    vint threshold = (vint){0} + (int32_t)stream->threshold;
    vfloat scale = vsplat(row->scale);
    philox_stream drawn_from = philox_begin(stream->key, stream->step, row->sample);
    int64_t done = 0;
    while (done < row->count) {
        int64_t element = row->element + done;
        int64_t first = element % WEFT_PHILOX_GROUP, n = WEFT_PHILOX_GROUP - first;
        if (n > row->count - done)
            n = row->count - done;
        philox_group(&drawn_from, element / WEFT_PHILOX_GROUP, words);
        for (int64_t i = 0; i < n; i += LANES) {
            const float *x = row->x + done + i;
            float *out = row->out + done + i;
            vint drawn = (vint)(*(const vuint_memory *)(words + first + i) >> 8);
            int64_t count = n - i;
            if (count >= LANES)
                vstore(out, vselect(drawn < threshold, vsplat(0), vload(x) * scale));
            else
                vstore_first(out,
                             vselect(drawn < threshold, vsplat(0), vload_first(x, count) * scale),
                             count);
        }
        done += n;
    }
}

const weft_dropout_kernels WEFT_FOR_ISA(weft_dropout_kernel_table) = {.row = drop_row};

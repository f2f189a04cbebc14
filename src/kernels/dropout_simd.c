/* Dropout's vector kernel. */
#include "kernels/dropout.h"

#include "kernels/philox_simd.h"

/* The words of a group of elements, in their order. */
SIMD_INLINE void draw_group(const weft_dropout_stream *stream, int64_t sample, int64_t group,
                            uint32_t *words)
{
    for (int part = 0; part < WEFT_DROPOUT_BLOCKS; part += LANES) {
        vuint word[4];
        philox(stream->key, stream->step, sample, (uint32_t)(group * WEFT_DROPOUT_BLOCKS + part),
               word);
        for (int w = 0; w < 4; w++)
            *(vuint_memory *)(words + w * WEFT_DROPOUT_BLOCKS + part) = word[w];
    }
}

static void drop_row(const weft_dropout_stream *stream, const weft_dropout_row *row)
{
    uint32_t words[WEFT_DROPOUT_GROUP + LANES]; /* the last vector may begin at the last word */
    memset(words + WEFT_DROPOUT_GROUP, 0, LANES * sizeof(uint32_t));
    vint threshold = (vint){0} + (int32_t)stream->threshold;
    vfloat scale = vsplat(row->scale);
    int64_t done = 0;
    while (done < row->count) {
        int64_t element = row->element + done;
        int64_t first = element % WEFT_DROPOUT_GROUP, n = WEFT_DROPOUT_GROUP - first;
        if (n > row->count - done)
            n = row->count - done;
        draw_group(stream, row->sample, element / WEFT_DROPOUT_GROUP, words);
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

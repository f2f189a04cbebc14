#include "kernels/noise.h"

#include "kernels/elementary_simd.h"
#include "kernels/philox_simd.h"

/* The normal numbers of a group of elements, in their order. */
SIMD_INLINE void draw_group(const weft_noise_row *row, int64_t group, float *normal)
{
    for (int part = 0; part < WEFT_NOISE_BLOCKS; part += LANES) {
        vuint word[4];
        philox(row->key, row->step, row->sample, (uint32_t)(group * WEFT_NOISE_BLOCKS + part),
               word);
        for (int w = 0; w < 4; w += 2) {
            vint upper = (vint)(word[w] >> 8); /* 24 bits, which are exact in float */
            vfloat u = (__builtin_convertvector(upper, vfloat) + 0.5f) * 0x1p-24f;
            vfloat distance = vsqrt(-2 * vlog(u)), cosine, sine;
            vturn((vint)(word[w + 1] >> 8), &cosine, &sine);
            vstore(normal + w * WEFT_NOISE_BLOCKS + part, distance * cosine);
            vstore(normal + (w + 1) * WEFT_NOISE_BLOCKS + part, distance * sine);
        }
    }
}

SIMD_INLINE void add_noise(const weft_noise_row *row, int64_t at, const float *normal,
                           int64_t lanes)
{
    vfloat x = vload_lanes(row->x + at, lanes);
    vfloat noise = row->deviation * vload_lanes(normal, lanes);
    vstore_lanes(row->out + at, row->scales ? x * (1 + noise) : x + noise, lanes);
}

static void noise_row(const weft_noise_row *row)
{
    float normal[WEFT_NOISE_GROUP];
    for (int64_t done = 0; done < row->count;) {
        int64_t element = row->element + done;
        int64_t first = element % WEFT_NOISE_GROUP, n = WEFT_NOISE_GROUP - first, i = 0;
        if (n > row->count - done)
            n = row->count - done;
        draw_group(row, element / WEFT_NOISE_GROUP, normal);
        for (; i + LANES <= n; i += LANES)
            add_noise(row, done + i, normal + first + i, LANES);
        if (i < n)
            add_noise(row, done + i, normal + first + i, n - i);
        done += n;
    }
}

const weft_noise_kernels WEFT_FOR_ISA(weft_noise_table) = {.row = noise_row};

#include "kernels/noise.h"

#include "kernels/elementary_simd.h"
#include "kernels/integer.h"
#include "kernels/philox_simd.h"

/* Groups whose words are drawn before any is used: what one number waits for then hides behind others. */
enum { GROUPS = 4 };

/* Two words as two normal numbers, which take their places. */
SIMD_INLINE void make_normal(float *distances, float *directions)
{
    vint upper = (vint)((vuint)vload(distances) >> 8); /* 24 bits, which are exact in float */
    vint turned = (vint)((vuint)vload(directions) >> 8);
    vfloat u = (__builtin_convertvector(upper, vfloat) + 0.5f) * 0x1p-24f, cosine, sine;
    vfloat f, n = binary_parts(u, &f), distance = vsqrt(-2 * logarithm_of(n, f));
    vturn(turned, &cosine, &sine);
    vstore(distances, distance * cosine);
    vstore(directions, distance * sine);
}

/* The normal numbers of some groups of elements, in their order. */
static void draw_groups(const philox_stream *stream, int64_t group, int64_t groups, float *normal)
{
    for (int64_t g = 0; g < groups; g++)
        philox_group(stream, group + g, (uint32_t *)(normal + g * WEFT_PHILOX_GROUP));
    for (int64_t pair = 0; pair < 2 * groups; pair++)
        for (int part = 0; part < WEFT_PHILOX_BLOCKS; part += LANES) {
            float *first = normal + 2 * pair * WEFT_PHILOX_BLOCKS + part;
            make_normal(first, first + WEFT_PHILOX_BLOCKS);
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
    enum { GROUP = WEFT_PHILOX_GROUP };
    float normal[GROUPS * GROUP];
    philox_stream stream = philox_begin(row->key, row->step, row->sample);
    for (int64_t done = 0, n; done < row->count; done += n) {
        int64_t element = row->element + done, first = element % GROUP, i = 0;
        n = weft_least(GROUPS * GROUP - first, row->count - done);
        draw_groups(&stream, element / GROUP, (first + n + GROUP - 1) / GROUP, normal);
        for (; i + LANES <= n; i += LANES)
            add_noise(row, done + i, normal + first + i, LANES);
        if (i < n)
            add_noise(row, done + i, normal + first + i, n - i);
    }
}

const weft_noise_kernels WEFT_FOR_ISA(weft_noise_table) = {.row = noise_row};

#include "kernels/channel_sums.h"

#include "kernels/simd.h"

/* The number that differences are taken from: the mean of the first rows of a part. */
SIMD_INLINE void choose_pivot(const weft_channel_rows *r, int64_t c, int64_t lanes)
{
    const float *x = r->in[0] + c;
    vfloat sum = {0};
    for (int64_t i = 0; i < r->rows; i++)
        sum += vload_lanes(x + i * r->step[0], lanes);
    vstore_lanes(r->number + c, sum * (1.0f / (float)r->rows), lanes);
}

SIMD_INLINE void add_differences(const weft_channel_rows *r, int64_t c, int64_t lanes)
{
    const float *x = r->in[0] + c;
    float *number = r->number + c;
    vfloat pivot = vload_lanes(number, lanes), sum = {0}, square = {0};
    for (int64_t i = 0; i < r->rows; i++) {
        vfloat d = vload_lanes(x + i * r->step[0], lanes) - pivot;
        sum += d;
        square += d * d;
    }
    float *sums = number + r->number_step, *squares = sums + r->number_step;
    float *counts = squares + r->number_step;
    vstore_lanes(sums, vload_lanes(sums, lanes) + sum, lanes);
    vstore_lanes(squares, vload_lanes(squares, lanes) + square, lanes);
    vstore_lanes(counts, vload_lanes(counts, lanes) + (float)r->rows, lanes);
}

static void add_statistics(const weft_channel_rows *r)
{
    int64_t c = 0, whole = r->channels / LANES * LANES, rest = r->channels - whole;
    if (r->number[3 * r->number_step] == 0) {
        for (; c < whole; c += LANES)
            choose_pivot(r, c, LANES);
        if (rest)
            choose_pivot(r, c, rest);
    }
    for (c = 0; c < whole; c += LANES)
        add_differences(r, c, LANES);
    if (rest)
        add_differences(r, c, rest);
}

SIMD_INLINE void add_product_vector(const weft_channel_rows *r, int64_t c, int64_t lanes)
{
    const float *dy = r->in[0] + c, *x = r->in[1] + c;
    float *sums = r->number + c, *products = sums + r->number_step;
    vfloat mean = vload_lanes(r->in[2] + c, lanes), sum = {0}, product = {0};
    for (int64_t i = 0; i < r->rows; i++) {
        vfloat g = vload_lanes(dy + i * r->step[0], lanes);
        sum += g;
        product += g * (vload_lanes(x + i * r->step[1], lanes) - mean);
    }
    vstore_lanes(sums, vload_lanes(sums, lanes) + sum, lanes);
    vstore_lanes(products, vload_lanes(products, lanes) + product, lanes);
}

static void add_products(const weft_channel_rows *r)
{
    int64_t c = 0;
    for (; c + LANES <= r->channels; c += LANES)
        add_product_vector(r, c, LANES);
    if (c < r->channels)
        add_product_vector(r, c, r->channels - c);
}

const weft_channel_kernels WEFT_FOR_ISA(weft_channel_kernel_table) = {
    .add = {[WEFT_CHANNEL_STATISTICS] = add_statistics, [WEFT_CHANNEL_PRODUCTS] = add_products},
};

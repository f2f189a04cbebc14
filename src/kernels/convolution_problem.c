/* What there is to know of a convolution, whatever solves it. */
#include "kernels/convolution.h"

#include <string.h>
#include <xxhash.h>

void weft_convolution_dense(const int64_t extent[3], int64_t channels, int64_t stride[4])
{
    stride[3] = channels;
    stride[2] = stride[3] * extent[2];
    stride[1] = stride[2] * extent[1];
    stride[0] = stride[1] * extent[0];
}

double weft_convolution_multiply_adds(const weft_convolution_problem *problem)
{
    double n =
        (double)(problem->batch * problem->in_channels / problem->groups * problem->out_channels);
    for (int i = 0; i < 3; i++)
        n *= (double)(problem->out[i] * problem->kernel[i]);
    return n;
}

/* From the first element up to the last. */
static int64_t image_floats(int64_t batch, const int64_t extent[3], const int64_t stride[4],
                            int64_t channels)
{
    int64_t last = (batch - 1) * stride[0];
    for (int i = 0; i < 3; i++)
        last += (extent[i] - 1) * stride[1 + i];
    return last + channels;
}

int weft_convolution_operands(const weft_convolution_problem *p, weft_convolution_pass pass,
                              int64_t floats[4])
{
    int64_t x = image_floats(p->batch, p->in, p->x_stride, p->in_channels);
    int64_t y = image_floats(p->batch, p->out, p->y_stride, p->out_channels);
    int64_t w =
        p->kernel[0] * p->kernel[1] * p->kernel[2] * (p->in_channels / p->groups) * p->out_channels;
    int count = 0;
    floats[count++] = pass == WEFT_CONVOLUTION_INPUT_GRADIENT ? y : x;
    floats[count++] = pass == WEFT_CONVOLUTION_FILTER_GRADIENT ? y : w;
    if (p->bias && pass != WEFT_CONVOLUTION_FILTER_GRADIENT)
        floats[count++] = pass == WEFT_CONVOLUTION_FORWARD ? p->out_channels : p->in_channels;
    floats[count++] = pass == WEFT_CONVOLUTION_FORWARD          ? y
                      : pass == WEFT_CONVOLUTION_INPUT_GRADIENT ? x
                                                                : w;
    return count;
}

/* ---- Hash ---- */

/* A problem as numbers without gaps: equal where the problems are. */
typedef struct canonical {
    int64_t pass, batch, groups, in_channels, out_channels;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
    int64_t x_stride[4], y_stride[4];
    int64_t flip_filter, bias, exact_products, steady_filter;
} canonical;

/* The stride of a dimension with one element means nothing. */
static void copy_strides(int64_t to[4], const int64_t from[4], int64_t batch,
                         const int64_t extent[3])
{
    to[0] = batch > 1 ? from[0] : 0;
    for (int i = 0; i < 3; i++)
        to[1 + i] = extent[i] > 1 ? from[1 + i] : 0;
}

uint64_t weft_convolution_hash(const weft_convolution_problem *p, weft_convolution_pass pass,
                               uint64_t seed)
{
    canonical c = {.pass = pass,
                   .batch = p->batch,
                   .groups = p->groups,
                   .in_channels = p->in_channels,
                   .out_channels = p->out_channels,
                   .flip_filter = p->flip_filter,
                   .bias = p->bias,
                   .exact_products = p->exact_products,
                   .steady_filter = p->steady_filter};
    memcpy(c.in, p->in, sizeof c.in);
    memcpy(c.out, p->out, sizeof c.out);
    memcpy(c.kernel, p->kernel, sizeof c.kernel);
    memcpy(c.stride, p->stride, sizeof c.stride);
    memcpy(c.dilation, p->dilation, sizeof c.dilation);
    memcpy(c.pad, p->pad, sizeof c.pad);
    copy_strides(c.x_stride, p->x_stride, p->batch, p->in);
    copy_strides(c.y_stride, p->y_stride, p->batch, p->out);
    return XXH3_64bits_withSeed(&c, sizeof c, seed);
}

#include "ops/convolution_walk.h"

enum { SPATIAL = WEFT_MAX_SPATIAL };

/* The input position of output position o and filter position k; false outside the input. */
static bool meet(const weft_convolution_problem *problem, const int64_t *o, const int64_t *k,
                 int64_t *i)
{
    for (int d = 0; d < SPATIAL; d++) {
        i[d] = o[d] * problem->stride[d] - problem->pad[d] + k[d] * problem->dilation[d];
        if (i[d] < 0 || i[d] >= problem->in[d])
            return false;
    }
    return true;
}

/* Steps to the next position in row-major order; false after the last. */
static bool next_position(int64_t *position, const int64_t *extent)
{
    for (int d = SPATIAL - 1; d >= 0; d--) {
        if (++position[d] < extent[d])
            return true;
        position[d] = 0;
    }
    return false;
}

static int64_t activation_offset(int64_t sample, const int64_t *position, const int64_t *stride)
{
    return sample * stride[0] + position[0] * stride[1] + position[1] * stride[2] +
           position[2] * stride[3];
}

static int64_t filter_offset(const weft_convolution_problem *problem, const int64_t *k,
                             const weft_tensor *w)
{
    int missing = SPATIAL - (w->rank - 2);
    int64_t offset = 0;
    for (int d = missing; d < SPATIAL; d++)
        offset +=
            (problem->flip_filter ? problem->kernel[d] - 1 - k[d] : k[d]) * w->stride[d - missing];
    return offset;
}

void weft_convolution_walk(const weft_convolution_attributes *attributes, const weft_tensor *x,
                           const weft_tensor *w, const weft_tensor *y,
                           weft_convolution_pair_fn *pair)
{
    weft_convolution_problem problem = weft_convolution_resolve(attributes, x, w, y, false);
    int64_t ins = problem.in_channels / problem.groups;
    int64_t outs = problem.out_channels / problem.groups;
    int64_t w_stride = w->stride[w->rank - 2];
    for (int64_t n = 0; n < problem.batch; n++) {
        int64_t o[SPATIAL] = {0};
        do {
            int64_t k[SPATIAL] = {0};
            do {
                int64_t i[SPATIAL];
                if (!meet(&problem, o, k, i))
                    continue;
                double *x_pixel = (double *)x->data + activation_offset(n, i, problem.x_stride);
                double *y_pixel = (double *)y->data + activation_offset(n, o, problem.y_stride);
                double *w_tap = (double *)w->data + filter_offset(&problem, k, w);
                for (int64_t g = 0; g < problem.groups; g++)
                    pair(x_pixel + g * ins, ins, w_tap + g * outs, w_stride, y_pixel + g * outs,
                         outs);
            } while (next_position(k, problem.kernel));
        } while (next_position(o, problem.out));
    }
}

void weft_convolution_start(const weft_tensor *tensor, const weft_tensor *bias)
{
    int64_t count = weft_tensor_elements(tensor);
    int64_t channels = tensor->extent[tensor->rank - 1];
    double *to = tensor->data;
    const double *from = bias == NULL ? NULL : bias->data;
    for (int64_t i = 0; i < count; i++)
        to[weft_tensor_offset(tensor, i)] = from == NULL ? 0 : from[i % channels];
}

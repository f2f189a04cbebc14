/* Average pooling and its gradient. */
#include "kernels/pool_walk.h"

/* What the window at that position counts along one dimension. */
SIMD_INLINE float count(const weft_pool_args *args, int dimension, int64_t position)
{
    return (float)weft_pool_count(&args->axis[dimension], position, args->count_include_pad);
}

/* ---- Forward ---- */

typedef struct forward_pixel {
    const weft_pool_axis *axis;
    box x;
    float *y;
    float weight;
} forward_pixel;

SIMD_INLINE void forward_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const forward_pixel *pixel = context;
    const box *b = &pixel->x;
    vfloat sum[BLOCK];
    for (int v = 0; v < vectors; v++)
        sum[v] = vsplat(0);
    fetch_below(b, pixel->axis, channel, vectors);
    for (int64_t d = 0; d < b->count[0]; d++)
        for (int64_t h = 0; h < b->count[1]; h++) {
            const float *x = b->first + d * b->step[0] + h * b->step[1] + channel;
            for (int64_t w = 0; w < b->count[2]; w++, x += b->step[2])
                for (int v = 0; v < vectors; v++)
                    sum[v] += vload_lanes(x + v * LANES, lanes_of(v, vectors, last));
        }
    for (int v = 0; v < vectors; v++)
        vstore_lanes(pixel->y + channel + v * LANES, sum[v] * pixel->weight,
                     lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_forward(const weft_pool_args *args, void *const *operand, int64_t image,
                               const int64_t position[3], const weft_pool_range range[3])
{
    const float *x = (const float *)operand[0] + image * args->fine[0].image;
    forward_pixel pixel = {
        .axis = args->axis,
        .x = box_of(x, &args->fine[0], range),
        .y = (float *)operand[1] + weft_pool_offset(&args->coarse, image, position),
        .weight = 1.0f / (count(args, 0, position[0]) * count(args, 1, position[1]) *
                          count(args, 2, position[2])),
    };
    each_block(args->channels, forward_block, &pixel);
}

static void forward(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, false, visit_forward);
}

/* ---- Backward: each element gathers from the windows that it is in ---- */

enum { MOST_WEIGHTS = 64 };

typedef struct backward_pixel {
    const weft_pool_args *args;
    box dy;
    const weft_pool_range *range; /* positions of those windows */
    const float *weight;          /* of each of them; NULL: there are too many to keep */
    float *dx;
} backward_pixel;

/* Of the window that is so many along each dimension from the first. */
SIMD_INLINE float weight_of(const weft_pool_args *args, const weft_pool_range range[3], int64_t d,
                            int64_t h, int64_t w)
{
    return 1.0f / (count(args, 0, range[0].begin + d) * count(args, 1, range[1].begin + h) *
                   count(args, 2, range[2].begin + w));
}

SIMD_INLINE void backward_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const backward_pixel *pixel = context;
    const box *b = &pixel->dy;
    vfloat sum[BLOCK];
    const float *kept = pixel->weight;
    for (int v = 0; v < vectors; v++)
        sum[v] = vsplat(0);
    for (int64_t d = 0; d < b->count[0]; d++)
        for (int64_t h = 0; h < b->count[1]; h++) {
            const float *dy = b->first + d * b->step[0] + h * b->step[1] + channel;
            for (int64_t w = 0; w < b->count[2]; w++, dy += b->step[2]) {
                float weight = kept ? *kept++ : weight_of(pixel->args, pixel->range, d, h, w);
                for (int v = 0; v < vectors; v++)
                    sum[v] += weight * vload_lanes(dy + v * LANES, lanes_of(v, vectors, last));
            }
        }
    for (int v = 0; v < vectors; v++)
        vstore_lanes(pixel->dx + channel + v * LANES, sum[v], lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_backward(const weft_pool_args *args, void *const *operand, int64_t image,
                                const int64_t position[3], const weft_pool_range range[3])
{
    const float *dy = (const float *)operand[0] + image * args->coarse.image;
    box windows = box_of(dy, &args->coarse, range);
    float weight[MOST_WEIGHTS], *next = weight;
    bool keep = windows.count[0] * windows.count[1] * windows.count[2] <= MOST_WEIGHTS;
    for (int64_t d = 0; keep && d < windows.count[0]; d++)
        for (int64_t h = 0; h < windows.count[1]; h++)
            for (int64_t w = 0; w < windows.count[2]; w++)
                *next++ = weight_of(args, range, d, h, w);
    backward_pixel pixel = {
        .args = args,
        .dy = windows,
        .range = range,
        .weight = keep ? weight : NULL,
        .dx = (float *)operand[2] + weft_pool_offset(&args->fine[0], image, position),
    };
    each_block(args->channels, backward_block, &pixel);
}

static void backward(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, true, visit_backward);
}

const weft_pool_average_kernels WEFT_FOR_ISA(weft_pool_average_table) = {.forward = forward,
                                                                         .backward = backward};

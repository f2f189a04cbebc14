#include "kernels/resample.h"

#include "kernels/pool_walk.h"

typedef struct output_pixel {
    const float *x; /* of one image */
    float *y;
    const weft_tap *begin[3], *end[3];
    int64_t step[3];
} output_pixel;

SIMD_INLINE void sum_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const output_pixel *pixel = context;
    vfloat sum[BLOCK];
    for (int v = 0; v < vectors; v++)
        sum[v] = vsplat(0);
    for (const weft_tap *d = pixel->begin[0]; d < pixel->end[0]; d++)
        for (const weft_tap *h = pixel->begin[1]; h < pixel->end[1]; h++) {
            const float *row =
                pixel->x + d->index * pixel->step[0] + h->index * pixel->step[1] + channel;
            for (const weft_tap *w = pixel->begin[2]; w < pixel->end[2]; w++) {
                const float *x = row + w->index * pixel->step[2];
                float weight = d->weight * h->weight * w->weight;
                for (int v = 0; v < vectors; v++)
                    sum[v] += weight * vload_lanes(x + v * LANES, lanes_of(v, vectors, last));
            }
        }
    for (int v = 0; v < vectors; v++)
        vstore_lanes(pixel->y + channel + v * LANES, sum[v], lanes_of(v, vectors, last));
}

static void run(const weft_call *call, int64_t piece)
{
    const weft_resample_args *args = call->args;
    const weft_resample_axis *axis = args->axis;
    int64_t index = piece * args->piece_pixels, end = index + args->piece_pixels;
    int64_t image_pixels = axis[0].output * axis[1].output * axis[2].output;
    if (end > args->images * image_pixels)
        end = args->images * image_pixels;
    const int64_t *first[3];
    const weft_tap *tap[3];
    for (int i = 0; i < 3; i++) {
        first[i] = weft_resample_first(args, i);
        tap[i] = weft_resample_tap(args, i);
    }
    for (; index < end; index++) {
        int64_t image = index / image_pixels, position[3], rest = index % image_pixels;
        output_pixel pixel = {.x = (const float *)call->operand[0] + image * args->in.image};
        for (int i = 2; i >= 0; i--) {
            position[i] = rest % axis[i].output;
            rest /= axis[i].output;
            pixel.begin[i] = tap[i] + first[i][position[i]];
            pixel.end[i] = tap[i] + first[i][position[i] + 1];
            pixel.step[i] = args->in.axis[i];
        }
        pixel.y = (float *)call->operand[args->to] + weft_pool_offset(&args->out, image, position);
        each_block(args->channels, sum_block, &pixel);
    }
}

const weft_resample_kernels WEFT_FOR_ISA(weft_resample_table) = {.run = run};

#include "kernels/unpool.h"

#include "kernels/integer.h"

#include <string.h>

int64_t weft_unpool_pieces(const weft_unpool_args *args)
{
    return args->images * weft_ceiling(args->channels, WEFT_UNPOOL_CHANNELS);
}

/* The operands of one piece: its image, from its first channel on. */
typedef struct part {
    const float *x;
    const int32_t *index;
    float *y;
    int64_t count; /* channels */
} part;

static part part_of(const weft_call *call, int64_t piece, int64_t x_pixels, int64_t y_pixels)
{
    const weft_unpool_args *args = call->args;
    int64_t blocks = weft_ceiling(args->channels, WEFT_UNPOOL_CHANNELS);
    int64_t image = piece / blocks, first = piece % blocks * WEFT_UNPOOL_CHANNELS;
    return (part){
        .x = (const float *)call->operand[0] + image * x_pixels * args->channels + first,
        .index = (const int32_t *)call->operand[1] + image * args->coarse * args->channels + first,
        .y = (float *)call->operand[args->to] + image * y_pixels * args->channels + first,
        .count = weft_least(WEFT_UNPOOL_CHANNELS, args->channels - first),
    };
}

void weft_unpool_scatter(const weft_call *call, int64_t piece)
{
    const weft_unpool_args *args = call->args;
    part p = part_of(call, piece, args->coarse, args->fine);
    for (int64_t i = 0; i < args->fine; i++)
        memset(p.y + i * args->channels, 0, (size_t)p.count * sizeof(float));
    for (int64_t i = 0; i < args->coarse; i++, p.x += args->channels, p.index += args->channels)
        for (int64_t c = 0; c < p.count; c++)
            if (p.index[c] >= 0 && p.index[c] < args->fine)
                p.y[p.index[c] * args->channels + c] += p.x[c];
}

void weft_unpool_gather(const weft_call *call, int64_t piece)
{
    const weft_unpool_args *args = call->args;
    part p = part_of(call, piece, args->fine, args->coarse);
    for (int64_t i = 0; i < args->coarse; i++, p.y += args->channels, p.index += args->channels)
        for (int64_t c = 0; c < p.count; c++)
            p.y[c] = p.index[c] >= 0 && p.index[c] < args->fine
                         ? p.x[p.index[c] * args->channels + c]
                         : 0;
}

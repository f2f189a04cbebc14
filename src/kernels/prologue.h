/* What a kernel does to its first input as it reads it, so that nobody has to store the result:
 *
 *     x -> clamp((x - center) * slope + shift)
 *
 * by the formula of weft_finish, without an addend. What is outside of the input stays 0. */
#ifndef WEFT_KERNELS_PROLOGUE_H
#define WEFT_KERNELS_PROLOGUE_H

#include "kernels/epilogue.h"

typedef struct weft_prologue {
    int center, slope,
        shift;     /* slots in weft_call.operand, of channels; 0: nothing is normalized */
    float ceiling; /* as in weft_finish */
} weft_prologue;

/* For the channels from `channel` on. */
static inline weft_finish weft_prologue_finish(const weft_prologue *p, const weft_call *call,
                                               int64_t channel)
{
    weft_finish f = {.ceiling = p->ceiling};
    if (p->slope) {
        f.center = (const float *)call->operand[p->center] + channel;
        f.slope = (const float *)call->operand[p->slope] + channel;
        f.shift = (const float *)call->operand[p->shift] + channel;
    }
    return f;
}

#endif

/* Streams of random numbers for the checks: the same for the same key, on every machine. */
#ifndef WEFT_CHECK_DRAW_H
#define WEFT_CHECK_DRAW_H

#include "weft/op.h"

/* Streams with different keys are independent; count is how many blocks were used. */
typedef struct weft_draw {
    uint64_t key, count;
} weft_draw;

/* In (0, 1). */
double weft_draw_unit(weft_draw *draw);
/* In [low, high]. */
int64_t weft_draw_integer(weft_draw *draw, int64_t low, int64_t high);
/* Standard normal. */
double weft_draw_normal(weft_draw *draw);
/* Fills elements with numbers of the kind, all of them exact in float32. */
void weft_draw_fill(weft_draw *draw, weft_sample_kind kind, double *elements, int64_t count);

#endif

#include "check/draw.h"

#include "kernels/philox.h"

#include <math.h>

enum { MARK = 0x43484543 }; /* keeps the checks' streams apart from those of initializers and ops */

static weft_philox_block next_block(weft_draw *draw)
{
    return weft_philox(draw->key, draw->count++, MARK);
}

double weft_draw_unit(weft_draw *draw)
{
    weft_philox_block block = next_block(draw);
    return weft_unit_double(block.word[0], block.word[1]);
}

int64_t weft_draw_integer(weft_draw *draw, int64_t low, int64_t high)
{
    int64_t range = high - low + 1;
    int64_t offset = (int64_t)(weft_draw_unit(draw) * (double)range);
    return low + (offset < range ? offset : range - 1);
}

/* Box and Muller. */
double weft_draw_normal(weft_draw *draw)
{
    weft_philox_block block = next_block(draw);
    double radius = sqrt(-2 * log(weft_unit_double(block.word[0], block.word[1])));
    return radius * cos(2 * M_PI * weft_unit_double(block.word[2], block.word[3]));
}

static double draw_one(weft_draw *draw, weft_sample_kind kind)
{
    switch (kind) {
    case WEFT_SAMPLE_POSITIVE:
        return 0.5 + 1.5 * weft_draw_unit(draw);
    case WEFT_SAMPLE_UNIT:
        return 0.05 + 0.9 * weft_draw_unit(draw);
    default:
        break;
    }
    double x = weft_draw_normal(draw);
    while (fabs(x) < 0.05)
        x = weft_draw_normal(draw);
    return x;
}

/* A grid around zero that misses it, shuffled (Fisher and Yates). */
static void fill_distinct(weft_draw *draw, double *elements, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        elements[i] = (float)(0.1 * ((double)(i - count / 2) + 0.5));
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = weft_draw_integer(draw, 0, i);
        double swap = elements[i];
        elements[i] = elements[j];
        elements[j] = swap;
    }
}

void weft_draw_fill(weft_draw *draw, weft_sample_kind kind, double *elements, int64_t count)
{
    if (kind == WEFT_SAMPLE_DISTINCT) {
        fill_distinct(draw, elements, count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        elements[i] = (float)draw_one(draw, kind);
}

/* Transforms filters into the panels that register tiles read. For vector kernel files only. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_FILTERS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_FILTERS_H

#include "kernels/convolution_winograd_gather.h"
#include "kernels/matmul_pack.h"
#include "kernels/matmul_tile.h"

/* Filters as they are stored, and the panels of each position. */
typedef struct winograd_filters {
    const weft_winograd_grid *grid;
    const float *b;               /* first filter */
    int64_t tap, channel, filter; /* between neighbours; channel or filter is 1 */
    bool flip;
    int64_t first;                    /* channel: row 0 of the panels */
    int64_t filters, vectors, widest; /* widest: of a panel, in vectors */
    int64_t rows;                     /* of a panel: channels */
    int64_t position;                 /* floats between positions */
} winograd_filters;

/* u = G g of one vector of filters, along one dimension. */
SIMD_INLINE void transform_filter_line(weft_winograd_size size, const float *taps, int64_t tap,
                                       float *to, int64_t position)
{
    vfloat g[WINOGRAD_TAPS], u[WINOGRAD_SPAN];
#pragma GCC unroll 7
    for (int i = 0; i < size.taps; i++)
        g[i] = vload(taps + i * tap);
    filter_line(size, g, u);
#pragma GCC unroll 9
    for (int i = 0; i < span_of(size); i++)
        vstore(to + i * position, u[i]);
}

/* u = G g Gt, or along one dimension; the taps are `tap` floats apart. */
SIMD_INLINE void transform_filter(weft_winograd_size size, const float *taps, int64_t tap,
                                  float *to, int64_t position)
{
    const int positions = span_of(size);
    if (size.dimensions == 1) {
        transform_filter_line(size, taps, tap, to, position);
        return;
    }
    vfloat half[WINOGRAD_PLANE_SPAN][WINOGRAD_PLANE_TAPS];
#pragma GCC unroll 5
    for (int j = 0; j < size.taps; j++) {
        vfloat g[WINOGRAD_TAPS], u[WINOGRAD_SPAN];
#pragma GCC unroll 5
        for (int i = 0; i < size.taps; i++)
            g[i] = vload(taps + (i * size.taps + j) * tap);
        filter_line(size, g, u);
#pragma GCC unroll 6
        for (int i = 0; i < positions; i++)
            half[i][j] = u[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < positions; i++) {
        vfloat u[WINOGRAD_SPAN];
        filter_line(size, half[i], u);
#pragma GCC unroll 6
        for (int j = 0; j < positions; j++, to += position)
            vstore(to, u[j]);
    }
}

/* Channels first..end-1. Some at a time go into a small panel for each tap, and from there, transformed, into
 * the panels of the positions. */
SIMD_INLINE void filters_to_panels(weft_winograd_size size, const winograd_filters *f,
                                   int64_t first, int64_t end, float *to)
{
    enum { ROWS = 9 * LANES }; /* of the small panels, in all */
    _Alignas(64) float taps[ROWS * WEFT_TILE_VECTORS * LANES];
    const int all = taps_of(size);
    const int64_t of_phase = f->grid->phase_channels;
    int64_t panels = panels_of(f->vectors, f->widest);
    for (int64_t i = 0; i < panels; i++) {
        int64_t v0 = f->vectors * i / panels, v1 = f->vectors * (i + 1) / panels;
        int64_t width = (v1 - v0) * LANES;
        int64_t columns = weft_least(f->filters - v0 * LANES, width);
        float *panel = to + v0 * LANES * f->rows;
        for (int64_t k = first, n; k < end; k += n) {
            int64_t phase = k / of_phase, channel = k % of_phase;
            n = weft_least(weft_least(ROWS / all, end - k), of_phase - channel);
            int64_t tap = n * width, place[WINOGRAD_PLANE_TAPS * WINOGRAD_PLANE_TAPS];
            const float *from = f->b + channel * f->channel + v0 * LANES * f->filter;
            weft_winograd_stored_taps(f->grid, phase, f->flip, place);
            for (int j = 0; j < all; j++) {
                const float *one = from + place[j] * f->tap;
                if (place[j] < 0)
                    zero_floats(taps + j * tap, tap);
                else if (f->filter == 1)
                    pack_rows(taps + j * tap, width, one, f->channel, n, columns);
                else
                    pack_columns(taps + j * tap, width, one, f->filter, n, columns);
            }
            for (int64_t j = 0; j < tap; j += LANES)
                transform_filter(size, taps + j, tap, panel + (k - f->first) * width + j,
                                 f->position);
        }
    }
}

#endif

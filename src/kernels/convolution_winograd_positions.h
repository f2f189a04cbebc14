/* Winograd convolution position by position, forward and input gradient: what the planner tells the pieces.
 *
 * As in convolution_winograd.h "a" is read, "b" is the filter, "c" is written. One phase transforms filters to a
 * matrix of channels by filters for each position, one the pixels to a matrix of tiles by channels, the next
 * multiplies, and the last transforms the products, a matrix of tiles by filters for each position, to pixels of
 * c. Against convolution_winograd.h the pixels and products pass through memory, but every sum of many channels is
 * made in one go, and a filter is read for many tiles.
 *
 * So that the workspace stays small this is done in rounds: for a chunk of the tiles each, with all filters, which
 * are transformed once, into what is prepared (see kernels/plan.h); or for a section of the filters each, with all
 * tiles, whose pixels are transformed once, where filters are what takes the most and are not kept. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_POSITIONS_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_POSITIONS_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/isa.h"
#include "kernels/plan.h"

enum {
    WEFT_POSITIONS_ROUNDS = 8,
    WEFT_POSITIONS_ROUND = 4 * 1024 * 1024 /* floats that a round should take, of what it divides */
};

typedef struct weft_winograd_positions {
    weft_slots slots;
    const struct weft_epilogue *epilogue; /* of c; NULL: none; a group is a part */
    bool flip, bias;
    int64_t channels, filters;
    weft_winograd_grid grid; /* of c */
    weft_winograd_image a, c;
    int64_t b_tap, b_channel, b_filter; /* b_channel or b_filter is 1 */

    /* Blocking, chosen by the planner. */
    int64_t chunk, chunks;     /* tiles of a chunk */
    int64_t section, sections; /* vectors of filters of a section; one of them if chunks > 1 */
    int64_t group, groups;     /* tiles of a piece of the transforms, of a chunk */
    int64_t vectors;           /* most vectors of a register tile */
    int64_t channel_block;     /* channels of one run of the products */
    int64_t tile_parts, filter_parts; /* of the products of a position */
    int64_t filter_blocks;            /* of the transform of filters */
    /* Floats between rows of the pixels and of the products, and between positions; of a chunk and a section. */
    int64_t pixels_step, products_step;
    int64_t pixels_position, filters_position, products_position;
} weft_winograd_positions;

/* The workspace has pixels, products and, if there are several sections, filters. */
typedef struct weft_winograd_positions_kernels {
    weft_piece_fn *filters;  /* blocks of channels */
    weft_piece_fn *pixels;   /* groups */
    weft_piece_fn *multiply; /* positions, parts within */
    weft_piece_fn *write;    /* groups */
} weft_winograd_positions_kernels;

/* For tiles of 2 x 2 and 4 x 4; in one dimension of 4 with 3 taps and of 3 with 7. */
WEFT_ISA_DECLARE(weft_winograd_positions_kernels, weft_winograd_positions_2x2);
WEFT_ISA_DECLARE(weft_winograd_positions_kernels, weft_winograd_positions_4x4);
WEFT_ISA_DECLARE(weft_winograd_positions_kernels, weft_winograd_positions_4_of_3);
WEFT_ISA_DECLARE(weft_winograd_positions_kernels, weft_winograd_positions_3_of_7);

#endif

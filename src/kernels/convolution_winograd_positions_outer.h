/* Winograd's filter gradient, position by position: what the planner tells the pieces.
 *
 * A phase transforms both arrays into the workspace: a matrix of tiles by channels and one of tiles by filters for
 * each of the positions. The next phase multiplies them, a piece being one position and a part of the channels, and
 * adds to the sums of that position, which lie in the workspace too. A last phase transforms the sums to the taps.
 * Against convolution_winograd_outer.h the pixels pass through memory, but every tile is transformed once, and the
 * sums of many channels are added up in long runs.
 *
 * So that the workspace stays small this is done in rounds: the first two phases for a chunk of the tiles each, with
 * the sums of all channels; or all three for a section of the channels each, with all tiles, whose dy is transformed
 * once, where the sums are what takes the most. */
#ifndef WEFT_KERNELS_CONVOLUTION_WINOGRAD_POSITIONS_OUTER_H
#define WEFT_KERNELS_CONVOLUTION_WINOGRAD_POSITIONS_OUTER_H

#include "kernels/convolution_winograd_grid.h"
#include "kernels/isa.h"
#include "kernels/plan.h"

enum {
    WEFT_POSITIONS_OUTER_CHUNKS = 15,
    WEFT_POSITIONS_OUTER_SECTIONS = 10,
    WEFT_POSITIONS_OUTER_VECTORS = 3, /* of a panel of filters: 8 x 3 accumulators or less */
    WEFT_POSITIONS_OUTER_ROUND =
        4 * 1024 * 1024 /* floats that a round should take, of what it divides */
};

typedef struct weft_winograd_positions_outer {
    weft_slots slots;
    bool flip;
    weft_winograd_grid grid; /* of y */
    weft_winograd_image x, y;
    int64_t channel_vectors, filter_vectors;

    /* Blocking, chosen by the planner. */
    int64_t group, groups;      /* tiles of a run of the products */
    int64_t chunk, chunks;      /* groups of a chunk */
    int64_t section, sections;  /* vectors of channels of a section; one of them if chunks > 1 */
    int64_t x_blocks, y_blocks; /* of channels or filters, for the transforms */
    int64_t parts;              /* of the channels of a section, for the products */
    int64_t vectors;            /* most vectors of a panel of filters */
    /* Floats between positions of a group of x (of a section), of y and of the sums, and of whole groups; then
     * what all groups of a chunk take. */
    int64_t x_position, y_position, sums_position;
    int64_t x_group, y_group;
    int64_t x_floats, y_floats;
} weft_winograd_positions_outer;

/* Blocks that a round transforms of each group: of x, all or those of a section; of y, once. */
static inline int64_t weft_positions_outer_blocks(const weft_winograd_positions_outer *p,
                                                  int64_t round)
{
    return p->x_blocks + (p->chunks > 1 || round == 0 ? p->y_blocks : 0);
}

typedef struct weft_winograd_positions_outer_kernels {
    weft_piece_fn *transform; /* groups, blocks of both arrays within */
    weft_piece_fn *multiply;  /* positions, parts within */
    weft_piece_fn *taps;      /* vectors of channels */
} weft_winograd_positions_outer_kernels;

/* For tiles of 2 x 2 and 4 x 4; in one dimension of 4 with 3 taps and of 3 with 7. */
WEFT_ISA_DECLARE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_2x2);
WEFT_ISA_DECLARE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4x4);
WEFT_ISA_DECLARE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_4_of_3);
WEFT_ISA_DECLARE(weft_winograd_positions_outer_kernels, weft_winograd_positions_outer_3_of_7);

#endif

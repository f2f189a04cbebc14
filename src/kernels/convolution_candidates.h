/* The algorithms that weft_convolution_plan chooses among. Each is a file of its own. */
#ifndef WEFT_KERNELS_CONVOLUTION_CANDIDATES_H
#define WEFT_KERNELS_CONVOLUTION_CANDIDATES_H

#include "kernels/convolution.h"

typedef struct weft_convolution_candidate {
    const char *name;
    bool (*applicable)(const weft_convolution_problem *problem, weft_convolution_pass pass);
    /* Fills in cycles (by model), workspace, phases and args. */
    void (*plan)(const weft_convolution_problem *problem, weft_convolution_pass pass,
                 const weft_slots *slots, weft_kernel_plan *plan);
    bool keeps_rows; /* pieces are rows: these are not made one where the filter has one tap */
} weft_convolution_candidate;

extern const weft_convolution_candidate
    weft_convolution_direct_candidate; /* forward and input gradient */
extern const weft_convolution_candidate weft_convolution_outer_candidate;     /* filter gradient */
extern const weft_convolution_candidate weft_convolution_depthwise_candidate; /* all passes */
extern const weft_convolution_candidate weft_convolution_grouped_candidate;   /* all passes */
/* Winograd, stride 1: forward and input gradient. 3x3 by tiles of 2x2 or 4x4 pixels, 4x4 by tiles of 3x3, 5x5 by tiles
 * of 2x2; 1x3 and 3x1 by lines of 4 pixels, 1x7 and 7x1 by lines of 3. */
extern const weft_convolution_candidate weft_winograd_2x2_candidate, weft_winograd_4x4_candidate,
    weft_winograd_3x3_of_4x4_candidate, weft_winograd_2x2_of_5x5_candidate,
    weft_winograd_4_of_3_candidate, weft_winograd_3_of_7_candidate;
extern const weft_convolution_candidate weft_winograd_positions_2x2_candidate,
    weft_winograd_positions_4x4_candidate, weft_winograd_positions_4_of_3_candidate,
    weft_winograd_positions_3_of_7_candidate;
/* The same for the filter gradient. */
extern const weft_convolution_candidate weft_winograd_outer_2x2_candidate,
    weft_winograd_outer_4x4_candidate, weft_winograd_outer_3x3_of_4x4_candidate,
    weft_winograd_outer_2x2_of_5x5_candidate, weft_winograd_outer_4_of_3_candidate,
    weft_winograd_outer_3_of_7_candidate;
extern const weft_convolution_candidate weft_winograd_positions_outer_2x2_candidate,
    weft_winograd_positions_outer_4x4_candidate, weft_winograd_positions_outer_4_of_3_candidate,
    weft_winograd_positions_outer_3_of_7_candidate;
/* Winograd for larger strides, forward and filter gradient: filters of three strides by tiles of 4x4, of four by tiles
 * of 3x3. */
extern const weft_convolution_candidate weft_winograd_strided_4x4_candidate,
    weft_winograd_strided_3x3_candidate, weft_winograd_outer_strided_4x4_candidate,
    weft_winograd_outer_strided_3x3_candidate;

#endif

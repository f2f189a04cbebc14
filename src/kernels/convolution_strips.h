/* A chain of forward convolutions in two dimensions, each of which alone reads what the one before it makes, strip
 * by strip: a piece computes some rows of the last result of one image, and before them the rows of the others that
 * these take, which lie in a buffer of its thread that stays in the second-level cache. So what lies between an
 * expansion, a depthwise convolution and a projection is never stored. Rows that neighbouring strips read are
 * computed for each of them.
 *
 * Every link runs by the kernel and the blocking that would run it alone (direct or depthwise): the bits are the
 * same. */
#ifndef WEFT_KERNELS_CONVOLUTION_STRIPS_H
#define WEFT_KERNELS_CONVOLUTION_STRIPS_H

#include "kernels/convolution.h"
#include "kernels/convolution_depthwise.h"
#include "kernels/convolution_direct.h"
#include "kernels/epilogue.h"

enum { WEFT_STRIPS_LINKS = 3 };

/* Slots are places in weft_call.operand; -1: there is none. */
typedef struct weft_strips_part {
    weft_convolution_problem problem; /* no epilogue, no prologue */
    const char *algorithm;            /* NULL: the cost model's */
    int filter, bias;
    int center, slope, shift, addend; /* see weft_finish; an addend of the last link alone */
    float ceiling;
} weft_strips_part;

typedef struct weft_strips_problem {
    int links;
    weft_strips_part part[WEFT_STRIPS_LINKS];
    int input, output, workspace, prepared; /* slots */
} weft_strips_problem;

enum { WEFT_STRIPS_OPERANDS = 10 }; /* of a link */

typedef struct weft_strips_link {
    bool depthwise, flat; /* flat: one tap, and rows go on: they are one */
    weft_direct direct;   /* or */
    weft_depthwise columns;
    weft_epilogue epilogue;
    weft_piece_fn *run;
    int64_t blocks;                 /* pieces of run for one strip */
    int from[WEFT_STRIPS_OPERANDS]; /* slots of the chain; -1: set for each strip, or missing */
    weft_dimension height;
    int64_t row;         /* floats of a row of the result */
    int64_t buffer;      /* where the result begins in the thread's buffer */
    int64_t prepared;    /* where the packed filter begins, floats */
    int64_t pack_pieces; /* 0: nothing is packed */
} weft_strips_link;

/* What the pieces are told. Links point into it: it must stay where it was planned. */
typedef struct weft_strips {
    int links;
    weft_strips_link link[WEFT_STRIPS_LINKS];
    int input, output, workspace, prepared;
    int64_t x_image, x_row, y_image, y_row; /* floats from one to the next */
    int64_t strips;                         /* of an image */
    int64_t buffer;                         /* floats of each */
    bool by_piece; /* a buffer for each piece instead of each thread: there are fewer of them */
} weft_strips;

/* Plans for up to `threads` threads. The plan's args are not used: strips are its phases' arguments. Returns the
 * cycles that it saves by the model, of all cores; 0 where it saves none, or cannot: strips and plan are then
 * undefined. The filters of links that are not depthwise must be worth packing once for all (`packed`), and one
 * link must be depthwise. */
double weft_strips_plan(const weft_strips_problem *problem, int threads, weft_strips *strips,
                        weft_kernel_plan *plan);

#endif

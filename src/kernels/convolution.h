/* Convolution in 1, 2 or 3 spatial dimensions and its two gradients, float32, channels last.
 *
 *     y[n,o,co] = bias[co] + sum over k, ci of x[n, o*stride + k*dilation - pad, ci] * w[k, ci, co]
 *
 * for every spatial dimension, x being 0 outside of its extents; with flip_filter, w[kernel-1-k]
 * stands for w[k]. With groups, output channels of group g see the input channels of group g only.
 * Each pass is the same relation read for another unknown:
 *
 *     forward          y from x, w
 *     input gradient   dx from dy, w: the transposed convolution's forward pass
 *     filter gradient  dw from x, dy
 */
#ifndef WEFT_KERNELS_CONVOLUTION_H
#define WEFT_KERNELS_CONVOLUTION_H

#include "kernels/plan.h"

typedef enum weft_convolution_pass {
    WEFT_CONVOLUTION_FORWARD,
    WEFT_CONVOLUTION_INPUT_GRADIENT,
    WEFT_CONVOLUTION_FILTER_GRADIENT
} weft_convolution_pass;

/* Spatial arrays are in the order D, H, W; unused leading dimensions have extent, kernel, stride
 * and dilation 1 and pad 0. "x" stands for dx and "y" for dy, too. */
typedef struct weft_convolution_problem {
    int64_t batch;
    int64_t groups; /* divides both channel counts */
    int64_t in_channels;
    int64_t out_channels;
    int64_t in[3];  /* extents of x */
    int64_t out[3]; /* extents of y; they decide the padding at the high end, which may differ */
    int64_t kernel[3];
    int64_t stride[3];
    int64_t dilation[3];
    int64_t pad[3];      /* at the low end; negative crops */
    int64_t x_stride[4]; /* elements between neighbours in N, D, H, W; channels are contiguous */
    int64_t y_stride[4];
    bool flip_filter;
    bool bias; /* forward: + bias[out_channels]; input gradient: + bias[in_channels] */
    struct weft_epilogue *epilogue; /* of y forward, of x in the input gradient; NULL: none */
    const struct weft_finish_slots *prologue; /* of x, not of dx; NULL: none */
    bool exact_products; /* no algorithm that sums transformed operands (Winograd) */
    bool steady_filter;  /* the same in many runs: what is prepared of it costs nothing */
} weft_convolution_problem;

/* The filter is dense: [D] [H] [W] [in_channels / groups] [out_channels]. Inputs in order:
 *     forward x, w, (bias);  input gradient dy, w, (bias);  filter gradient x, dy.
 * Every element of the output is written; nothing else is.
 *
 * Chooses the algorithm of least cost by model; an epilogue is told its parts. slots may be NULL. All extents must be positive.
 * Running a piece takes up to 544 KiB of stack. */
void weft_convolution_plan(const weft_convolution_problem *problem, weft_convolution_pass pass,
                           const weft_slots *slots, weft_kernel_plan *plan);

/* The same by the algorithm of that name, whatever it costs; false where it is unknown, or cannot or may not
 * solve the problem. */
bool weft_convolution_plan_by(const char *algorithm, const weft_convolution_problem *problem,
                              weft_convolution_pass pass, const weft_slots *slots,
                              weft_kernel_plan *plan);

enum { WEFT_CONVOLUTION_ALGORITHMS = 28 };

/* The plans of all algorithms that can solve the problem, with plain slots; returns their number. An epilogue
 * is told nothing. */
int weft_convolution_plans(const weft_convolution_problem *problem, weft_convolution_pass pass,
                           weft_kernel_plan plan[WEFT_CONVOLUTION_ALGORITHMS]);

/* Name of the index-th algorithm; NULL past the last. */
const char *weft_convolution_algorithm(int index);

/* Floats of each operand in plain order, inputs and then the output, gaps of strides included; returns the
 * number of operands. */
int weft_convolution_operands(const weft_convolution_problem *problem, weft_convolution_pass pass,
                              int64_t floats[4]);

/* XXH3 of the problem and the pass: of everything but epilogue and prologue. */
uint64_t weft_convolution_hash(const weft_convolution_problem *problem, weft_convolution_pass pass,
                               uint64_t seed);

/* Strides of a dense array of these extents (D, H, W) and channels, as x_stride and y_stride want
 * them. */
void weft_convolution_dense(const int64_t extent[3], int64_t channels, int64_t stride[4]);

/* Multiply-adds that the problem takes, padding counted; the same for each pass. */
double weft_convolution_multiply_adds(const weft_convolution_problem *problem);

#endif

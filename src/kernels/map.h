/* Elementwise maps in float32: output[i] = f(x[i], y[i]), operands with any strides, also 0 where they
 * are broadcast. Planning merges dimensions into long rows once; running walks over rows and calls the
 * function's vector kernel for each. */
#ifndef WEFT_KERNELS_MAP_H
#define WEFT_KERNELS_MAP_H

#include "kernels/isa.h"
#include "weft/op.h"

/* Every function: X(NAME, name, inputs, flops). Its formula is in map_f64.c, in one line. */
#define WEFT_MAP_FLOAT_TABLE(X)                                                                    \
    X(COPY, copy, 1, 0)                                                                            \
    X(ADD, add, 2, 1)                                                                              \
    X(SUBTRACT, subtract, 2, 1)                                                                    \
    X(MULTIPLY, multiply, 2, 1)                                                                    \
    X(DIVIDE, divide, 2, 1)                                                                        \
    X(SCALE, scale, 1, 1)                                                                          \
    X(OFFSET, offset, 1, 1)                                                                        \
    X(NEGATE, negate, 1, 1)                                                                        \
    X(SQUARE, square, 1, 1)                                                                        \
    X(SQRT, sqrt, 1, 1)                                                                            \
    X(RSQRT, rsqrt, 1, 2)                                                                          \
    X(EXP, exp, 1, 1)                                                                              \
    X(LOG, log, 1, 1)                                                                              \
    X(ABS, abs, 1, 1)                                                                              \
    X(SIGN, sign, 1, 1)                                                                            \
    X(MAXIMUM, maximum, 2, 1)                                                                      \
    X(MINIMUM, minimum, 2, 1)                                                                      \
    X(POWER, power, 2, 3)                                                                          \
    X(CLIP, clip, 1, 2)                                                                            \
    X(CLIP_GRADIENT, clip_gradient, 2, 2)                                                          \
    X(NOT_EQUAL, not_equal, 2, 1)                                                                  \
    X(LESS, less, 2, 1)                                                                            \
    X(LESS_EQUAL, less_equal, 2, 1)                                                                \
    X(RELU, relu, 1, 1)                                                                            \
    X(RELU_GRADIENT, relu_gradient, 2, 1)                                                          \
    X(CLIPPED_RELU, clipped_relu, 1, 2)                                                            \
    X(CLIPPED_RELU_GRADIENT, clipped_relu_gradient, 2, 2)                                          \
    X(LEAKY_RELU, leaky_relu, 1, 1)                                                                \
    X(LEAKY_RELU_GRADIENT, leaky_relu_gradient, 2, 1)                                              \
    X(SIGMOID, sigmoid, 1, 3)                                                                      \
    X(SIGMOID_GRADIENT, sigmoid_gradient, 2, 3)                                                    \
    X(TANH, tanh, 1, 1)                                                                            \
    X(TANH_GRADIENT, tanh_gradient, 2, 3)                                                          \
    X(SWISH, swish, 1, 3)                                                                          \
    X(SWISH_GRADIENT, swish_gradient, 2, 8)                                                        \
    X(ELU, elu, 1, 3)                                                                              \
    X(ELU_GRADIENT, elu_gradient, 2, 2)                                                            \
    X(GELU, gelu, 1, 4)                                                                            \
    X(GELU_GRADIENT, gelu_gradient, 2, 9)                                                          \
    X(GELU_TANH, gelu_tanh, 1, 8)                                                                  \
    X(GELU_TANH_GRADIENT, gelu_tanh_gradient, 2, 15)                                               \
    X(SOFTPLUS, softplus, 1, 5)                                                                    \
    X(SOFTPLUS_GRADIENT, softplus_gradient, 2, 5)                                                  \
    X(SOFTSIGN, softsign, 1, 3)                                                                    \
    X(SOFTSIGN_GRADIENT, softsign_gradient, 2, 4)                                                  \
    X(MISH, mish, 1, 6)                                                                            \
    X(MISH_GRADIENT, mish_gradient, 2, 13)                                                         \
    X(HARD_SIGMOID, hard_sigmoid, 1, 4)                                                            \
    X(HARD_SIGMOID_GRADIENT, hard_sigmoid_gradient, 2, 3)                                          \
    X(HARD_TANH_GRADIENT, hard_tanh_gradient, 2, 2)                                                \
    X(HARD_SWISH, hard_swish, 1, 5)                                                                \
    X(HARD_SWISH_GRADIENT, hard_swish_gradient, 2, 4)                                              \
    X(PRELU, prelu, 2, 1)                                                                          \
    X(PRELU_SLOPE_GRADIENT, prelu_slope_gradient, 2, 1)                                            \
    X(EQUAL, equal, 2, 1)                                                                          \
    X(BINARY_CROSS_ENTROPY, binary_cross_entropy, 2, 6)                                            \
    X(ADD_PRODUCT, add_product, 3, 2)                                                              \
    X(PRELU_GRADIENT, prelu_gradient, 3, 1)                                                        \
    X(MAXIMUM_GRADIENT, maximum_gradient, 3, 2)                                                    \
    X(SELECT, select, 3, 1)                                                                        \
    X(NORMALIZE, normalize, 4, 3)
/* and from other element types: */
#define WEFT_MAP_TABLE(X)                                                                          \
    WEFT_MAP_FLOAT_TABLE(X)                                                                        \
    X(CAST_UINT8, cast_uint8, 1, 2)                                                                \
    X(CAST_INT32, cast_int32, 1, 2)

typedef enum weft_map_function {
#define WEFT_MAP_ENUM(NAME, name, inputs, flops) WEFT_MAP_##NAME,
    WEFT_MAP_TABLE(WEFT_MAP_ENUM)
#undef WEFT_MAP_ENUM
        WEFT_MAP_FUNCTIONS
} weft_map_function;

/* Numbers in the formulas: 1 / sqrt(2), 1 / sqrt(2 pi), sqrt(2 / pi), and that of the cube in GELU. */
#define WEFT_MAP_SQRT_HALF 0.70710678118654752440
#define WEFT_MAP_NORMAL 0.39894228040143267794
#define WEFT_MAP_GELU_SLOPE 0.79788456080286535588
#define WEFT_MAP_GELU_CUBE 0.044715
#define WEFT_MAP_SIXTH (1.0 / 6)

/* The operands of one element; a and b are parameters. */
typedef struct weft_map_f64_in {
    double x, y, z, w, a, b;
} weft_map_f64_in;

typedef struct weft_map_traits {
    const char *name;
    int inputs;
    double flops; /* an element; exponentials and the like count as one */
    double (*f64)(weft_map_f64_in in);
} weft_map_traits;

extern const weft_map_traits weft_map_functions[WEFT_MAP_FUNCTIONS];

typedef struct weft_map_kernels {
    weft_map_row_fn *row[WEFT_MAP_FUNCTIONS];
} weft_map_kernels;

WEFT_ISA_DECLARE(weft_map_kernels, weft_map_kernel_table);

/* How rows lie in memory and how they are cut into pieces; for other kernels that walk like maps, too. */
typedef struct weft_rows {
    int operands; /* inputs, then the output */
    int rank;     /* at least 1; the last dimension is the row */
    int64_t extent[WEFT_MAX_RANK + 1];
    int64_t stride[WEFT_MAP_INPUTS + 1][WEFT_MAX_RANK + 1]; /* bytes */
    unsigned splat;
    int64_t rows;          /* of the whole operand */
    int64_t parts;         /* that each row is cut into */
    int64_t part_elements; /* of each part but the last */
    int64_t piece_parts;   /* parts of all rows, in order: how many make a piece */
} weft_rows;

/* The tensor repeated to the extents of `like` (trailing dimensions aligned, extents equal or 1): its
 * stride is 0 along what is repeated. */
weft_tensor weft_tensor_broadcast(const weft_tensor *tensor, const weft_tensor *like);

/* Plans walking over output and inputs, which are broadcast to its shape. Returns the number of pieces. */
int64_t weft_rows_plan(weft_rows *rows, const weft_tensor *input, int inputs,
                       const weft_tensor *output);

/* Where a walk is: one part of a row. */
typedef struct weft_rows_cursor {
    int64_t part, end; /* counted over all rows */
    int64_t index;     /* of the first element, row-major in the output */
    int64_t count;     /* elements of this part */
    int64_t coordinate[WEFT_MAX_RANK + 1];
    int64_t offset[WEFT_MAP_INPUTS + 1]; /* bytes, of each operand */
} weft_rows_cursor;

/* Starts at the first part of a piece. */
weft_rows_cursor weft_rows_begin(const weft_rows *rows, int64_t piece);
/* Goes to the next; false past the last of the piece. */
bool weft_rows_next(const weft_rows *rows, weft_rows_cursor *cursor);

/* Arguments of weft_map_piece. */
typedef struct weft_map_args {
    weft_rows rows;
    weft_map_row_fn *row;
    int slot[WEFT_MAP_INPUTS + 1]; /* where the operands are in weft_call.operand */
    float a, b;
} weft_map_args;

weft_piece_fn weft_map_piece;

#endif

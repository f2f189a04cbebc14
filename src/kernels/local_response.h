/* Local response normalization across the channels of dense rows, and its gradient. */
#ifndef WEFT_KERNELS_LOCAL_RESPONSE_H
#define WEFT_KERNELS_LOCAL_RESPONSE_H

#include "kernels/isa.h"
#include "weft/op.h"

/* Channels each way of one that a kernel can see. */
enum { WEFT_LOCAL_RESPONSE_REACH = 32 };

/* With s[c] = k + scale * (sum of x[j]^2 over j from c - reach to c + reach). */
typedef struct weft_local_response_args {
    int64_t rows, channels;
    int64_t rows_a_piece;
    int64_t reach; /* up to WEFT_LOCAL_RESPONSE_REACH */
    float k, scale, beta;
} weft_local_response_args;

/* Rows for each piece, from extents alone, and the number of pieces. */
int64_t weft_local_response_cut(weft_local_response_args *args);

typedef struct weft_local_response_kernels {
    weft_piece_fn *forward;  /* x -> x s^-beta */
    weft_piece_fn *gradient; /* dy, x -> dx */
} weft_local_response_kernels;

WEFT_ISA_DECLARE(weft_local_response_kernels, weft_local_response_table);

#endif

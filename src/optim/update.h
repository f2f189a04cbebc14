/* What the update ops share. Their inputs are, in this order: the variable, its slots, the gradient, the
 * learning rate, the number of this update (only for ops that count), the norm of all gradients (only
 * when clipping). They write the variable and the slots, and do nothing but in the last micro-batch. */
#ifndef WEFT_OPTIM_UPDATE_H
#define WEFT_OPTIM_UPDATE_H

#include "kernels/update.h"
#include "weft/op.h"

enum { WEFT_UPDATE_SLOTS = 2 }; /* at most */

/* Of every update op; zero where an op does not need one. */
typedef struct weft_update_attributes {
    double momentum;
    double beta1, beta2, epsilon;
    double weight_decay;
    double clip_norm;
    int32_t micro_batches;
    int32_t nesterov, decoupled; /* as truth values */
} weft_update_attributes;

/* True in the run that completes an update. */
static inline bool weft_update_due(const weft_run_info *info, int32_t micro_batches)
{
    return info->micro_batch == micro_batches - 1;
}

/* The shape rule. */
bool weft_update_infer(weft_infer *infer);

/* One element of an update in double. */
typedef void weft_update_element(const weft_update_terms *terms, double *variable,
                                 double *const *slot, double gradient);
/* The plain form: calls element for each element. */
void weft_update_f64(const weft_op *op, const weft_operands *operands,
                     weft_update_element *element);

/* The gradient after clipping and coupled weight decay. */
static inline double weft_update_slope(const weft_update_terms *terms, double variable,
                                       double gradient)
{
    return terms->scale * gradient + terms->decay * variable;
}

/* Binds the float32 form: run is called for pieces of the arrays. */
bool weft_update_bind(weft_bind *bind, weft_piece_fn *run);
/* What such a piece works on. */
typedef struct weft_update_piece {
    const weft_update_kernels *kernels;
    weft_update_terms terms;
    float *variable, *slot[WEFT_UPDATE_SLOTS];
    const float *gradient;
    int64_t count;
    bool nesterov;
} weft_update_piece;
/* Fills it in; false where no update is due. */
bool weft_update_begin(const weft_call *call, int64_t piece, weft_update_piece *result);

/* flops is that of one element without decay and clipping. */
void weft_update_cost(const weft_bind *bind, double flops, weft_cost *cost);

/* For samples: an update node on a small variable, with random choices of what all updates have. */
bool weft_update_sample(weft_sampler *sampler, const weft_op *op,
                        weft_update_attributes attributes);

/* An int32 variable of rank 0 that counts updates; its value is the number of this update, from 1. */
weft_value weft_count_updates(weft_value step, int32_t micro_batches);

/* Adds gradient / micro_batches to the variable sum, which the first micro-batch sets; its value is the
 * new sum. */
weft_value weft_accumulate_gradient(weft_value sum, weft_value gradient, int32_t micro_batches);

/* Pieces of update kernels: some 10 microseconds from the cache, 50 from memory. */
enum { WEFT_UPDATE_PIECE = 1 << 15 };
static inline int64_t weft_update_pieces(int64_t elements)
{
    return (elements + WEFT_UPDATE_PIECE - 1) / WEFT_UPDATE_PIECE;
}

#endif

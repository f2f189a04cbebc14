/* What the update ops share. Their inputs are, in this order: the variable, its slots, the gradient, the
 * learning rate, and those scalars that the attributes say there are. They write the variable and the
 * slots, and do nothing but in the last micro-batch. */
#ifndef WEFT_OPTIM_UPDATE_H
#define WEFT_OPTIM_UPDATE_H

#include "kernels/update.h"
#include "weft/op.h"

/* Scalar inputs beside the learning rate, in the order of their bits. */
enum {
    WEFT_UPDATE_STEP = 1 << 0,  /* the number of this update, int32, from 1 */
    WEFT_UPDATE_NORM = 1 << 1,  /* of what is clipped by norm */
    WEFT_UPDATE_GROUP = 1 << 2, /* the group's rate, a factor; 0: no update at all */
    WEFT_UPDATE_SCALARS = 3
};

/* Their shapes, with so many slots. */
#define WEFT_UPDATE_SHAPES_0 WEFT_UPDATE_SHAPES("")
#define WEFT_UPDATE_SHAPES_1 WEFT_UPDATE_SHAPES("slot0 [..], ")
#define WEFT_UPDATE_SHAPES_2 WEFT_UPDATE_SHAPES("slot0 [..], slot1 [..], ")
#define WEFT_UPDATE_SHAPES_3 WEFT_UPDATE_SHAPES("slot0 [..], slot1 [..], slot2 [..], ")
#define WEFT_UPDATE_SHAPES(slots)                                                                  \
    "w [..], " slots "g [..], rate [], step? [], norm? [], group? [] -> [..]"

/* Of every update op; zero where an op does not need one. */
typedef struct weft_update_attributes {
    double momentum, momentum_decay;
    double beta1, beta2, epsilon, trust;
    double weight_decay;
    double clip_norm, clip_value;
    int32_t kind;    /* weft_update_kind */
    int32_t scalars; /* mask */
    int32_t micro_batches;
    int32_t decoupled, keras,
        adapts; /* as truth values; adapts: scales steps by a ratio of norms */
} weft_update_attributes;

/* True in the run that completes an update. */
static inline bool weft_update_due(const weft_run_info *info, int32_t micro_batches)
{
    return info->micro_batch == micro_batches - 1;
}

/* ---- A rule ---- */

/* One element in double; slots are changed in place. */
typedef void weft_update_element(const weft_update_terms *terms, double *variable,
                                 double *const *slot, double gradient);

typedef struct weft_update_rule {
    const weft_op *op;
    const char *slot[WEFT_UPDATE_SLOTS]; /* names of what is kept for each variable */
    weft_update_element *element;
    bool counts; /* needs the number of the update */
    /* Optional: what terms are but for rate, gain 1 and beta1, beta2, momentum of the attributes. step is
     * 0 unless the rule counts. */
    void (*prepare)(const weft_update_attributes *attributes, int32_t step,
                    weft_update_terms *terms);
    /* Of rules that need norms: adds the squares of two things to sum, before any element is updated; and
     * the ratio that follows from their norms. */
    void (*measure)(const weft_update_terms *terms, double *variable, double *const *slot,
                    double gradient, double sum[2]);
    double (*trust)(const weft_update_attributes *attributes, const weft_update_terms *terms,
                    double norm0, double norm1);
} weft_update_rule;

#define WEFT_UPDATE_DECLARE(NAME, name, slots, flops)                                              \
    extern const weft_update_rule weft_##name##_rule;
WEFT_UPDATE_TABLE(WEFT_UPDATE_DECLARE)
#undef WEFT_UPDATE_DECLARE

const weft_update_rule *weft_update_rule_of(weft_update_kind kind);

/* The gradient after clipping; NaN stays NaN. */
static inline double weft_update_clipped(const weft_update_terms *terms, double gradient)
{
    double g = terms->scale * gradient;
    return g > terms->limit ? terms->limit : g < -terms->limit ? -terms->limit : g;
}

/* The same with coupled weight decay. */
static inline double weft_update_slope(const weft_update_terms *terms, double variable,
                                       double gradient)
{
    return weft_update_clipped(terms, gradient) + terms->decay * variable;
}

/* Adds the gradient to the moments in slots 0 and 1. */
static inline void weft_update_moments(const weft_update_terms *terms, double *const *slot,
                                       double slope)
{
    *slot[0] = terms->beta1 * *slot[0] + (1 - terms->beta1) * slope;
    *slot[1] = terms->beta2 * *slot[1] + (1 - terms->beta2) * slope * slope;
}

/* For rules that count: prepare for Adam's bias corrections; with Keras's epsilon the second is in the
 * rate. */
void weft_update_unbias(const weft_update_attributes *attributes, int32_t step,
                        weft_update_terms *terms);
/* For rules with momentum: Keras takes the learning rate into the velocity. */
void weft_update_velocity(const weft_update_attributes *attributes, int32_t step,
                          weft_update_terms *terms);
/* Keras's epsilon is inside the root. */
void weft_update_epsilon(const weft_update_attributes *attributes, weft_update_terms *terms);

/* ---- The op of a rule ---- */

bool weft_update_infer(weft_infer *infer);
void weft_update_f64(const weft_operands *operands);
bool weft_update_bind(weft_bind *bind);
void weft_update_cost(const weft_bind *bind, weft_cost *cost);
int weft_update_identity(const weft_bind *bind);
void weft_update_label(const void *attributes, char *text, size_t size);

/* A case of a rule for samples: an update node on a small variable, with random choices of what all
 * updates have. */
bool weft_update_sample(weft_sampler *sampler, int index, weft_update_kind kind);

/* Defines weft_<name>_update_op; what is said of it is its formula and paper. */
#define WEFT_UPDATE_OP(NAME, lower, slot_count, formula, paper)                                    \
    static bool lower##_sample(weft_sampler *sampler, int index)                                   \
    {                                                                                              \
        return weft_update_sample(sampler, index, WEFT_UPDATE_##NAME);                             \
    }                                                                                              \
    const weft_op weft_##lower##_update_op = {                                                     \
        .name = #lower "_update",                                                                  \
        .summary = (formula),                                                                      \
        .shapes = WEFT_UPDATE_SHAPES_##slot_count,                                                 \
        .parameters = "factors of the rule, weight decay, clipping, micro_batches",                \
        .source = (paper),                                                                         \
        .family = WEFT_FAMILY_UPDATE,                                                              \
        .min_inputs = (slot_count) + 3,                                                            \
        .max_inputs = (slot_count) + 3 + WEFT_UPDATE_SCALARS,                                      \
        .outputs = 1,                                                                              \
        .writes = (2u << (slot_count)) - 1,                                                        \
        .infer = weft_update_infer,                                                                \
        .run_f64 = weft_update_f64,                                                                \
        .bind = weft_update_bind,                                                                  \
        .cost = weft_update_cost,                                                                  \
        .identity = weft_update_identity,                                                          \
        .label = weft_update_label,                                                                \
        .sample = lower##_sample,                                                                  \
    }

/* ---- What else writes ---- */

/* An int32 variable of rank 0 that counts updates; its value is the number of this update, from 1. rate is
 * that of a group, whose updates are not counted while it is 0, or the null value. */
weft_value weft_count_updates(weft_value step, weft_value rate, int32_t micro_batches);

/* Adds gradient / micro_batches to the variable sum, which the first micro-batch sets; its value is the
 * new sum. rate as above: while it is 0 the sum stays as it is. */
weft_value weft_accumulate_gradient(weft_value sum, weft_value gradient, weft_value rate,
                                    int32_t micro_batches);

/* Takes the new value of a variable into the variable average, at the update of that number; see
 * average_decay in include/weft/optim.h. Its value is the new average. */
weft_value weft_average_weights(weft_value average, weft_value new_value, weft_value count,
                                double decay, bool warmup, int32_t micro_batches);

/* Pieces of update kernels: some 10 microseconds from the cache, 50 from memory. */
enum { WEFT_UPDATE_PIECE = 1 << 15 };
static inline int64_t weft_update_pieces(int64_t elements)
{
    return (elements + WEFT_UPDATE_PIECE - 1) / WEFT_UPDATE_PIECE;
}

#endif

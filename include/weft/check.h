/* Checks of gradients and of ops, by central differences in float64: for a user's own graph and a user's
 * own op alike. */
#ifndef WEFT_CHECK_H
#define WEFT_CHECK_H

#include "weft/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gradients of a graph ---- */

typedef struct weft_gradcheck_options {
    /* of the inputs that y needs, real ones in double; copied. Inputs among x that are not fed
     * are drawn standard normal, at least 0.05 from zero */
    const weft_feed *feeds;
    int feed_count;
    /* in float64: where variables are looked up, left as it was. NULL: a fresh one */
    weft_state *state;
    weft_mode mode; /* variables are not written in train mode either */
    int64_t batch;  /* what the open extent is bound to; 0: 2 */
    uint64_t seed;  /* of what is drawn, and of a fresh state */
    double step;    /* largest step of the differences; 0: 1e-3. Halved twice for extrapolation, and
                        * made smaller where the extrapolation does not settle: at a kink */
    double tolerance; /* bound on the relative error; 0: 1e-7, with directions 1e-5 */
    /* most elements to probe of a value; 0: 48. Of a larger value so many are picked, and one
     * random direction probes the others */
    int64_t elements;
    int directions; /* not 0: probe so many random directions of each value instead of elements, for
                        * whole networks */
    /* check the gradients of the gradients instead: of x[i]'s gradients contracted with random
     * weights, with respect to x and to the gradients of y */
    bool second_order;
} weft_gradcheck_options;

typedef struct weft_gradcheck_report {
    double error;     /* the worst value's: |numeric - analytic| / max(|numeric|, |analytic|), norms
                           * over what was probed of the value */
    const char *name; /* the worst value's scoped name, as long-lived as the graph; NULL: none */
    weft_value value; /* the worst value */
    int64_t element;  /* its worst element, row-major; -1: the worst was a direction */
    double analytic, numeric; /* derivatives there */
    int values;               /* values checked */
    int weak;                 /* values whose gradients drown in the rounding of y: not checked */
    int64_t probes;           /* derivatives compared */
    int64_t runs;             /* of y's program */
} weft_gradcheck_report;

/* Compares the gradients of y[0..outputs-1], contracted with fixed random weights, with respect to
 * x[0..count-1] (inputs and variables; count 0: all trainable variables) against central differences
 * extrapolated by Richardson's method, in a float64 program. Appends nodes to the graph. WEFT_OK: all
 * errors are within the tolerance. WEFT_ERROR_GRADIENT: one is not, or all gradients are so small that
 * nothing was checked; the report, which may be NULL, is filled in either way. */
WEFT_API weft_status weft_gradcheck(const weft_value *y, int outputs, const weft_value *x,
                                    int count, const weft_gradcheck_options *options,
                                    weft_gradcheck_report *report, weft_error *error);

/* ---- Samples of an op ---- */

typedef struct weft_check_op_options {
    uint64_t seed;             /* other extents, attributes and data for each */
    double gradient_tolerance; /* 0: 1e-7 */
    double float_tolerance; /* of float32 against float64, relative to a tensor's norm; 0: 1e-5 */
    bool first_order_only;  /* where the nodes of the gradient have no gradients */
    bool programs_only;     /* no gradient checks: for a second instruction set, say */
} weft_check_op_options;

typedef struct weft_check_op_report {
    int cases;
    int gradients;         /* gradient checks made: cases, modes, orders */
    int programs;          /* programs compared */
    double gradient_error; /* the worst of first order */
    double second_error;   /* the worst of second order */
    double float_error;    /* the worst of float32 against float64 */
} weft_check_op_report;

/* Checks an op on each of its samples, in train mode, and in infer mode where that computes something
 * else: gradients of first and second order (unless WEFT_OP_NO_GRADIENT is set, or the op writes variables
 * and has no gradient), float32 against float64, and equal bits for 1, 2 and 3 threads, without each pass
 * that must not change bits, with freed memory poisoned, and for feeds at odd addresses. Each plan is
 * verified. The first failure's message names the case. An op without samples fails. options and report
 * may be NULL. */
WEFT_API weft_status weft_check_op(weft_context *context, const weft_op *op,
                                   const weft_check_op_options *options,
                                   weft_check_op_report *report, weft_error *error);

/* ---- What an op is like ---- */

typedef struct weft_op_facts {
    int gradient_order; /* highest order of derivative that every sample has, up to 2, and 2 as good as
                         * always means any */
    bool map;           /* fuses with its neighbours, as an elementwise map */
    bool takes_maps;    /* its kernel applies maps that follow to what it computes */
    bool expands;       /* the compiler may replace it by sums and maps, which fuse */
    char example[240]; /* shapes of its first sample: "[3,5], [5] -> [3,5]" */
} weft_op_facts;

/* Finds the facts by building the op's samples and their gradients. */
WEFT_API weft_status weft_op_facts_find(weft_context *context, const weft_op *op,
                                        weft_op_facts *facts, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif

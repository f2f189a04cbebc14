/* Cases that are computed by weft and by PyTorch from the same numbers: see compare.py. */
#ifndef WEFT_TESTS_PARITY_H
#define WEFT_TESTS_PARITY_H

#include "weft/weft.h"

/* What a case is built with. Named inputs and variables get the same numbers on both sides. */
typedef struct parity_builder {
    weft_graph *graph;
    weft_value input[8];
    int32_t below[8]; /* of integer inputs: values in [0, below) */
    int inputs;
} parity_builder;

/* A real input, standard normal; or, named ending in '+', in [0.5, 2]. */
weft_value parity_input(parity_builder *builder, const char *name, weft_shape shape);
weft_value parity_labels(parity_builder *builder, const char *name, weft_shape shape,
                         int32_t below);
/* A trainable variable, normal with a standard deviation of 0.5. */
weft_value parity_variable(parity_builder *builder, const char *name, weft_shape shape);

/* Steps of an optimizer on a loss; after half of them, rounded up, the learning rate becomes a quarter. */
typedef struct parity_optimizer {
    weft_optimizer_options options;
    const char *torch; /* the same as a Python expression, of a list of parameters p */
    const char *clip;  /* and what comes before each step; NULL: nothing */
    int steps;
    const weft_constrain_options *constrain; /* of all variables of rank 2; NULL: none */
    const char *after;                       /* the same, as what comes after each step */
} parity_optimizer;

typedef struct parity_case {
    const char *name;
    weft_value (*build)(parity_builder *builder); /* returns the result */
    const char *torch; /* the same as a Python expression; compare.py says what its names are */
    const parity_optimizer *optimizer; /* NULL: none; else the result is a loss */
    weft_mode mode;
    bool double_only; /* leave out float32: a large network, whose structure is what is compared */
} parity_case;

/* So many learning rates of a schedule. */
enum { PARITY_RATES = 50 };
typedef struct parity_schedule {
    const char *name;
    weft_schedule schedule;
    const char *torch;           /* the same of an optimizer o, whose rate is 2 */
    const weft_plateau *plateau; /* NULL: none; else a factor of the schedule's rate */
} parity_schedule;

/* Each ends with a NULL name. */
extern const parity_case parity_op_cases[], parity_optimizer_cases[], parity_network_cases[];
extern const parity_schedule parity_schedule_cases[];

#endif

/* The mode as a value, for gradient rules, which may not read it. */
#ifndef WEFT_OPS_TRAINING_H
#define WEFT_OPS_TRAINING_H

#include "weft/op.h"

/* A real scalar: 1 where the choice means training, else 0. */
weft_value weft_is_training(weft_graph *graph, weft_mode_choice choice);

#endif

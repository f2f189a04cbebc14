/* A case of an op's samples: a graph with inputs, their data, and outputs. Ops see it through the
 * weft_sampler_* functions of op.h; the harness through these. */
#ifndef WEFT_CHECK_SAMPLER_H
#define WEFT_CHECK_SAMPLER_H

#include "check/draw.h"
#include "weft/program.h"

typedef struct weft_sample_input {
    weft_value value;
    weft_dtype dtype; /* WEFT_REAL: data are doubles, exact in float32 */
    int64_t elements;
    size_t bytes; /* of data */
    void *data;
} weft_sample_input;

/* Where the op under test finds the real inputs. */
typedef enum weft_sample_layout {
    WEFT_LAYOUT_FED = 0,   /* in the caller's memory */
    WEFT_LAYOUT_TRANSIENT, /* in the arena */
    WEFT_LAYOUT_DYING,     /* in the arena, and no gradients read them: may be overwritten */
    WEFT_LAYOUT_STRIDED, /* some, by chance: channels of a wider input; and some outputs become channels
                            * of a wider one */
    WEFT_LAYOUTS
} weft_sample_layout;

struct weft_sampler {
    weft_context *context;
    weft_sample_layout layout;
    weft_graph *graph;
    weft_draw draw;    /* of elements */
    weft_draw extents; /* of integers: the same for every layout */
    weft_sample_input *input;
    size_t inputs, input_capacity;
    weft_value *output;
    size_t outputs, output_capacity;
};

/* Builds case `index` of the op's samples. *found is false past the last case; otherwise, and on an
 * error, the caller destroys the sampler. */
weft_status weft_sampler_create(weft_context *context, const weft_op *op, int index, uint64_t seed,
                                weft_sample_layout layout, weft_sampler *sampler, bool *found,
                                weft_error *error);
void weft_sampler_destroy(weft_sampler *sampler);

#endif

/* The op descriptor: all that the graph, reverse mode, the compiler, the tests and the diagrams know of
 * an op. Built-in ops and a user's own are described alike; docs/new-op.md walks through one. */
#ifndef WEFT_OP_H
#define WEFT_OP_H

#include "weft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_mode { WEFT_INFER = 0, WEFT_TRAIN } weft_mode;

/* The mode of one node that depends on it: the program's, or pinned to one. */
typedef enum weft_mode_choice {
    WEFT_MODE_PROGRAM = 0,
    WEFT_MODE_TRAIN,
    WEFT_MODE_INFER
} weft_mode_choice;

static inline weft_mode weft_mode_of(weft_mode_choice choice, weft_mode program)
{
    if (choice == WEFT_MODE_PROGRAM)
        return program;
    return choice == WEFT_MODE_TRAIN ? WEFT_TRAIN : WEFT_INFER;
}

/* Scalars of one run of a program, for kernels that depend on them. */
typedef struct weft_run_info {
    uint64_t seed;        /* of the state */
    int64_t step;         /* updates done before this run */
    int64_t first_sample; /* index in the whole batch of this run's first sample */
    int64_t micro_batch;  /* index of this micro-batch, from 0 */
    int64_t part;         /* of the batch, of which the program itself takes several: from 0 */
} weft_run_info;

/* ---- Shape rule ---- */

/* The rule reads the inputs and writes shape and dtype of every output. It runs when a node is built
 * (extents may then be open, see WEFT_BATCH) and again when a program is compiled (all are bound). */
typedef struct weft_infer {
    const weft_op *op;
    const void *attributes;
    size_t attribute_bytes;
    int inputs;
    const weft_shape *shape; /* of the inputs */
    const weft_dtype *dtype; /* of the inputs */
    int outputs;
    weft_shape *out_shape;
    weft_dtype *out_dtype; /* preset to WEFT_REAL */
    weft_error *error;     /* where weft_infer_fail writes */
} weft_infer;

/* Records the message; returns false, so that a rule can return it. */
WEFT_API bool weft_infer_fail(const weft_infer *infer, const char *format, ...) WEFT_PRINTF(2, 3);

/* ---- Gradient rule ---- */

/* The rule appends nodes and sets input_gradient[i] for each wanted input i; it leaves the null value
 * where the gradient is zero. Output gradients that do not exist are null values; at least one exists.
 * The rule must read neither the mode nor extents. */
typedef struct weft_gradient_call {
    weft_graph *graph;
    const void *attributes;
    int inputs;
    const weft_value *input;
    const bool *wanted;
    int outputs;
    const weft_value *output;
    const weft_value *output_gradient;
    weft_value *input_gradient;
} weft_gradient_call;

/* ---- Execution ---- */

/* Operands of an op that runs in one piece. Data of inputs named in shape_only may be NULL. */
typedef struct weft_operands {
    const void *attributes;
    int inputs;
    const weft_tensor *input;
    int outputs;
    const weft_tensor *output;
    weft_mode mode;
    const weft_run_info *info;
} weft_operands;

/* What a kernel is handed, for each of its pieces. */
typedef struct weft_call {
    const void *args; /* made by bind */
    void *const
        *operand; /* data of the inputs, the outputs, then workspace, then what is prepared */
    const weft_run_info *info;
    int64_t round; /* of a phase that runs several times, for one part of the work each: which */
    int thread; /* that runs the piece, less than weft_bind.threads: for room of its own in a workspace */
} weft_call;

/* One piece of a phase. Pieces of one phase run in any order and at the same time, so each writes its
 * own part; the next phase starts when all are done. Must neither allocate nor fail. */
typedef void weft_piece_fn(const weft_call *call, int64_t piece);

/* While compiling, bind chooses the kernel of one node in a float32 program. */
typedef struct weft_bind weft_bind;
struct weft_bind {
    const weft_op *op;
    const void *attributes;
    weft_mode mode;
    bool no_winograd; /* see weft_compile_options */
    int threads;      /* that may run pieces at the same time; results must not depend on it */
    int inputs;
    const weft_tensor *input; /* data is set where the input is a constant */
    int outputs;
    const weft_tensor *output;
    /* Inputs that come from variables and constants alone, in a program that changes no variable: what a
     * kernel makes of these (weft_bind_prepare) lasts from run to run. */
    uint32_t steady;
    /* Built-in ops: what the kernel applies to its output (src/kernels/epilogue.h); NULL: nothing. */
    struct weft_epilogue *epilogue;
    const struct weft_finish_slots *prologue; /* the same, to input 0 */
    const int *slot; /* where operands are in weft_call.operand; NULL: in the order said there */
    void *internal;
};

/* Storage for the kernel's arguments, zeroed, 64-byte aligned, living as long as the program. At most
 * one block a node. NULL when memory is short: bind then returns false at once. */
WEFT_API void *weft_bind_args(weft_bind *bind, size_t bytes);
/* Appends a phase of `pieces` calls; the number must not depend on the thread count. At most 32. */
WEFT_API void weft_bind_phase(weft_bind *bind, weft_piece_fn *run, int64_t pieces);
/* Asks for workspace in the arena, alive during this step only, 64-byte aligned. */
WEFT_API void weft_bind_workspace(weft_bind *bind, size_t bytes);
/* The first `phases` phases read nothing but the inputs in the mask, and write nothing but `bytes` bytes
 * of their own (64-byte aligned, the last operand), which later phases only read: a packed or transformed
 * filter. Where all of these inputs are steady, the phases run only after the state has changed, and the
 * bytes last from run to run; else they are ordinary phases, and ordinary workspace. */
WEFT_API void weft_bind_prepare(weft_bind *bind, int phases, uint32_t inputs, size_t bytes);
/* Names what was chosen, where the op has several ways to compute ("winograd 4x4"), for profiles and
 * diagrams. The text is kept, not copied. */
WEFT_API void weft_bind_algorithm(weft_bind *bind, const char *name);

/* A block of an elementwise map in float32: rows of `count` elements. */
enum { WEFT_MAP_INPUTS = 4 };

typedef struct weft_map_row {
    const void
        *in[WEFT_MAP_INPUTS]; /* all are set; those that the map does not have equal the first */
    void *out;
    int64_t count; /* elements of a row, contiguous in the output */
    int64_t rows;
    int64_t in_step[WEFT_MAP_INPUTS]; /* bytes from one row to the next, 0 where it is repeated */
    int64_t out_step;
    unsigned splat; /* bit i: input i is one element for a whole row; else it is contiguous */
    float a, b;     /* parameters */
} weft_map_row;

typedef void weft_map_row_fn(const weft_map_row *row);

/* What an op that is an elementwise map computes. */
typedef struct weft_map {
    weft_map_row_fn *row; /* may write over any of its inputs */
    float a, b;
} weft_map;

/* What a node costs. */
typedef struct weft_cost {
    double flops; /* a multiply-add counts 2 */
    double bytes; /* read and written, each operand once */
} weft_cost;

/* ---- Samples for the checks ---- */

typedef struct weft_sampler weft_sampler;

/* How sample inputs are drawn; all keep away from kinks and ties. */
typedef enum weft_sample_kind {
    WEFT_SAMPLE_NORMAL = 0, /* standard normal, at least 0.05 from 0 */
    WEFT_SAMPLE_POSITIVE,   /* in [0.5, 2] */
    WEFT_SAMPLE_DISTINCT,   /* a shuffled grid with steps of 0.1 or more: no ties for max */
    WEFT_SAMPLE_UNIT        /* in [0.05, 0.95] */
} weft_sample_kind;

/* A real input of the case, which the gradient checks differentiate with respect to. */
WEFT_API weft_value weft_sampler_input(weft_sampler *sampler, weft_shape shape,
                                       weft_sample_kind kind);
/* An int32 input with elements in [0, below). */
WEFT_API weft_value weft_sampler_labels(weft_sampler *sampler, weft_shape shape, int32_t below);
/* A uint8 input, all values. */
WEFT_API weft_value weft_sampler_bytes(weft_sampler *sampler, weft_shape shape);
/* A uniform integer of [low, high], the same for the same case and seed. */
WEFT_API int64_t weft_sampler_integer(weft_sampler *sampler, int64_t low, int64_t high);
/* Declares a result of the case; its gradients and its float32 values are checked. */
WEFT_API void weft_sampler_output(weft_sampler *sampler, weft_value value);
WEFT_API weft_graph *weft_sampler_graph(weft_sampler *sampler);

/* ---- The descriptor ---- */

/* Colours of the diagrams. */
typedef enum weft_family {
    WEFT_FAMILY_OTHER = 0,
    WEFT_FAMILY_LEAF,
    WEFT_FAMILY_CONVOLUTION,
    WEFT_FAMILY_DENSE,
    WEFT_FAMILY_POOLING,
    WEFT_FAMILY_NORMALIZATION,
    WEFT_FAMILY_ACTIVATION,
    WEFT_FAMILY_ARITHMETIC,
    WEFT_FAMILY_REDUCTION,
    WEFT_FAMILY_SHAPE,
    WEFT_FAMILY_LOSS,
    WEFT_FAMILY_RANDOM,
    WEFT_FAMILY_UPDATE
} weft_family;

enum {
    WEFT_OP_RANDOM = 1u << 0,          /* result depends on the run's seed and step */
    WEFT_OP_STRIDED_INPUTS = 1u << 1,  /* bind takes inputs that are strided views */
    WEFT_OP_STRIDED_OUTPUTS = 1u << 2, /* bind takes outputs that are strided views */
    WEFT_OP_NO_GRADIENT = 1u << 3,     /* integer or piecewise constant: gradient is zero */
    WEFT_OP_MEAN = 1u << 4,  /* of several images the mean of what it is of equal parts of them */
    WEFT_OP_AFFINE = 1u << 5 /* of means of its inputs it is the mean of what it is of each */
};

#define WEFT_INPUT(i) (1u << (i))

struct weft_op {
    const char *name;
    weft_family family;
    int min_inputs, max_inputs; /* max_inputs -1: any number */
    int outputs;                /* 0: as many as weft_apply is asked for */
    unsigned flags;

    /* What the op's page says (`weft ops`, docs/ops.md); required for built-in ops. */
    const char *summary; /* what it computes: a formula or a line */
    /* The inputs by name with their shapes, then "->" and the outputs: "x [N,..,C], bias? [C] -> [N,..,C]".
     * [..] is any shape, no shape one that broadcasts; '?' follows the name of an input that may be left
     * out, "..." that of one that stands for any number. */
    const char *shapes;
    const char *parameters; /* what the attributes say; NULL: there are none */
    const char *source;     /* of the formula: a paper; "definition"; "chain rule of" an op */

    /* Bit masks over inputs: */
    uint32_t shape_only; /* only the shape is read ("like x"); nothing is kept alive for it */
    uint32_t dense;      /* bind takes only dense ones, in spite of WEFT_OP_STRIDED_INPUTS */
    uint32_t writes; /* variables that the op changes. Output 0, if there is one, is then the new
                          * value of the first of them, in the variable's own storage */
    /* output 0 may overwrite this input: element i is read before it is written */
    uint32_t in_place;

    bool (*infer)(weft_infer *infer);
    void (*gradient)(weft_gradient_call *call);

    /* The plain form in float64 (real operands are double, labels int32_t), for any strides: the oracle.
     * Required. A float32 program without bind and run_f32 runs it on copies in double. */
    void (*run_f64)(const weft_operands *operands);
    void (*run_f32)(const weft_operands *operands); /* optional: one piece, one thread */
    bool (*bind)(weft_bind *bind); /* optional: the fast float32 form. Returns false,
                                                     * having asked for nothing, where it has none */

    /* Optional: the op is an elementwise map of up to WEFT_MAP_INPUTS inputs, each of them broadcast to
     * output 0, all of them and the output float32 here; says which, or returns false. The compiler fuses
     * maps with each other and with what makes their inputs: results are the same bits. */
    bool (*map)(const void *attributes, weft_map *map);
    const struct weft_fusion *fusion; /* built-in ops only: src/graph/fusion.h */

    void (*cost)(const weft_bind *bind, weft_cost *cost); /* optional: default 1 flop an element */

    /* Optional: output `output` is a view of input 0. Sets stride (extent is set already) and offset in
     * elements; false where strides cannot say it, and the op then runs as a copy. */
    bool (*view)(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset);
    /* Optional: input `input` can be produced inside output 0 (concat). The same results. */
    bool (*place)(const weft_bind *bind, int input, weft_tensor *view, int64_t *offset);
    /* Optional: the input that output 0 is always equal to (x + 0, x * 1), or -1; where the op writes, also that
     * it then changes nothing. Constant inputs of few elements have their data in bind (of the program's real
     * dtype). */
    int (*identity)(const weft_bind *bind);

    /* Optional: true where what is made of an image of input 0 depends on others of the batch, as in a batch
     * normalization in train mode; without it an op is taken to look at each image by itself. At most 16 operands. */
    bool (*mixes)(const weft_bind *bind);

    /* Optional: attributes as short text for diagrams, such as "3x3 /2". */
    void (*label)(const void *attributes, char *text, size_t size);
    /* Builds case `index` (from 0) of the checks; false past the last. Required for built-in ops. */
    bool (*sample)(weft_sampler *sampler, int index);
};

/* Appends a node. attributes (may be NULL) are copied and compared as bytes: zero them, padding
 * included, before filling them in. name may be NULL: the op's. Fills output[0..outputs-1]; on an
 * error, which the graph keeps, they are null values, and so is the result, else output 0. */
WEFT_API weft_value weft_apply(weft_graph *graph, const weft_op *op, const void *attributes,
                               size_t attribute_bytes, const char *name, const weft_value *input,
                               int inputs, weft_value *output, int outputs);

/* The built-in ops: number `index` from 0, NULL past the last. */
WEFT_API const weft_op *weft_builtin_op(int index);

#ifdef __cplusplus
}
#endif
#endif

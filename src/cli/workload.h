/* A model, random data for it, and a program: what is measured, profiled and drawn. */
#ifndef WEFT_CLI_WORKLOAD_H
#define WEFT_CLI_WORKLOAD_H

#include "cli/arguments.h"
#include "weft/weft.h"

/* What the command line asks for; workload_defaults first. */
typedef struct workload_options {
    const char *model;
    const char *mode;   /* "train" or "infer" */
    int batch;          /* 0: the model's usual one */
    int size;           /* of the images; 0: the model's */
    int threads;        /* 0: one for each processor */
    uint64_t seed;      /* of variables and data */
    const char *wisdom; /* file; NULL: none */
    bool measure;
    int64_t limit;              /* bytes of the arena; 0: none */
    bool keep_all;              /* computes nothing again to save memory */
    const char *micro_batching; /* "never", "images" or "mixed" */
    int micro_batches;          /* 0: as the limit asks for */
} workload_options;

workload_options workload_defaults(void);

/* The options' table for arguments_parse; room for WORKLOAD_ARGUMENTS. */
enum { WORKLOAD_ARGUMENTS = 12 };
void workload_arguments(workload_options *options, argument *table);

typedef struct workload {
    const weft_model *model;
    weft_mode mode;
    int64_t batch, size;
    int threads;
    weft_context *context;
    weft_graph *graph;
    weft_wisdom *wisdom;
    weft_state *state;
    weft_program *program;
    weft_value image, label, result; /* logits, or the loss */
    weft_feed feed[2];
    int feeds;
    int64_t parameters;
    double multiply_adds; /* of one sample's forward pass: convolutions and matrix products */
} workload;

/* Finds the model and builds its graph: in train mode with cross-entropy, gradients and SGD with momentum.
 * Release with workload_close, also after an error. WEFT_ERROR_NOT_FOUND: there is no such model. */
weft_status workload_build(workload *w, const workload_options *options, weft_error *error);
/* Makes state, data and program; profile: measuring each step. Wisdom is read from its file, where there is one
 * already, and written to it where something may have been measured. */
weft_status workload_compile(workload *w, const workload_options *options, bool profile,
                             weft_error *error);
/* What the program's memory would be, without making state, data or program. */
weft_status workload_plan(workload *w, const workload_options *options, weft_plan **plan,
                          weft_error *error);
/* Makes the largest batch that fits the workload's batch, where there is one. */
weft_status workload_fit(workload *w, const workload_options *options, int64_t limit_bytes,
                         weft_batch_limit *result, weft_error *error);
/* Runs the program once; *seconds by the wall clock. */
weft_status workload_run(workload *w, double *seconds, weft_error *error);
void workload_close(workload *w);

/* "train" or "infer". */
const char *workload_mode_name(const workload *w);

/* Floating-point operations of one run: 2 a multiply-add of convolutions and matrix products, three times
 * the forward pass' when training. */
double workload_flops(const workload *w);

/* What a command prints after an error, and the exit status. */
int workload_fail(const argument_usage *usage, const weft_error *error);

#endif

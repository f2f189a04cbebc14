/* An optimizer on three variables whose gradients are fed, beside what should come out of it by the formulas. */
#ifndef WEFT_TESTS_OPTIMIZER_RIG_H
#define WEFT_TESTS_OPTIMIZER_RIG_H

#include "weft/weft.h"

enum { TEST_RIG_VARIABLES = 3, TEST_RIG_LARGE = 70001 };

/* A scalar, a filter and a vector of more than one piece with an odd tail. */
extern const int64_t test_rig_elements[TEST_RIG_VARIABLES];

typedef struct test_rig {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_program *program;
    weft_optimizer optimizer;
    weft_value variable[TEST_RIG_VARIABLES], gradient[TEST_RIG_VARIABLES];
    weft_dtype dtype;
    void *feed[TEST_RIG_VARIABLES];
    /* What should come out: the variables, what the optimizer keeps of each, and its gradient. */
    double *w[TEST_RIG_VARIABLES], *m[TEST_RIG_VARIABLES], *v[TEST_RIG_VARIABLES];
    double *u[TEST_RIG_VARIABLES], *g[TEST_RIG_VARIABLES];
    double norm;
    int updates;
} test_rig;

void test_rig_begin(test_rig *r, const weft_optimizer_options *options, weft_dtype dtype,
                    int threads);
void test_rig_end(test_rig *r);

/* A number of [-1, 1) that float32 holds exactly. */
double test_drawn(int step, int64_t index);

/* Fills the feeds: element k of gradient i is test_drawn(step, k + 7 * i). */
void test_rig_feed(test_rig *r, int step);
void test_rig_run(test_rig *r, const weft_run_options *options);

/* Does to w what the formulas do with the gradients g at this learning rate. */
void test_rig_expect(test_rig *r, const weft_optimizer_options *options, double learning_rate);
/* Expects the variables to be as w. */
void test_rig_compare(test_rig *r, double tolerance, const char *where);

#endif

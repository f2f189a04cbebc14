#include "support/optimizer_rig.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

const int64_t test_rig_elements[TEST_RIG_VARIABLES] = {1, 3 * 5, TEST_RIG_LARGE};

static weft_shape shape_of(int i)
{
    return i == 0   ? (weft_shape){.rank = 0}
           : i == 1 ? weft_shape_of(3, 5)
                    : weft_shape_of(test_rig_elements[2]);
}

static size_t feed_bytes(const test_rig *r, int i)
{
    return (size_t)test_rig_elements[i] * weft_dtype_bytes(r->dtype);
}

/* Gradients are inputs, so that any may be fed. */
void test_rig_begin(test_rig *r, const weft_optimizer_options *options, weft_dtype dtype,
                    int threads)
{
    weft_error error = {0};
    *r = (test_rig){.dtype = dtype};
    r->context = weft_context_create(&(weft_context_options){.threads = threads});
    r->graph = weft_graph_create(r->context);
    for (int i = 0; i < TEST_RIG_VARIABLES; i++) {
        r->variable[i] = weft_variable(r->graph, .name = "w", .shape = shape_of(i),
                                       .initializer = {.kind = WEFT_INIT_UNIFORM, .a = -1, .b = 1});
        r->gradient[i] = weft_input(r->graph, .shape = shape_of(i));
        size_t count = (size_t)test_rig_elements[i];
        r->w[i] = calloc(count, sizeof(double));
        r->m[i] = calloc(count, sizeof(double));
        r->v[i] = calloc(count, sizeof(double));
        r->u[i] = calloc(count, sizeof(double));
        r->g[i] = calloc(count, sizeof(double));
        r->feed[i] = calloc(count, sizeof(double));
    }
    cr_assert_eq(weft_apply_gradients(r->graph, r->variable, r->gradient, TEST_RIG_VARIABLES,
                                      options, &r->optimizer),
                 WEFT_OK, "%s", weft_graph_error(r->graph)->message);
    weft_state_options in = {.dtype = dtype, .seed = 3};
    cr_assert_eq(weft_state_create(r->graph, &in, &r->state, &error), WEFT_OK, "%s", error.message);
    weft_compile_options compile = {.mode = WEFT_TRAIN, .threads = threads};
    if (!weft_is_null(r->optimizer.gradient_norm)) {
        compile.fetch = &r->optimizer.gradient_norm;
        compile.fetches = 1;
    }
    cr_assert_eq(weft_compile(r->graph, r->state, &compile, &r->program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(r->program, &error), WEFT_OK, "%s", error.message);
    for (int i = 0; i < TEST_RIG_VARIABLES; i++)
        cr_assert_eq(
            weft_state_read(r->state, r->variable[i], r->w[i], test_rig_elements[i], &error),
            WEFT_OK);
}

void test_rig_end(test_rig *r)
{
    weft_program_destroy(r->program);
    weft_state_destroy(r->state);
    weft_graph_destroy(r->graph);
    weft_context_destroy(r->context);
    for (int i = 0; i < TEST_RIG_VARIABLES; i++) {
        free(r->w[i]);
        free(r->m[i]);
        free(r->v[i]);
        free(r->u[i]);
        free(r->g[i]);
        free(r->feed[i]);
    }
}

double test_drawn(int step, int64_t index)
{
    uint32_t x = (uint32_t)(index * 2654435761u) ^ (uint32_t)(step * 40503 + 977);
    x = (x ^ x >> 15) * 0x2c1b3c6du;
    x = (x ^ x >> 12) * 0x297a2d39u;
    return (double)(int32_t)(x >> 8) * 0x1p-23 - 1;
}

void test_rig_feed(test_rig *r, int step)
{
    for (int i = 0; i < TEST_RIG_VARIABLES; i++)
        for (int64_t k = 0; k < test_rig_elements[i]; k++) {
            double g = test_drawn(step, k + 7 * i);
            if (r->dtype == WEFT_FLOAT32)
                ((float *)r->feed[i])[k] = (float)g;
            else
                ((double *)r->feed[i])[k] = g;
        }
}

void test_rig_run(test_rig *r, const weft_run_options *options)
{
    weft_error error = {0};
    weft_feed feed[TEST_RIG_VARIABLES];
    for (int i = 0; i < TEST_RIG_VARIABLES; i++)
        feed[i] = (weft_feed){r->gradient[i], r->feed[i], feed_bytes(r, i)};
    cr_assert_eq(weft_run(r->program, feed, TEST_RIG_VARIABLES, options, &error), WEFT_OK, "%s",
                 error.message);
}

void test_rig_compare(test_rig *r, double tolerance, const char *where)
{
    double *got = malloc(TEST_RIG_LARGE * sizeof(double));
    for (int i = 0; i < TEST_RIG_VARIABLES; i++) {
        double worst = 0;
        cr_assert_eq(weft_state_read(r->state, r->variable[i], got, test_rig_elements[i], NULL),
                     WEFT_OK);
        for (int64_t k = 0; k < test_rig_elements[i]; k++)
            worst = fmax(worst, fabs(got[k] - r->w[i][k]));
        cr_expect_leq(worst, tolerance, "%s: variable %d differs by %g", where, i, worst);
    }
    free(got);
}

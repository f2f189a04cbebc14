/* Copies, reductions, argmax and softmax in float32 against plain loops, on every instruction set of this
 * machine, over random strided problems. */
#include "kernels/argmax.h"
#include "kernels/copy.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define LEVELS(table)                                                                              \
    {                                                                                              \
        &table##_baseline, &table##_avx2, &table##_avx512                                          \
    }
#else
#define LEVELS(table)                                                                              \
    {                                                                                              \
        &table##_baseline                                                                          \
    }
#endif
static const weft_copy_kernels *const copy_levels[] = LEVELS(weft_copy_table);
static const weft_reduce_kernels *const reduce_levels[] = LEVELS(weft_reduce_table);
static const weft_argmax_kernels *const argmax_levels[] = LEVELS(weft_argmax_table);
static const weft_softmax_kernels *const softmax_levels[] = LEVELS(weft_softmax_table);

static const float untouched = -12345.5f;

static int64_t draw(uint64_t *seed, int64_t low, int64_t high)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((*seed >> 33) % (uint64_t)(high - low + 1));
}

static float draw_float(uint64_t *seed)
{
    return (float)draw(seed, -1000, 1000) * 0.01f;
}

static float *random_floats(uint64_t *seed, int64_t count)
{
    float *data = malloc((size_t)count * sizeof(*data));
    for (int64_t i = 0; i < count; i++)
        data[i] = draw_float(seed);
    return data;
}

static void run(weft_piece_fn *kernel, const void *args, void **operands, int64_t pieces)
{
    weft_call call = {.args = args, .operand = operands};
    for (int64_t i = pieces - 1; i >= 0; i--) /* any order must do */
        kernel(&call, i);
}

/* Strides of a larger array that holds the extents, with gaps; returns its elements. */
static int64_t draw_strides(uint64_t *seed, int rank, const int64_t *extent, bool last_is_one,
                            int64_t *stride)
{
    int64_t next = last_is_one ? 1 : draw(seed, 1, 3);
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = next;
        next *= extent[i] + (draw(seed, 0, 2) == 0 ? draw(seed, 1, 3) : 0);
    }
    return next;
}

static int64_t offset_of(int rank, const int64_t *extent, const int64_t *stride, int64_t index)
{
    int64_t offset = 0;
    for (int i = rank - 1; i >= 0; i--) {
        offset += index % extent[i] * stride[i];
        index /= extent[i];
    }
    return offset;
}

static int64_t product(int rank, const int64_t *extent)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= extent[i];
    return n;
}

/* ---- Copies ---- */

/* A box of random extents, the dimensions of `from` in another order half the time. */
static weft_copy_box draw_box(uint64_t *seed, int64_t *from_elements, int64_t *to_elements)
{
    weft_copy_box box = {.from = 0, .to = 1, .rank = (int)draw(seed, 0, 5)};
    int64_t shuffled[8], stride[8];
    int order[8];
    for (int i = 0; i < box.rank; i++) {
        box.extent[i] = draw(seed, 1, draw(seed, 0, 3) ? 7 : 70 >> box.rank);
        order[i] = i;
    }
    if (draw(seed, 0, 1))
        for (int i = box.rank - 1; i > 0; i--) {
            int k = (int)draw(seed, 0, i), swap = order[i];
            order[i] = order[k];
            order[k] = swap;
        }
    for (int i = 0; i < box.rank; i++)
        shuffled[i] = box.extent[order[i]];
    *from_elements = draw_strides(seed, box.rank, shuffled, draw(seed, 0, 3) > 0, stride);
    for (int i = 0; i < box.rank; i++)
        box.from_stride[order[i]] = stride[i];
    *to_elements = draw_strides(seed, box.rank, box.extent, true, box.to_stride);
    return box;
}

static void check_copy(const weft_copy_kernels *kernels, const weft_copy_box *box,
                       int64_t from_elements, int64_t to_elements, int bytes)
{
    weft_copy_args *args = calloc(1, weft_copy_args_bytes(1));
    args->element_bytes = bytes;
    args->fill = 2.5f;
    weft_copy_add(args, box);
    char *from = malloc((size_t)(from_elements * bytes)),
         *to = malloc((size_t)(to_elements * bytes));
    char *want = malloc((size_t)(to_elements * bytes));
    for (int64_t i = 0; i < from_elements * bytes; i++)
        from[i] = (char)(i * 37 + 11);
    memset(to, 0x55, (size_t)(to_elements * bytes));
    memcpy(want, to, (size_t)(to_elements * bytes));
    for (int64_t i = 0; i < product(box->rank, box->extent); i++) {
        const void *element =
            box->from == WEFT_COPY_FILL
                ? (const void *)&args->fill
                : from + offset_of(box->rank, box->extent, box->from_stride, i) * bytes;
        memcpy(want + offset_of(box->rank, box->extent, box->to_stride, i) * bytes, element,
               (size_t)bytes);
    }
    run(kernels->copy, args, (void *[]){from, to}, args->pieces);
    cr_assert(memcmp(to, want, (size_t)(to_elements * bytes)) == 0, "rank %d, %d bytes, form %d",
              box->rank, bytes, (int)args->job[0].form);
    free(from);
    free(to);
    free(want);
    free(args);
}

Test(copy, random_boxes)
{
    bool seen[WEFT_COPY_FORMS] = {false};
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (uint64_t seed = 0; seed < 600; seed++) {
            uint64_t state = seed;
            int64_t from, to;
            weft_copy_box box = draw_box(&state, &from, &to);
            weft_copy_args *args = calloc(1, weft_copy_args_bytes(1));
            weft_copy_add(args, &box);
            seen[args->job[0].form] = true;
            free(args);
            check_copy(copy_levels[level], &box, from, to, 4);
            check_copy(copy_levels[level], &box, from, to, 1);
            box.from = WEFT_COPY_FILL;
            memset(box.from_stride, 0, sizeof(box.from_stride));
            check_copy(copy_levels[level], &box, from, to, 4);
        }
    for (int form = WEFT_COPY_FORM_RUNS; form < WEFT_COPY_FORMS; form++)
        cr_assert(seen[form], "no case drew form %d", form);
}

Test(copy, large_boxes_in_many_pieces)
{
    /* a dense run, a transpose, rows of a channel slice */
    weft_copy_box boxes[] = {
        {.to = 1, .rank = 1, .extent = {100003}, .from_stride = {1}, .to_stride = {1}},
        {.to = 1, .rank = 2, .extent = {131, 517}, .from_stride = {1, 131}, .to_stride = {517, 1}},
        {.to = 1, .rank = 2, .extent = {9001, 5}, .from_stride = {12, 1}, .to_stride = {7, 1}},
    };
    const int64_t from[] = {100003, 131 * 517, 9001 * 12}, to[] = {100003, 131 * 517, 9001 * 7};
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int i = 0; i < 3; i++)
            check_copy(copy_levels[level], &boxes[i], from[i], to[i], 4);
}

/* ---- Reductions ---- */

static bool adds(weft_reduce_kind kind)
{
    return kind <= WEFT_REDUCE_SUM_DEVIATIONS;
}

/* A result that has one more element; NaN before the first. */
static double with_element(weft_reduce_kind kind, double result, double x, double mean)
{
    double term = kind == WEFT_REDUCE_ROOT_SUM_SQUARES ? x * x
                  : kind == WEFT_REDUCE_SUM_DEVIATIONS ? (x - mean) * (x - mean)
                  : kind == WEFT_REDUCE_SUM_MAGNITUDES || kind == WEFT_REDUCE_MAX_MAGNITUDE
                      ? fabs(x)
                      : x;
    if (isnan(result))
        return term;
    return adds(kind)                ? result + term
           : kind == WEFT_REDUCE_MIN ? fmin(result, term)
                                     : fmax(result, term);
}

/* want: the reduction of x in double, before it is scaled; mean: NULL, or one for each result. */
static void expected_reduction(const weft_reduce_problem *p, weft_reduce_kind kind, const float *x,
                               const double *mean, double *want)
{
    for (int64_t i = 0; i < product(p->rank, p->extent); i++) {
        int64_t to = offset_of(p->rank, p->extent, p->to_stride, i);
        double element = x[offset_of(p->rank, p->extent, p->from_stride, i)];
        want[to] = with_element(kind, want[to], element, mean ? mean[to] : 0);
    }
}

static void check_reduce(const weft_reduce_kernels *kernels, const weft_reduce_problem *p,
                         int64_t from_elements, int64_t to_elements, uint64_t seed)
{
    weft_reduce_plan plan = weft_reduce_make(p);
    float *x = random_floats(&seed, from_elements), *y = malloc((size_t)to_elements * sizeof(*y));
    double *want = malloc((size_t)to_elements * sizeof(*want));
    double *mean = malloc((size_t)to_elements * sizeof(*mean));
    float *workspace = malloc(plan.workspace_bytes + 1);
    for (int64_t i = 0; i < to_elements; i++) {
        y[i] = untouched;
        want[i] = mean[i] = NAN;
    }
    int64_t terms = 1;
    for (int i = 0; i < p->rank; i++)
        terms *= p->reduced[i] ? p->extent[i] : 1;
    expected_reduction(p, WEFT_REDUCE_SUM, x, NULL, mean);
    for (int64_t i = 0; i < to_elements; i++)
        mean[i] /= (double)terms;
    expected_reduction(p, p->kind, x, mean, want);
    void *operands[] = {x, y, workspace};
    run(kernels->reduce[p->kind], &plan.args, operands, plan.pieces);
    if (plan.workspace_bytes)
        run(kernels->merge[p->kind], &plan.args, operands, 1);
    for (int64_t i = 0; i < to_elements; i++) {
        if (isnan(want[i])) {
            cr_assert_eq(y[i], untouched, "wrote between results at %lld", (long long)i);
            continue;
        }
        bool rooted = p->kind == WEFT_REDUCE_ROOT_SUM_SQUARES;
        double scaled = rooted ? sqrt(want[i] * p->scale) : want[i] * p->scale;
        double bound = adds(p->kind) ? 5e-6 * (10 * sqrt((double)terms) + fabs(scaled)) : 0;
        cr_assert(fabs(y[i] - scaled) <= bound, "rank %d, %lld terms: %.9g, want %.9g", p->rank,
                  (long long)terms, y[i], scaled);
    }
    free(x);
    free(y);
    free(want);
    free(mean);
    free(workspace);
}

/* The output's strides: those of a dense array of the kept dimensions, with a gap at times. */
static int64_t output_strides(weft_reduce_problem *p, int64_t gap)
{
    int64_t next = 1;
    for (int i = p->rank - 1; i >= 0; i--) {
        p->to_stride[i] = p->reduced[i] ? 0 : next;
        if (!p->reduced[i])
            next *= p->extent[i] + (next == 1 ? gap : 0);
    }
    return next;
}

Test(reduce, random_problems)
{
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (uint64_t seed = 0; seed < 400; seed++) {
            uint64_t state = seed * 7 + 1;
            weft_reduce_problem p = {.kind =
                                         (weft_reduce_kind)draw(&state, 0, WEFT_REDUCE_KINDS - 1),
                                     .scale = draw(&state, 0, 1) ? 1 : 0.125f,
                                     .rank = (int)draw(&state, 0, 5)};
            for (int i = 0; i < p.rank; i++) {
                p.extent[i] = draw(&state, 1, draw(&state, 0, 4) ? 6 : 200 >> p.rank);
                p.reduced[i] = draw(&state, 0, 1);
            }
            int64_t from =
                draw_strides(&state, p.rank, p.extent, draw(&state, 0, 5) > 0, p.from_stride);
            int64_t to = output_strides(&p, draw(&state, 0, 2) ? 0 : 3);
            check_reduce(reduce_levels[level], &p, from, to, state);
        }
}

Test(reduce, long_ones_cut_into_slices)
{
    /* all of a long run; rows of 3, 64 and 700 columns; the middle of three; single elements */
    weft_reduce_problem problems[] = {
        {.rank = 1, .extent = {200001}, .reduced = {true}},
        {.rank = 2, .extent = {60007, 3}, .reduced = {true, false}},
        {.rank = 2, .extent = {2003, 64}, .reduced = {true, false}},
        {.rank = 2, .extent = {301, 700}, .reduced = {true, false}},
        {.rank = 3, .extent = {5, 3001, 17}, .reduced = {false, true, false}},
        {.rank = 3, .extent = {3, 41, 1003}, .reduced = {true, false, true}},
    };
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int i = 0; i < (int)(sizeof(problems) / sizeof(problems[0])); i++)
            for (int kind = 0; kind < WEFT_REDUCE_KINDS; kind++) {
                weft_reduce_problem p = problems[i];
                p.kind = (weft_reduce_kind)kind;
                p.scale = 1;
                int64_t next = 1;
                for (int k = p.rank - 1; k >= 0; k--) {
                    p.from_stride[k] = next;
                    next *= p.extent[k];
                }
                int64_t to = output_strides(&p, 0);
                cr_assert(i == 5 || weft_reduce_make(&p).workspace_bytes > 0, "problem %d", i);
                check_reduce(reduce_levels[level], &p, next, to, 5);
            }
}

Test(reduce, extremes_keep_nan)
{
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int kind = WEFT_REDUCE_MAX; kind < WEFT_REDUCE_KINDS; kind++)
            for (int at = 0; at < 40; at++) {
                float x[40], y = 0;
                for (int i = 0; i < 40; i++)
                    x[i] = i == at ? NAN : (float)i;
                weft_reduce_problem p = {.kind = (weft_reduce_kind)kind,
                                         .scale = 1,
                                         .rank = 1,
                                         .extent = {40},
                                         .from_stride = {1},
                                         .reduced = {true}};
                weft_reduce_plan plan = weft_reduce_make(&p);
                run(reduce_levels[level]->reduce[kind], &plan.args, (void *[]){x, &y}, plan.pieces);
                cr_assert(isnan(y), "kind %d lost NaN at %d", kind, at);
            }
}

/* Far from zero a difference of sums of squares would have no correct digit left. */
Test(reduce, deviations_from_a_large_mean)
{
    enum { N = 100001 };
    static float x[N], workspace[4096];
    for (int i = 0; i < N; i++)
        x[i] = 10000.0f + (float)(i % 5); /* deviations -2 to 2, whose squares are 2 on average */
    weft_reduce_problem p = {.kind = WEFT_REDUCE_SUM_DEVIATIONS,
                             .scale = 1.0f / N,
                             .rank = 1,
                             .extent = {N},
                             .from_stride = {1},
                             .reduced = {true}};
    weft_reduce_plan plan = weft_reduce_make(&p);
    cr_assert(plan.workspace_bytes > 0 && plan.workspace_bytes <= sizeof(workspace));
    for (int level = 0; level <= (int)weft_isa_level(); level++) {
        float y = 0;
        void *operands[] = {x, &y, workspace};
        run(reduce_levels[level]->reduce[p.kind], &plan.args, operands, plan.pieces);
        run(reduce_levels[level]->merge[p.kind], &plan.args, operands, 1);
        cr_expect_float_eq(y, 2, 1e-4, "%.9g", y);
    }
}

/* ---- Argmax ---- */

Test(argmax, first_of_the_largest)
{
    enum { ROWS = 3, MOST = 90 };
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int64_t n = 1; n <= MOST; n++)
            for (int by_column = 0; by_column < 2; by_column++) {
                float x[ROWS * MOST];
                int32_t position[ROWS];
                uint64_t seed = (uint64_t)n;
                for (int64_t i = 0; i < ROWS * n; i++)
                    x[i] = (float)draw(&seed, 0, 5); /* ties, always */
                if (n > 3)
                    x[by_column ? 2 * ROWS + 1 : n + 2] = NAN; /* in row 1 */
                weft_argmax_args args = {
                    .outer = 1, .columns = 1, .searched = n, .outer_a_piece = 8};
                if (by_column) {
                    args.columns = ROWS;
                    args.stride = ROWS;
                } else {
                    args.outer = ROWS;
                    args.outer_rank = 1;
                    args.extent[0] = ROWS;
                    args.from[0] = n;
                    args.to[0] = 1;
                    args.stride = 1;
                }
                run(argmax_levels[level]->argmax, &args, (void *[]){x, position}, 1);
                for (int r = 0; r < ROWS; r++) {
                    int64_t step = by_column ? ROWS : 1, best = 0;
                    const float *row = by_column ? x + r : x + r * n;
                    for (int64_t k = 1; k < n; k++)
                        if (row[k * step] > row[best * step])
                            best = k;
                    if (n > 3 && r == 1)
                        best = 2;
                    cr_assert_eq(position[r], best, "%lld elements, row %d: %d, want %lld",
                                 (long long)n, r, position[r], (long long)best);
                }
            }
}

/* ---- Softmax and losses ---- */

typedef struct rows {
    int64_t rows, classes;
    float *x, *t, *dloss, *out;
    int32_t *label;
} rows;

static void softmax_of(const float *x, int64_t n, double *p, double *logarithm)
{
    double most = x[0], sum = 0;
    for (int64_t k = 1; k < n; k++)
        most = fmax(most, x[k]);
    for (int64_t k = 0; k < n; k++)
        sum += exp(x[k] - most);
    *logarithm = most + log(sum);
    for (int64_t k = 0; k < n; k++)
        p[k] = exp(x[k] - *logarithm);
}

static void expect_near(float got, double want, const char *what, const rows *r, int64_t at)
{
    cr_assert(fabs(got - want) <= 3e-6 * (1 + fabs(want)),
              "%s, %lld classes, at %lld: %.9g, want %.9g", what, (long long)r->classes,
              (long long)at, got, want);
}

enum { BEYOND = 17 }; /* elements that nobody may write */

/* Runs one kernel on the operands, and returns its results in r->out. */
static const float *output(weft_piece_fn *kernel, rows *r, void *a, void *b, void *c)
{
    weft_softmax_args args = {.rows = r->rows, .classes = r->classes};
    int64_t pieces = weft_softmax_cut(&args);
    void *operands[4] = {a, b, c, r->out};
    if (!c)
        operands[2] = r->out;
    if (!b)
        operands[1] = r->out;
    int64_t elements = r->rows * r->classes;
    for (int64_t i = 0; i < elements + BEYOND; i++)
        r->out[i] = untouched;
    run(kernel, &args, operands, pieces);
    for (int64_t i = elements; i < elements + BEYOND; i++)
        cr_assert_eq(r->out[i], untouched, "%lld classes: wrote past the end",
                     (long long)r->classes);
    return r->out;
}

/* The same with the results over x, or over b: as many bits. */
static void expect_in_place(weft_piece_fn *kernel, rows *r, void *b, void *c, bool over_b)
{
    size_t bytes = (size_t)(r->rows * r->classes) * sizeof(float);
    float *over = malloc(bytes);
    weft_softmax_args args = {.rows = r->rows, .classes = r->classes};
    int64_t pieces = weft_softmax_cut(&args);
    memcpy(over, over_b ? b : r->x, bytes);
    void *operands[4] = {over_b ? r->x : over, over_b ? over : b, c, over};
    if (!c)
        operands[2] = over;
    if (!b)
        operands[1] = over;
    run(kernel, &args, operands, pieces);
    cr_assert(memcmp(over, r->out, bytes) == 0, "%lld classes: other bits in place",
              (long long)r->classes);
    free(over);
}

static void check_rows(const weft_softmax_kernels *kernels, rows *r)
{
    int64_t n = r->classes;
    double *p = malloc((size_t)n * sizeof(*p)), logarithm;
    const float *y = output(kernels->softmax, r, r->x, NULL, NULL);
    for (int64_t i = 0; i < r->rows; i++) {
        softmax_of(r->x + i * n, n, p, &logarithm);
        for (int64_t k = 0; k < n; k++)
            expect_near(y[i * n + k], p[k], "softmax", r, i);
    }
    expect_in_place(kernels->softmax, r, NULL, NULL, false);
    y = output(kernels->softmax_gradient, r, r->x, r->t, NULL);
    expect_in_place(kernels->softmax_gradient, r, r->t, NULL, false);
    expect_in_place(kernels->softmax_gradient, r, r->t, NULL, true);
    for (int64_t i = 0; i < r->rows; i++) {
        double dot = 0;
        for (int64_t k = 0; k < n; k++)
            dot += (double)r->x[i * n + k] * r->t[i * n + k];
        for (int64_t k = 0; k < n; k++)
            cr_assert_float_eq(y[i * n + k], r->x[i * n + k] * (r->t[i * n + k] - dot),
                               1e-5 * 100 * (double)n, "softmax_gradient");
    }
    y = output(kernels->sparse_cross_entropy, r, r->x, r->label, NULL);
    for (int64_t i = 0; i < r->rows; i++) {
        softmax_of(r->x + i * n, n, p, &logarithm);
        if (r->label[i] < 0)
            cr_assert(isnan(y[i]), "an unknown label went unseen");
        else
            expect_near(y[i], logarithm - r->x[i * n + r->label[i]], "sparse loss", r, i);
    }
    y = output(kernels->sparse_cross_entropy_gradient, r, r->x, r->label, r->dloss);
    expect_in_place(kernels->sparse_cross_entropy_gradient, r, r->label, r->dloss, false);
    for (int64_t i = 0; i < r->rows; i++) {
        softmax_of(r->x + i * n, n, p, &logarithm);
        for (int64_t k = 0; k < n; k++)
            if (r->label[i] < 0)
                cr_assert(isnan(y[i * n + k]), "an unknown label went unseen");
            else
                expect_near(y[i * n + k], (p[k] - (k == r->label[i])) * r->dloss[i],
                            "sparse gradient", r, i);
    }
    y = output(kernels->cross_entropy, r, r->x, r->t, NULL);
    for (int64_t i = 0; i < r->rows; i++) {
        double want = 0;
        softmax_of(r->x + i * n, n, p, &logarithm);
        for (int64_t k = 0; k < n; k++)
            want += r->t[i * n + k] * (logarithm - r->x[i * n + k]);
        expect_near(y[i], want, "loss", r, i);
    }
    y = output(kernels->cross_entropy_gradient, r, r->x, r->t, r->dloss);
    expect_in_place(kernels->cross_entropy_gradient, r, r->t, r->dloss, false);
    for (int64_t i = 0; i < r->rows; i++) {
        double sum = 0;
        softmax_of(r->x + i * n, n, p, &logarithm);
        for (int64_t k = 0; k < n; k++)
            sum += r->t[i * n + k];
        for (int64_t k = 0; k < n; k++)
            expect_near(y[i * n + k], (p[k] * sum - r->t[i * n + k]) * r->dloss[i], "gradient", r,
                        i);
    }
    free(p);
}

Test(softmax, rows_of_every_length)
{
    for (int level = 0; level <= (int)weft_isa_level(); level++)
        for (int64_t classes = 1; classes <= 1000; classes += classes < 70   ? 1
                                                              : classes < 71 ? 186
                                                                             : 372)
            for (int64_t count = 1; count <= 150; count += 149) {
                uint64_t seed = (uint64_t)(classes * 2 + count);
                rows r = {.rows = count, .classes = classes};
                r.x = random_floats(&seed, count * classes);
                r.t = random_floats(&seed, count * classes);
                r.dloss = random_floats(&seed, count);
                r.out = malloc((size_t)(count * classes + BEYOND) * sizeof(float));
                r.label = malloc((size_t)count * sizeof(int32_t));
                for (int64_t i = 0; i < count; i++) {
                    r.label[i] = i % 40 == 7 ? -1 : (int32_t)draw(&seed, 0, classes - 1);
                    for (int64_t k = 0; k < classes; k++)
                        r.t[i * classes + k] = fabsf(r.t[i * classes + k]) / (float)(10 * classes);
                }
                check_rows(softmax_levels[level], &r);
                free(r.x);
                free(r.t);
                free(r.dloss);
                free(r.out);
                free(r.label);
            }
}

Test(softmax, large_logits_do_not_overflow)
{
    for (int level = 0; level <= (int)weft_isa_level(); level++) {
        float x[3] = {1000, 999, -1000}, y[3];
        weft_softmax_args args = {.rows = 1, .classes = 3};
        int64_t pieces = weft_softmax_cut(&args);
        run(softmax_levels[level]->softmax, &args, (void *[]){x, y}, pieces);
        cr_assert_float_eq(y[0], 0.7310586f, 1e-6);
        cr_assert_float_eq(y[1], 0.2689414f, 1e-6);
        cr_assert_eq(y[2], 0);
    }
}

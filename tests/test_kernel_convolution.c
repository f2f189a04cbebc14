/* Convolution kernels against sums in double: all passes, random attributes with odd tails, strided
 * operands, every instruction set of this machine. What is not part of an operand holds NaN where it is
 * read and a sentinel where it is written. */
#include "kernels/convolution.h"
#include "kernels/cpu.h"
#include "kernels/epilogue.h"
#include "kernels/isa.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float untouched = -12345.5f;

static uint64_t seed;

static uint32_t draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + draw() % (high - low + 1);
}

static float draw_value(void)
{
    return (float)draw() * 0x1p-30f - 1;
}

/* An array of pixels: N, D, H, W and channels, with its strides, between guard zones. */
typedef struct image {
    int64_t batch, extent[3], channels, stride[4];
    float *memory, *data;
    int64_t size;
} image;

enum { GUARD = 64 };

static image make_image(int64_t batch, const int64_t extent[3], int64_t channels, bool strided)
{
    image m = {.batch = batch, .channels = channels};
    memcpy(m.extent, extent, sizeof m.extent);
    m.stride[3] = channels + (strided ? between(0, 9) : 0);
    m.stride[2] = m.stride[3] * (extent[2] + (strided ? between(0, 2) : 0));
    m.stride[1] = m.stride[2] * (extent[1] + (strided ? between(0, 2) : 0));
    m.stride[0] = m.stride[1] * extent[0];
    m.size = m.stride[0] * batch + 2 * GUARD;
    m.memory = malloc((size_t)m.size * sizeof(float));
    m.data = m.memory + GUARD;
    return m;
}

static int64_t at(const image *m, int64_t n, const int64_t p[3])
{
    return n * m->stride[0] + p[0] * m->stride[1] + p[1] * m->stride[2] + p[2] * m->stride[3];
}

/* Calls with every pixel. */
static bool next_pixel(const image *m, int64_t *n, int64_t p[3])
{
    for (int i = 2; i >= 0; i--) {
        if (++p[i] < m->extent[i])
            return true;
        p[i] = 0;
    }
    return ++*n < m->batch;
}

static void fill_image(image *m, bool values)
{
    for (int64_t i = 0; i < m->size; i++)
        m->memory[i] = values ? NAN : untouched;
    int64_t n = 0, p[3] = {0};
    do
        for (int64_t c = 0; c < m->channels; c++)
            m->data[at(m, n, p) + c] = values ? draw_value() : NAN;
    while (next_pixel(m, &n, p));
}

/* Calls `visit` for each product of the sum: offsets into x, y and w. */
typedef void visit_fn(void *state, int64_t x, int64_t y, int64_t w);

static void visit_products(const weft_convolution_problem *q, const image *x, const image *y,
                           visit_fn *visit, void *state)
{
    int64_t in = q->in_channels / q->groups, out = q->out_channels / q->groups;
    int64_t n = 0, o[3] = {0};
    do
        for (int64_t kd = 0; kd < q->kernel[0]; kd++)
            for (int64_t kh = 0; kh < q->kernel[1]; kh++)
                for (int64_t kw = 0; kw < q->kernel[2]; kw++) {
                    int64_t k[3] = {kd, kh, kw}, i[3], tap = 0;
                    bool inside = true;
                    for (int a = 0; a < 3; a++) {
                        i[a] = o[a] * q->stride[a] + k[a] * q->dilation[a] - q->pad[a];
                        inside = inside && i[a] >= 0 && i[a] < q->in[a];
                        tap =
                            tap * q->kernel[a] + (q->flip_filter ? q->kernel[a] - 1 - k[a] : k[a]);
                    }
                    if (!inside)
                        continue;
                    for (int64_t co = 0; co < q->out_channels; co++)
                        for (int64_t ci = 0; ci < in; ci++)
                            visit(state, at(x, n, i) + co / out * in + ci, at(y, n, o) + co,
                                  (tap * in + ci) * q->out_channels + co);
                }
    while (next_pixel(y, &n, o));
}

/* One array is the unknown; its sums and the sums of magnitudes, which bound the rounding error. */
typedef struct reference {
    weft_convolution_pass pass;
    const float *x, *y, *w;
    double *sum, *magnitude;
} reference;

static void visit_reference(void *state, int64_t x, int64_t y, int64_t w)
{
    reference *r = state;
    double product;
    int64_t to;
    if (r->pass == WEFT_CONVOLUTION_FORWARD)
        product = (double)r->x[x] * r->w[w], to = y;
    else if (r->pass == WEFT_CONVOLUTION_INPUT_GRADIENT)
        product = (double)r->y[y] * r->w[w], to = x;
    else
        product = (double)r->x[x] * r->y[y], to = w;
    r->sum[to] += product;
    r->magnitude[to] += fabs(product);
}

static void run_plan(const weft_kernel_plan *plan, void *const *operand)
{
    for (int phase = 0; phase < plan->phases; phase++) {
        const weft_call call = {
            .args = plan->args, .operand = operand, .round = plan->phase[phase].round};
        for (int64_t piece = 0; piece < plan->phase[phase].pieces; piece++)
            plan->phase[phase].run(&call, piece);
    }
}

/* ---- Prologues: what the kernel makes of x as it reads it ---- */

enum { PROLOGUE_SLOT = 6 }; /* of center, slope and shift, which follow each other */

/* Any of them. */
static void draw_prologue(weft_finish_slots *slots)
{
    static const float ceilings[] = {INFINITY, 0.8f, 0};
    *slots = (weft_finish_slots){.ceiling = ceilings[between(0, 1)]};
    if (between(0, 3) > 0)
        *slots = (weft_finish_slots){.center = PROLOGUE_SLOT,
                                     .slope = PROLOGUE_SLOT + 1,
                                     .shift = PROLOGUE_SLOT + 2,
                                     .ceiling = ceilings[between(0, 2)]};
}

static float finished(const weft_finish_slots *slots, const float *const *number, int64_t c,
                      float x)
{
    if (slots->slope)
        x = (x - number[0][c]) * number[1][c] + number[2][c];
    return slots->ceiling > 0 ? fminf(fmaxf(x, 0), slots->ceiling) : x;
}

/* What the sums are made of: x, or a copy that the prologue has finished. */
static float *see_through(const weft_convolution_problem *q, const image *x,
                          const float *const *number)
{
    float *seen = malloc((size_t)x->size * sizeof *seen);
    memcpy(seen, x->memory, (size_t)x->size * sizeof *seen);
    int64_t n = 0, p[3] = {0};
    do
        for (int64_t c = 0; q->prologue && c < x->channels; c++) {
            float *to = seen + GUARD + at(x, n, p) + c;
            *to = finished(q->prologue, number, c, *to);
        }
    while (next_pixel(x, &n, p));
    return seen;
}

static void describe(const weft_convolution_problem *q, int pass, const char *algorithm, char *text,
                     size_t size)
{
    snprintf(text, size,
             "pass %d by %s: n %d g %d ci %d co %d in %dx%dx%d out %dx%dx%d k %dx%dx%d s %dx%dx%d "
             "d %dx%dx%d p %dx%dx%d flip %d bias %d prologue %g",
             pass, algorithm, (int)q->batch, (int)q->groups, (int)q->in_channels,
             (int)q->out_channels, (int)q->in[0], (int)q->in[1], (int)q->in[2], (int)q->out[0],
             (int)q->out[1], (int)q->out[2], (int)q->kernel[0], (int)q->kernel[1],
             (int)q->kernel[2], (int)q->stride[0], (int)q->stride[1], (int)q->stride[2],
             (int)q->dilation[0], (int)q->dilation[1], (int)q->dilation[2], (int)q->pad[0],
             (int)q->pad[1], (int)q->pad[2], q->flip_filter, q->bias,
             q->prologue ? (double)q->prologue->ceiling : -1.0);
}

/* Relative to the sum of magnitudes; the transforms of larger tiles round more. */
static double tolerance_of(const char *algorithm)
{
    static const struct {
        const char *name;
        double tolerance;
    } larger[] = {{"4x4", 4e-5}, {"3x3", 4e-5}, {"of 7", 4e-5}, {"2x2", 1e-5}, {"of 3", 1e-5}};
    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++)
        if (strstr(algorithm, larger[i].name))
            return larger[i].tolerance;
    return 4e-6;
}

/* Runs one plan of the pass and compares with the sums. */
static void check_plan(const weft_convolution_problem *q, int pass, const weft_kernel_plan *plan,
                       void *const *input, int inputs, float *const *number, image *to,
                       const float *bias, const double *sum, const double *magnitude)
{
    char text[400];
    describe(q, pass, plan->algorithm, text, sizeof text);
    unsigned char *workspace = aligned_alloc(64, (plan->workspace + 127) / 64 * 64);
    memset(workspace, 0xff, plan->workspace + 1); /* NaN, and a byte to see an overrun by */
    unsigned char *prepared = aligned_alloc(64, (plan->prepared + 127) / 64 * 64);
    memset(prepared, 0xff, plan->prepared + 1);
    void *operand[PROLOGUE_SLOT + 3] = {input[0], input[1], input[2]};
    for (int i = 0; i < 3; i++)
        operand[PROLOGUE_SLOT + i] = number[i];
    operand[inputs] = to->data;
    operand[inputs + 1] = workspace;
    operand[inputs + 2] = prepared;
    run_plan(plan, operand);
    cr_assert(workspace[plan->workspace] == 0xff, "%s: workspace overrun", text);
    cr_assert(prepared[plan->prepared] == 0xff, "%s: overrun of what is prepared", text);
    double tolerance = tolerance_of(plan->algorithm);
    int64_t n = 0, p[3] = {0};
    do
        for (int64_t c = 0; c < to->channels; c++) {
            int64_t i = at(to, n, p) + c;
            double want = sum[i] + (bias ? bias[c] : 0);
            cr_assert(fabs(to->data[i] - want) <= tolerance * (magnitude[i] + 1),
                      "%s: [%d,%d,%d,%d,%d] is %.9g, want %.9g", text, (int)n, (int)p[0], (int)p[1],
                      (int)p[2], (int)c, to->data[i], want);
            to->data[i] = untouched;
        }
    while (next_pixel(to, &n, p));
    for (int64_t i = 0; i < to->size; i++)
        cr_assert(to->memory[i] == untouched, "%s: wrote outside of its output", text);
    free(workspace);
    free(prepared);
}

/* One pass by each algorithm that can do it, not only by the cheapest. */
static void check_pass(weft_convolution_problem *q, weft_convolution_pass pass, image *x, image *y,
                       image *w)
{
    image *images[3] = {y, x, w}, *to = images[pass];
    fill_image(x, pass != WEFT_CONVOLUTION_INPUT_GRADIENT);
    fill_image(y, pass != WEFT_CONVOLUTION_FORWARD);
    fill_image(w, pass != WEFT_CONVOLUTION_FILTER_GRADIENT);
    bool bias = q->bias && pass != WEFT_CONVOLUTION_FILTER_GRADIENT;
    float *b = malloc((size_t)to->channels * sizeof *b);
    for (int64_t c = 0; c < to->channels; c++)
        b[c] = draw_value();
    double *sum = calloc((size_t)to->size, sizeof *sum);
    double *magnitude = calloc((size_t)to->size, sizeof *magnitude);
    float *numbers = malloc(3 * (size_t)x->channels * sizeof *numbers);
    for (int64_t c = 0; c < 3 * x->channels; c++)
        numbers[c] = draw_value();
    float *const number[] = {numbers, numbers + x->channels, numbers + 2 * x->channels};
    float *seen = see_through(q, x, (const float *const *)number);
    reference r = {.pass = pass,
                   .x = seen + GUARD,
                   .y = y->data,
                   .w = w->data,
                   .sum = sum,
                   .magnitude = magnitude};
    visit_products(q, x, y, visit_reference, &r);

    void *input[3] = {pass == WEFT_CONVOLUTION_INPUT_GRADIENT ? y->data : x->data,
                      pass == WEFT_CONVOLUTION_FILTER_GRADIENT ? y->data : w->data, b};
    int tried = 0;
    const char *algorithm;
    for (int i = 0; (algorithm = weft_convolution_algorithm(i)); i++) {
        weft_kernel_plan plan;
        if (!weft_convolution_plan_by(algorithm, q, pass, NULL, &plan))
            continue;
        check_plan(q, pass, &plan, input, 2 + bias, number, to, bias ? b : NULL, sum, magnitude);
        tried++;
    }
    cr_assert(tried > 0);
    free(b);
    free(numbers);
    free(seen);
    free(sum);
    free(magnitude);
}

/* Norm of the error over the norm of the result, and the largest error over the result's root mean square. */
typedef struct error_size {
    double norm, largest;
} error_size;

static error_size measure_error(const weft_convolution_problem *q, weft_convolution_pass pass,
                                const char *algorithm)
{
    image x = make_image(q->batch, q->in, q->in_channels, false);
    image y = make_image(q->batch, q->out, q->out_channels, false);
    image w = make_image(q->kernel[0], (int64_t[]){q->kernel[1], q->kernel[2], q->in_channels},
                         q->out_channels, false);
    image *images[3] = {&y, &x, &w}, *to = images[pass];
    for (int i = 0; i < 3; i++)
        fill_image(images[i], images[i] != to);
    double *sum = calloc((size_t)to->size, sizeof *sum);
    double *magnitude = calloc((size_t)to->size, sizeof *magnitude);
    reference r = {
        .pass = pass, .x = x.data, .y = y.data, .w = w.data, .sum = sum, .magnitude = magnitude};
    visit_products(q, &x, &y, visit_reference, &r);
    weft_kernel_plan plan;
    cr_assert(weft_convolution_plan_by(algorithm, q, pass, NULL, &plan));
    void *operand[5] = {pass == WEFT_CONVOLUTION_INPUT_GRADIENT ? y.data : x.data,
                        pass == WEFT_CONVOLUTION_FILTER_GRADIENT ? y.data : w.data, to->data,
                        aligned_alloc(64, (plan.workspace + 127) / 64 * 64),
                        aligned_alloc(64, (plan.prepared + 127) / 64 * 64)};
    run_plan(&plan, operand);
    double difference = 0, square = 0, largest = 0;
    int64_t count = to->size - 2 * GUARD;
    for (int64_t i = 0; i < count; i++) {
        double d = to->data[i] - sum[i];
        difference += d * d;
        square += sum[i] * sum[i];
        largest = fmax(largest, fabs(d));
    }
    free(operand[3]);
    free(operand[4]);
    free(sum);
    free(magnitude);
    free(x.memory);
    free(y.memory);
    free(w.memory);
    return (error_size){sqrt(difference / square), largest / sqrt(square / (double)count)};
}

/* through: x is read through a prologue. */
static void check_problem(weft_convolution_problem *q, bool strided, bool through)
{
    int64_t in = q->in_channels / q->groups;
    image x = make_image(q->batch, q->in, q->in_channels, strided);
    image y = make_image(q->batch, q->out, q->out_channels, strided);
    image w = make_image(q->kernel[0], (int64_t[]){q->kernel[1], q->kernel[2], in}, q->out_channels,
                         false);
    memcpy(q->x_stride, x.stride, sizeof q->x_stride);
    memcpy(q->y_stride, y.stride, sizeof q->y_stride);
    weft_finish_slots prologue;
    draw_prologue(&prologue);
    for (int pass = 0; pass < 3; pass++) {
        q->prologue = through && pass != WEFT_CONVOLUTION_INPUT_GRADIENT ? &prologue : NULL;
        check_pass(q, (weft_convolution_pass)pass, &x, &y, &w);
    }
    q->prologue = NULL;
    free(x.memory);
    free(y.memory);
    free(w.memory);
}

/* Extents of y that padding of at most `high` at the high end gives; at least 1. */
static void set_output(weft_convolution_problem *q, int dimension, int64_t high)
{
    int i = dimension;
    int64_t reach = (q->kernel[i] - 1) * q->dilation[i] + 1;
    int64_t room = q->in[i] + q->pad[i] + high - reach;
    q->out[i] = room < 0 ? 1 : room / q->stride[i] + 1;
}

static void draw_channels(weft_convolution_problem *q)
{
    static const int64_t groups[] = {1, 1, 1, 1, 2, 3, 8};
    q->groups = groups[between(0, 6)];
    int kind = (int)between(0, 3);
    int64_t most = q->groups > 1 ? 9 : kind == 0 ? 3 : kind == 1 ? 20 : 70;
    q->in_channels = q->groups * between(1, most);
    q->out_channels = q->groups * between(1, most);
    if (between(0, 7) == 0) { /* depthwise */
        q->groups = q->in_channels = between(1, 70);
        q->out_channels = q->groups * between(1, 2);
    }
    if (between(0, 7) == 0) { /* groups within a vector, and whole vectors */
        q->groups = between(2, 20);
        q->in_channels = q->out_channels = q->groups << between(1, 4);
    }
}

static void check_random(uint64_t first_seed, int count)
{
    for (int i = 0; i < count; i++) {
        seed = first_seed + (uint64_t)i;
        draw();
        weft_convolution_problem q = {.batch = between(1, 3)};
        draw_channels(&q);
        int dimensions = (int)between(1, 3);
        for (int d = 0; d < 3; d++) {
            bool used = d >= 3 - dimensions;
            q.kernel[d] = used ? between(1, dimensions == 3 ? 3 : 5) : 1;
            q.stride[d] = used ? between(1, 3) : 1;
            q.dilation[d] = used ? between(1, 3) : 1;
            q.pad[d] = used ? between(0, 3) : 0;
            q.in[d] = used ? between(1, dimensions == 1 ? 90 : dimensions == 2 ? 20 : 7) : 1;
            if (used && between(0, 1))
                q.stride[d] = q.dilation[d] = 1;
            set_output(&q, d, used ? between(0, 3) : 0);
        }
        q.flip_filter = between(0, 1);
        q.bias = between(0, 1);
        q.steady_filter = between(0, 1);
        check_problem(&q, between(0, 1), between(0, 1));
    }
}

/* A test runs in a process of its own, so the variable is read when it is set already. */
static void use(const char *instruction_set)
{
    setenv("WEFT_ISA", instruction_set, 1);
}

Test(convolution, random_problems_baseline)
{
    use("baseline");
    check_random(1000, 150);
}

Test(convolution, random_problems_avx2)
{
    use("avx2");
    check_random(2000, 150);
}

Test(convolution, random_problems_best)
{
    check_random(3000, 300);
}

/* An image of one tap, all else drawn. */
static weft_convolution_problem draw_plane(int64_t most_in, int64_t most_out, int64_t most_extent)
{
    return (weft_convolution_problem){.batch = between(1, 3),
                                      .groups = 1,
                                      .in_channels = between(1, most_in),
                                      .out_channels = between(1, most_out),
                                      .in = {1, between(1, most_extent), between(1, most_extent)},
                                      .out = {1, 1, 1},
                                      .kernel = {1, 1, 1},
                                      .stride = {1, 1, 1},
                                      .dilation = {1, 1, 1},
                                      .flip_filter = between(0, 1),
                                      .bias = between(0, 1),
                                      .steady_filter = between(0, 1)};
}

/* Filters with several taps in one direction only. */
static void check_lines(uint64_t first_seed, int count)
{
    for (int i = 0; i < count; i++) {
        seed = first_seed + (uint64_t)i;
        draw();
        weft_convolution_problem q = draw_plane(40, 40, 20);
        q.kernel[1 + i % 2] = between(0, 2) ? 7 : 3;
        for (int d = 1; d < 3; d++) {
            q.pad[d] = between(0, q.kernel[d]);
            set_output(&q, d, between(0, q.kernel[d]));
        }
        check_problem(&q, between(0, 1), between(0, 1));
    }
}

Test(convolution, lines_baseline)
{
    use("baseline");
    check_lines(4000, 60);
}

Test(convolution, lines_avx2)
{
    use("avx2");
    check_lines(5000, 60);
}

Test(convolution, lines_best)
{
    check_lines(6000, 120);
}

/* Filters of three and four strides, which Winograd reads block by block, and of 4x4 taps; few channels and more. */
static void check_blocks(uint64_t first_seed, int count)
{
    for (int i = 0; i < count; i++) {
        seed = first_seed + (uint64_t)i;
        draw();
        weft_convolution_problem q = draw_plane(between(0, 1) ? 4 : 20, 70, 40);
        int64_t stride = between(1, 3), taps = stride == 1 ? 4 : between(3, 4);
        for (int d = 1; d < 3; d++) {
            q.stride[d] = stride;
            q.kernel[d] = between((taps - 1) * stride + 1, taps * stride);
            q.pad[d] = between(-1, q.kernel[d]);
            set_output(&q, d, between(0, q.kernel[d]));
        }
        check_problem(&q, between(0, 1), false);
        weft_kernel_plan plan;
        for (int pass = 0; pass < 3; pass += 2)
            cr_assert(weft_convolution_plan_by(
                stride == 1 ? (pass ? "winograd outer 3x3 of 4x4" : "winograd 3x3 of 4x4")
                : taps == 3 ? (pass ? "winograd outer strided 4x4" : "winograd strided 4x4")
                            : (pass ? "winograd outer strided 3x3" : "winograd strided 3x3"),
                &q, (weft_convolution_pass)pass, NULL, &plan));
    }
}

Test(convolution, blocks_baseline)
{
    use("baseline");
    check_blocks(7000, 40);
}

Test(convolution, blocks_avx2)
{
    use("avx2");
    check_blocks(7100, 40);
}

Test(convolution, blocks_best)
{
    check_blocks(7200, 80);
}

typedef struct worked {
    int64_t batch, groups, in_channels, out_channels, height, width, kernel, stride, pad, dilation;
} worked;

/* What planners treat in their own ways: pointwise, stems, depthwise, groups within a vector, short rows of several
 * images, power-of-two strides, strides beyond a row, large strides, reductions longer than a chunk, splits of the pixels, long
 * kernels, few channels in rows longer than a band. */
static const worked shapes[] = {
    {2, 1, 64, 96, 9, 11, 1, 1, 0, 1},   {2, 1, 33, 17, 8, 8, 1, 2, 0, 1},
    {1, 1, 3, 32, 21, 23, 7, 2, 3, 1},   {3, 1, 40, 48, 7, 7, 3, 1, 1, 1},
    {4, 1, 24, 32, 4, 4, 3, 1, 1, 1},    {3, 1, 32, 16, 2, 2, 3, 1, 1, 1},
    {1, 1, 1024, 32, 3, 14, 1, 1, 0, 1}, {1, 1, 300, 130, 5, 6, 3, 1, 1, 1},
    {4, 1, 5, 6, 40, 41, 3, 1, 1, 1},    {1, 1, 2, 3, 6, 400, 1, 1, 0, 1},
    {1, 1, 4, 5, 1, 700, 9, 1, 4, 1},    {2, 1, 16, 16, 12, 12, 3, 1, 4, 4},
    {2, 20, 20, 20, 19, 23, 3, 1, 1, 1}, {2, 33, 33, 33, 12, 64, 3, 2, 1, 1},
    {1, 16, 16, 16, 40, 7, 3, 1, 1, 1},  {2, 300, 300, 300, 5, 9, 3, 1, 0, 1},
    {1, 50, 50, 50, 15, 80, 3, 2, 0, 1}, {2, 16, 16, 16, 30, 60, 3, 1, 2, 1},
    {2, 40, 40, 40, 9, 9, 3, 2, 1, 1},   {1, 1, 1, 1, 5, 5, 3, 1, 1, 1},
    {1, 1, 17, 18, 33, 33, 4, 4, 0, 1},  {1, 1, 12, 20, 30, 30, 11, 1, 5, 1},
    {2, 1, 130, 140, 6, 6, 2, 2, 0, 1},  {1, 1, 6, 7, 3, 3, 3, 1, 2, 1},
    {2, 4, 16, 24, 10, 10, 1, 1, 0, 1},  {1, 1, 8, 8, 2, 2, 1, 3, 0, 1},
    {2, 1, 19, 35, 13, 9, 5, 1, 2, 1},   {1, 1, 40, 20, 6, 7, 5, 1, 4, 1},
    {3, 1, 16, 16, 5, 5, 5, 1, 0, 1},    {1, 1, 7, 50, 30, 31, 5, 1, 1, 1},
    {1, 1, 64, 48, 13, 12, 5, 1, 2, 1},  {4, 1, 200, 40, 7, 7, 3, 1, 1, 1},
    {2, 1, 400, 20, 6, 6, 3, 2, 1, 1},   {2, 8, 32, 32, 9, 30, 3, 1, 1, 1},
    {1, 5, 10, 10, 20, 70, 3, 1, 0, 1},  {2, 36, 288, 288, 6, 17, 3, 2, 1, 1},
    {1, 1, 64, 16, 28, 28, 8, 8, 2, 1},  {2, 1, 128, 24, 35, 35, 4, 4, 1, 1},
    {1, 1, 5, 4, 40, 41, 16, 8, 4, 1},   {1, 6, 12, 12, 40, 40, 12, 9, 3, 1},
    {1, 9, 9, 9, 33, 32, 8, 6, 3, 1},    {1, 1, 3, 7, 30, 29, 4, 6, 1, 4},
    {2, 20, 40, 40, 9, 9, 5, 1, 2, 1},   {1, 12, 48, 48, 11, 40, 3, 1, 2, 2},
    {2, 9, 72, 72, 15, 15, 1, 1, 0, 1},  {1, 6, 24, 24, 30, 60, 3, 3, 1, 1},
    {1, 70, 70, 70, 4, 1, 1, 3, 1, 1},   {1, 8, 32, 32, 4, 1, 1, 3, 1, 1},
    {1, 1, 3, 9, 9, 300, 7, 1, 3, 1},    {2, 1, 4, 20, 5, 600, 3, 2, 1, 2},
};

static void check_shapes(void)
{
    seed = 77;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const worked *s = &shapes[i];
        weft_convolution_problem q = {.batch = s->batch,
                                      .groups = s->groups,
                                      .in_channels = s->in_channels,
                                      .out_channels = s->out_channels,
                                      .in = {1, s->height, s->width},
                                      .kernel = {1, s->height == 1 ? 1 : s->kernel, s->kernel},
                                      .stride = {1, s->stride, s->stride},
                                      .dilation = {1, s->dilation, s->dilation},
                                      .pad = {0, s->height == 1 ? 0 : s->pad, s->pad},
                                      .bias = i % 2};
        for (int d = 0; d < 3; d++)
            set_output(&q, d, q.pad[d]);
        check_problem(&q, false, i % 2);
        check_problem(&q, true, i % 2 == 0);
    }
}

Test(convolution, special_shapes_baseline)
{
    use("baseline");
    check_shapes();
}

Test(convolution, special_shapes_avx2)
{
    use("avx2");
    check_shapes();
}

Test(convolution, special_shapes_best)
{
    check_shapes();
}

Test(convolution, negative_padding_crops)
{
    seed = 5;
    weft_convolution_problem q = {.batch = 2,
                                  .groups = 1,
                                  .in_channels = 5,
                                  .out_channels = 19,
                                  .in = {1, 12, 13},
                                  .out = {1, 4, 3},
                                  .kernel = {1, 3, 2},
                                  .stride = {1, 2, 2},
                                  .dilation = {1, 1, 1},
                                  .pad = {0, -2, -3}};
    check_problem(&q, true, false);
    check_problem(&q, true, true);
}

/* ---- Winograd position by position, in rounds ---- */

static weft_convolution_problem square_problem(int64_t in, int64_t out, int64_t height,
                                               int64_t width)
{
    return (weft_convolution_problem){.batch = 1,
                                      .groups = 1,
                                      .in_channels = in,
                                      .out_channels = out,
                                      .in = {1, height, width},
                                      .out = {1, height, width},
                                      .kernel = {1, 3, 3},
                                      .stride = {1, 1, 1},
                                      .dilation = {1, 1, 1},
                                      .pad = {0, 1, 1}};
}

/* Returns how many rounds have more pieces than the last. An epilogue's sums have a part for each piece of the last
 * phase, which writes: in all rounds together where these are for other pixels each, in each of them where they are for
 * other filters. */
static int check_rounds(weft_convolution_problem q, size_t most_workspace)
{
    static const char *const algorithms[] = {"winograd positions 2x2", "winograd positions 4x4",
                                             "winograd positions outer 2x2",
                                             "winograd positions outer 4x4"};
    weft_convolution_dense(q.in, q.in_channels, q.x_stride);
    weft_convolution_dense(q.out, q.out_channels, q.y_stride);
    int several = 0, uneven = 0;
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; i < 4; i++) {
            weft_kernel_plan plan;
            if (!weft_convolution_plan_by(algorithms[i], &q, (weft_convolution_pass)pass, NULL,
                                          &plan))
                continue;
            const weft_phase *last = &plan.phase[plan.phases - 1];
            int64_t pieces = 0, rounds = last->round + 1;
            bool sections = plan.phase[0].run == plan.phase[plan.phases - 3].run;
            for (int p = 0; p < plan.phases; p++)
                if (plan.phase[p].run == last->run && (!sections || p == plan.phases - 1)) {
                    pieces += plan.phase[p].pieces;
                    uneven += plan.phase[p].pieces > last->pieces;
                }
            several += rounds > 1;
            if (pass != WEFT_CONVOLUTION_FILTER_GRADIENT)
                cr_expect_eq(plan.parts, pieces, "%s", algorithms[i]);
            cr_expect_lt(plan.workspace + plan.prepared, most_workspace, "%s", algorithms[i]);
        }
    cr_expect_gt(several, 3);
    for (int through = 0; through < 2; through++)
        check_problem(&q, false, through);
    return uneven;
}

enum { ROUND_BYTES = 16 * 1024 * 1024 }; /* about: of what is cut */

/* More tiles than one round takes, so that each takes a chunk of them; the last of fewer groups. */
static void check_chunks(void)
{
    seed = 21;
    int uneven = check_rounds(square_problem(90, 9, 153, 135), 3 * ROUND_BYTES / 2);
    uneven += check_rounds(square_problem(9, 90, 151, 133), 3 * ROUND_BYTES / 2);
    cr_expect_gt(uneven, 0, "all last chunks are whole");
}

/* More channels and filters than one round takes: each takes a section of them. */
static void check_sections(void)
{
    seed = 22;
    check_rounds(square_problem(500, 530, 3, 6), 3 * ROUND_BYTES / 2);
    check_rounds(square_problem(390, 700, 5, 2), 3 * ROUND_BYTES / 2);
}

Test(convolution, tiles_in_chunks_avx2)
{
    use("avx2");
    check_chunks();
}

Test(convolution, tiles_in_chunks_best)
{
    check_chunks();
}

Test(convolution, channels_in_sections_avx2)
{
    use("avx2");
    check_sections();
}

Test(convolution, channels_in_sections_best)
{
    check_sections();
}

/* What is kept from run to run is there as a whole. */
Test(convolution, steady_filters_are_not_cut)
{
    weft_convolution_problem q = square_problem(500, 530, 3, 6);
    weft_kernel_plan plan;
    weft_convolution_dense(q.in, q.in_channels, q.x_stride);
    weft_convolution_dense(q.out, q.out_channels, q.y_stride);
    for (int steady = 0; steady < 2; steady++) {
        q.steady_filter = steady;
        cr_assert(weft_convolution_plan_by("winograd positions 4x4", &q, WEFT_CONVOLUTION_FORWARD,
                                           NULL, &plan));
        cr_expect_eq(plan.prepare_phases, steady);
        cr_expect_eq(plan.prepared > 36 * 500 * 530 * sizeof(float), steady);
    }
}

/* How much larger the error of Winograd's sums is than that of the plain ones: by a bounded factor, whatever
 * the number of channels. WEFT_TEST_PRINT in the environment prints the table of
 * convolution_winograd_lines.h. */
static void check_errors(void)
{
    static const struct {
        const char *algorithm, *of_filters; /* of_filters: filter gradient */
        int64_t kernel[2];
        double bound;
    } forms[] = {{"direct", "outer", {3, 3}, 2e-6},
                 {"direct", "outer", {1, 7}, 2e-6},
                 {"winograd 2x2", "winograd outer 2x2", {3, 3}, 2e-6},
                 {"winograd 4x4", "winograd outer 4x4", {3, 3}, 4e-6},
                 {"winograd 3x3 of 4x4", "winograd outer 3x3 of 4x4", {4, 4}, 4e-6},
                 {"winograd 2x2 of 5x5", "winograd outer 2x2 of 5x5", {5, 5}, 4e-6},
                 {"winograd 4 of 3", "winograd outer 4 of 3", {3, 1}, 2e-6},
                 {"winograd 3 of 7", "winograd outer 3 of 7", {1, 7}, 4e-6},
                 {"winograd positions 3 of 7", "winograd positions outer 3 of 7", {7, 1}, 4e-6}};
    for (int pass = 0; pass < 3; pass++)
        for (int64_t channels = 16; channels <= 1024; channels *= 4) {
            int64_t few = 16, size = pass == 2 ? channels / 8 + 2 : 10;
            weft_convolution_problem q = {
                .batch = 1,
                .groups = 1,
                .in_channels = pass == 0 ? channels : few,
                .out_channels = pass == 1 ? channels : few,
                .in = {1, size, size},
                .out = {1, size, size},
                .kernel = {1, 3, 3},
                .stride = {1, 1, 1},
                .dilation = {1, 1, 1},
                .pad = {0, 1, 1},
            };
            weft_convolution_dense(q.in, q.in_channels, q.x_stride);
            weft_convolution_dense(q.out, q.out_channels, q.y_stride);
            for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                for (int d = 0; d < 2; d++) {
                    q.kernel[1 + d] = forms[i].kernel[d];
                    q.pad[1 + d] = forms[i].kernel[d] / 2;
                }
                const char *algorithm = pass == 2 ? forms[i].of_filters : forms[i].algorithm;
                seed = (uint64_t)(channels + pass);
                error_size e = measure_error(&q, (weft_convolution_pass)pass, algorithm);
                if (getenv("WEFT_TEST_PRINT"))
                    printf("%-32s pass %d, %dx%d, %4d channels, %3d pixels: %.1e, largest %.1e\n",
                           algorithm, pass, (int)q.kernel[1], (int)q.kernel[2], (int)channels,
                           (int)size, e.norm, e.largest);
                cr_expect(e.norm > 0 && e.norm < forms[i].bound, "%s: %g", algorithm, e.norm);
                cr_expect(e.largest < 12 * forms[i].bound, "%s: %g", algorithm, e.largest);
            }
        }
}

Test(convolution, errors_baseline)
{
    use("baseline");
    check_errors();
}

Test(convolution, errors_best)
{
    check_errors();
}

/* An option forbids what rounds more. */
Test(convolution, exact_products_forbid_winograd)
{
    weft_convolution_problem q = {.batch = 2,
                                  .groups = 1,
                                  .in_channels = 128,
                                  .out_channels = 128,
                                  .in = {1, 28, 28},
                                  .out = {1, 28, 28},
                                  .kernel = {1, 3, 3},
                                  .stride = {1, 1, 1},
                                  .dilation = {1, 1, 1},
                                  .pad = {0, 1, 1}};
    weft_convolution_dense(q.in, q.in_channels, q.x_stride);
    weft_convolution_dense(q.out, q.out_channels, q.y_stride);
    weft_kernel_plan plan;
    for (int pass = 0; pass < 3; pass++) {
        q.exact_products = false;
        weft_convolution_plan(&q, (weft_convolution_pass)pass, NULL, &plan);
        cr_expect(strstr(plan.algorithm, "winograd") != NULL, "pass %d: %s", pass, plan.algorithm);
        q.exact_products = true;
        weft_convolution_plan(&q, (weft_convolution_pass)pass, NULL, &plan);
        cr_expect(strstr(plan.algorithm, "winograd") == NULL, "pass %d: %s", pass, plan.algorithm);
    }
}

/* ---- What is known of a problem ---- */

static weft_convolution_problem some_problem(void)
{
    weft_convolution_problem q = {.batch = 2,
                                  .groups = 2,
                                  .in_channels = 4,
                                  .out_channels = 6,
                                  .in = {1, 5, 7},
                                  .out = {1, 3, 3},
                                  .kernel = {1, 3, 2},
                                  .stride = {1, 2, 2},
                                  .dilation = {1, 1, 2},
                                  .pad = {0, 1, 0},
                                  .bias = true};
    weft_convolution_dense(q.in, q.in_channels, q.x_stride);
    weft_convolution_dense(q.out, q.out_channels, q.y_stride);
    return q;
}

static uint64_t hash_of(const weft_convolution_problem *q)
{
    return weft_convolution_hash(q, WEFT_CONVOLUTION_FORWARD, 1);
}

Test(convolution, hash_sees_all_that_matters)
{
    weft_convolution_problem q = some_problem();
    uint64_t hash = hash_of(&q);
    int64_t *number[] = {&q.batch,       &q.groups,      &q.in_channels, &q.out_channels,
                         &q.in[0],       &q.in[1],       &q.in[2],       &q.out[0],
                         &q.out[1],      &q.out[2],      &q.kernel[0],   &q.kernel[1],
                         &q.kernel[2],   &q.stride[0],   &q.stride[1],   &q.stride[2],
                         &q.dilation[0], &q.dilation[1], &q.dilation[2], &q.pad[0],
                         &q.pad[1],      &q.pad[2],      &q.x_stride[0], &q.x_stride[2],
                         &q.x_stride[3], &q.y_stride[0], &q.y_stride[2], &q.y_stride[3]};
    bool *flag[] = {&q.flip_filter, &q.bias, &q.exact_products, &q.steady_filter};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        *number[i] += 1;
        cr_expect_neq(hash_of(&q), hash, "number %zu", i);
        *number[i] -= 1;
    }
    for (size_t i = 0; i < sizeof flag / sizeof *flag; i++) {
        *flag[i] = !*flag[i];
        cr_expect_neq(hash_of(&q), hash, "flag %zu", i);
        *flag[i] = !*flag[i];
    }
    cr_expect_neq(weft_convolution_hash(&q, WEFT_CONVOLUTION_INPUT_GRADIENT, 1), hash);
    cr_expect_neq(weft_convolution_hash(&q, WEFT_CONVOLUTION_FORWARD, 2), hash);
    q.x_stride[1] = q.y_stride[1] = 12345; /* of a single image */
    q.epilogue = (struct weft_epilogue *)&q;
    cr_expect_eq(hash_of(&q), hash);
}

Test(convolution, operands_have_the_floats_that_are_said)
{
    weft_convolution_problem q = some_problem();
    int64_t x = 2 * 5 * 7 * 4, y = 2 * 3 * 3 * 6, w = 3 * 2 * 2 * 6;
    int64_t floats[4];
    cr_expect_eq(weft_convolution_operands(&q, WEFT_CONVOLUTION_FORWARD, floats), 4);
    cr_expect_arr_eq(floats, ((int64_t[]){x, w, 6, y}), sizeof floats);
    cr_expect_eq(weft_convolution_operands(&q, WEFT_CONVOLUTION_INPUT_GRADIENT, floats), 4);
    cr_expect_arr_eq(floats, ((int64_t[]){y, w, 4, x}), sizeof floats);
    cr_expect_eq(weft_convolution_operands(&q, WEFT_CONVOLUTION_FILTER_GRADIENT, floats), 3);
    cr_expect_arr_eq(floats, ((int64_t[]){x, y, w}), 3 * sizeof *floats);
    q.x_stride[3] += 3; /* channels of a wider image: the last pixel ends before its gap */
    q.bias = false;
    weft_convolution_operands(&q, WEFT_CONVOLUTION_FORWARD, floats);
    cr_expect_eq(floats[0], x + 6 * 3);
}

Test(convolution, plans_are_those_of_each_algorithm)
{
    weft_convolution_problem q = some_problem();
    weft_kernel_plan all[WEFT_CONVOLUTION_ALGORITHMS], plan, cheapest;
    for (int pass = 0; pass < 3; pass++) {
        int count = weft_convolution_plans(&q, (weft_convolution_pass)pass, all), found = 0;
        weft_convolution_plan(&q, (weft_convolution_pass)pass, NULL, &cheapest);
        cr_expect_gt(count, 0);
        for (int i = 0; i < count; i++) {
            cr_expect(weft_convolution_plan_by(all[i].algorithm, &q, (weft_convolution_pass)pass,
                                               NULL, &plan));
            cr_expect_eq(memcmp(&plan, &all[i], sizeof plan), 0);
            found += plan.cycles == cheapest.cycles;
        }
        cr_expect_gt(found, 0);
    }
}

/* ---- The processor ---- */

Test(convolution, cache_is_what_the_environment_says)
{
    setenv("WEFT_L2", "655360", 1); /* read once, and each test is a process of its own */
    cr_expect_eq(weft_cpu_l2(), 640 * 1024);
    cr_expect_eq(weft_cpu_floats(1000), 1000);
    cr_expect_eq(weft_cpu_floats(81920), 81920);
    cr_expect_eq(weft_cpu_floats(100000), 81920);
}

Test(convolution, cache_is_never_too_small)
{
    setenv("WEFT_L2", "4096", 1);
    cr_expect_eq(weft_cpu_l2(), 512 * 1024);
}

Test(convolution, cache_is_what_the_system_says)
{
    setenv("WEFT_L2", "none", 1);
    cr_expect_geq(weft_cpu_l2(), 512 * 1024);
}

Test(convolution, model_of_the_processor_is_cut_to_size)
{
    char text[512], again[512], small[8] = "-------";
    weft_cpu_model(text, sizeof text);
    cr_expect_str_eq(weft_cpu_model(again, sizeof again), text);
    cr_expect_eq(strncmp(weft_cpu_model(small, 5), text, 4), 0);
    cr_expect_leq(strlen(small), 4);
    cr_expect_eq(small[5], '-');
}

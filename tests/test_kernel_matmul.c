/* Matrix products against sums in double: transposes, batches, strides, bias, odd sizes, every
 * instruction set of this machine. Gaps of the inputs hold NaN, of the output a sentinel. */
#include "kernels/isa.h"
#include "kernels/matmul.h"

#include <criterion/criterion.h>
#include <math.h>
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

/* `batch` matrices of rows x columns with gaps between rows and matrices. */
typedef struct matrices {
    int64_t batch, rows, columns, stride, batch_stride, size;
    float *data;
} matrices;

static matrices make(int64_t batch, int64_t rows, int64_t columns, float gap, bool values)
{
    matrices m = {.batch = batch, .rows = rows, .columns = columns};
    m.stride = columns + between(0, 5);
    m.batch_stride = m.stride * rows + between(0, 7);
    m.size = m.batch_stride * batch + 32;
    m.data = malloc((size_t)m.size * sizeof(float));
    for (int64_t i = 0; i < m.size; i++)
        m.data[i] = gap;
    for (int64_t b = 0; b < batch && values; b++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                m.data[b * m.batch_stride + r * m.stride + c] = (float)draw() * 0x1p-30f - 1;
    return m;
}

static double element(const matrices *m, bool transpose, int64_t b, int64_t row, int64_t column)
{
    b = m->batch == 1 ? 0 : b;
    return m->data[b * m->batch_stride +
                   (transpose ? column * m->stride + row : row * m->stride + column)];
}

static void check(weft_matmul_problem *p, bool shared_b)
{
    matrices a = make(p->batch, p->transpose_a ? p->inner : p->rows,
                      p->transpose_a ? p->rows : p->inner, NAN, true);
    matrices b = make(shared_b ? 1 : p->batch, p->transpose_b ? p->columns : p->inner,
                      p->transpose_b ? p->inner : p->columns, NAN, true);
    matrices c = make(p->batch, p->rows, p->columns, untouched, false);
    matrices bias = make(1, 1, p->columns, NAN, true);
    p->a_stride = a.stride, p->a_batch_stride = a.batch_stride;
    p->b_stride = b.stride, p->b_batch_stride = shared_b ? 0 : b.batch_stride;
    p->c_stride = c.stride, p->c_batch_stride = c.batch_stride;

    weft_kernel_plan plan;
    weft_matmul_plan(p, NULL, &plan);
    void *workspace = aligned_alloc(64, (plan.workspace + 64) / 64 * 64);
    memset(workspace, 0xff, plan.workspace);
    void *prepared = aligned_alloc(64, (plan.prepared + 64) / 64 * 64);
    memset(prepared, 0xff, plan.prepared);
    void *operand[6] = {a.data, b.data, bias.data};
    operand[2 + p->bias] = c.data;
    operand[3 + p->bias] = workspace;
    operand[4 + p->bias] = prepared;
    weft_call call = {.args = plan.args, .operand = operand};
    for (int phase = 0; phase < plan.phases; phase++)
        for (int64_t piece = 0; piece < plan.phase[phase].pieces; piece++)
            plan.phase[phase].run(&call, piece);

    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t i = 0; i < p->rows; i++)
            for (int64_t j = 0; j < p->columns; j++) {
                double sum = p->bias ? bias.data[j] : 0, magnitude = 1;
                for (int64_t k = 0; k < p->inner; k++) {
                    double product =
                        element(&a, p->transpose_a, n, i, k) * element(&b, p->transpose_b, n, k, j);
                    sum += product;
                    magnitude += fabs(product);
                }
                float *got = &c.data[n * c.batch_stride + i * c.stride + j];
                cr_assert(fabs(*got - sum) <= 4e-6 * magnitude,
                          "%s, %dx%dx%d, %d of %d, transposes %d %d: [%d,%d] is %.9g, want %.9g",
                          plan.algorithm, (int)p->rows, (int)p->columns, (int)p->inner, (int)n,
                          (int)p->batch, p->transpose_a, p->transpose_b, (int)i, (int)j, *got, sum);
                *got = untouched;
            }
    for (int64_t i = 0; i < c.size; i++)
        cr_assert(c.data[i] == untouched, "wrote outside of its output");
    free(a.data);
    free(b.data);
    free(c.data);
    free(bias.data);
    free(workspace);
    free(prepared);
}

static void check_random(int count)
{
    for (int i = 0; i < count; i++) {
        seed = (uint64_t)i + 4000;
        draw();
        int64_t most = i % 4 == 0 ? 4 : i % 4 == 1 ? 20 : 90;
        weft_matmul_problem p = {.batch = i % 3 == 0 ? between(1, 4) : 1,
                                 .rows = between(1, most),
                                 .columns = between(1, most),
                                 .inner = between(1, i % 7 == 0 ? 5000 : most),
                                 .transpose_a = between(0, 1),
                                 .transpose_b = between(0, 1),
                                 .bias = between(0, 1),
                                 .steady_b = between(0, 1)};
        check(&p, between(0, 1));
    }
}

/* A few rows and one large matrix; the sum of a few outer products that the caches do not hold. */
static void check_thin(void)
{
    for (int i = 0; i < 40; i++) {
        seed = (uint64_t)i + 9000;
        draw();
        weft_matmul_problem p = {.batch = between(1, 2),
                                 .rows = between(1, 9),
                                 .columns = between(64, 700),
                                 .inner = between(64, 400),
                                 .transpose_b = i % 2,
                                 .bias = between(0, 1)};
        check(&p, between(0, 1));
    }
    weft_matmul_problem outer = {
        .batch = 1, .rows = 2803, .columns = 3001, .inner = 3, .transpose_a = true, .bias = true};
    check(&outer, false);
}

/* The gradient of a dense layer's weights on a large image: more rows than a panel holds of one of the summed. */
static void check_many_rows(void)
{
    weft_matmul_problem p = {
        .batch = 1, .rows = 50003, .columns = 10, .inner = 37, .transpose_a = true};
    check(&p, false);
}

Test(matmul, many_rows_baseline)
{
    setenv("WEFT_ISA", "baseline", 1);
    check_many_rows();
}

Test(matmul, many_rows_avx2)
{
    setenv("WEFT_ISA", "avx2", 1);
    check_many_rows();
}

Test(matmul, many_rows_best)
{
    check_many_rows();
}

Test(matmul, thin_products_baseline)
{
    setenv("WEFT_ISA", "baseline", 1);
    check_thin();
}

Test(matmul, thin_products_avx2)
{
    setenv("WEFT_ISA", "avx2", 1);
    check_thin();
}

Test(matmul, thin_products_best)
{
    check_thin();
}

Test(matmul, random_products_baseline)
{
    setenv("WEFT_ISA", "baseline", 1); /* read once, and each test is a process of its own */
    check_random(200);
}

Test(matmul, random_products_avx2)
{
    setenv("WEFT_ISA", "avx2", 1);
    check_random(200);
}

Test(matmul, random_products_best)
{
    check_random(400);
}

/* A product that every element shows: [[1,2,3],[4,5,6]] times [[1,0],[0,1],[1,1]]. */
Test(matmul, worked_numbers)
{
    float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 0, 1, 1, 1}, bias[] = {10, 20}, c[4] = {0};
    weft_matmul_problem p = {.batch = 1,
                             .rows = 2,
                             .columns = 2,
                             .inner = 3,
                             .bias = true,
                             .a_stride = 3,
                             .b_stride = 2,
                             .c_stride = 2};
    weft_kernel_plan plan;
    weft_matmul_plan(&p, NULL, &plan);
    cr_assert_eq(plan.workspace, 0);
    cr_assert_eq(plan.prepared, 0);
    void *operand[] = {a, b, bias, c};
    weft_call call = {.args = plan.args, .operand = operand};
    for (int64_t piece = 0; piece < plan.phase[0].pieces; piece++)
        plan.phase[0].run(&call, piece);
    const float want[] = {14, 25, 20, 31};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(c[i], want[i]);
}

/* Local response normalization, a block of channels at a time: the block and the channels that its windows
 * reach beyond it lie in small buffers, with zeros for channels that there are not, so that every window
 * is a sum of shifted vectors. */
#include "kernels/elementary_simd.h"
#include "kernels/local_response.h"

enum { BLOCK = 256, ROOM = BLOCK + 4 * WEFT_LOCAL_RESPONSE_REACH + LANES };

/* out[i] = row[first + i], or 0 where there is no such channel. */
static void load_around(const float *row, int64_t channels, int64_t first, int64_t count,
                        float *out)
{
    int64_t before = first < 0 ? -first : 0;
    int64_t end = first + count > channels ? channels - first : count;
    memset(out, 0, (size_t)before * sizeof(float));
    memcpy(out + before, row + first + before, (size_t)(end - before) * sizeof(float));
    memset(out + end, 0, (size_t)(count - end) * sizeof(float));
}

/* The sum of `width` elements from p on, for each lane. */
SIMD_INLINE vfloat window_sum(const float *p, int64_t width)
{
    vfloat sum = vload(p);
    for (int64_t i = 1; i < width; i++)
        sum += vload(p + i);
    return sum;
}

/* s^-beta; square roots where they will do. */
SIMD_INLINE vfloat power(vfloat s, float beta)
{
    if (beta == 0.75f) {
        vfloat root = vsqrt(s);
        return 1 / (root * vsqrt(root));
    }
    if (beta == 0.5f)
        return 1 / vsqrt(s);
    return vexp(-beta * vlog(s));
}

/* A block of one row. */
typedef struct span {
    const weft_local_response_args *args;
    int64_t first, count; /* channels */
} span;

static void square(const float *x, float *squares, int64_t count)
{
    for (int64_t i = 0; i < count; i += LANES)
        vstore(squares + i, vload(x + i) * vload(x + i));
}

static void forward_span(span s, const float *x, float *y)
{
    const weft_local_response_args *args = s.args;
    int64_t reach = args->reach, count = s.count + 2 * reach;
    float seen[ROOM], squares[ROOM];
    load_around(x, args->channels, s.first - reach, count, seen);
    square(seen, squares, count);
    for (int64_t i = 0; i < s.count; i += LANES) {
        vfloat sum = args->k + args->scale * window_sum(squares + i, 2 * reach + 1);
        vfloat result = vload(seen + reach + i) * power(sum, args->beta);
        int64_t left = s.count - i;
        vstore_lanes(y + s.first + i, result, left < LANES ? left : LANES);
    }
}

/* dx = dy s^-beta - 2 beta scale x (sum of dy x s^(-beta - 1) over the window). */
static void gradient_span(span s, const float *dy, const float *x, float *dx)
{
    const weft_local_response_args *args = s.args;
    int64_t reach = args->reach, count = s.count + 2 * reach;
    float seen[ROOM], squares[ROOM], slope[ROOM], direct[ROOM], through[ROOM];
    load_around(x, args->channels, s.first - 2 * reach, count + 2 * reach, seen);
    square(seen, squares, count + 2 * reach);
    load_around(dy, args->channels, s.first - reach, count, slope);
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat sum = args->k + args->scale * window_sum(squares + i, 2 * reach + 1);
        vfloat first = vload(slope + i) * power(sum, args->beta);
        vstore(direct + i, first);
        vstore(through + i, first * vload(seen + reach + i) / sum);
    }
    for (int64_t i = 0; i < s.count; i += LANES) {
        vfloat sum = -2 * args->beta * args->scale * window_sum(through + i, 2 * reach + 1);
        vfloat result = vload(direct + reach + i) + vload(seen + 2 * reach + i) * sum;
        int64_t left = s.count - i;
        vstore_lanes(dx + s.first + i, result, left < LANES ? left : LANES);
    }
}

static void forward(const weft_call *call, int64_t piece)
{
    const weft_local_response_args *args = call->args;
    int64_t row = piece * args->rows_a_piece, end = row + args->rows_a_piece;
    for (; row < end && row < args->rows; row++)
        for (int64_t first = 0; first < args->channels; first += BLOCK) {
            int64_t left = args->channels - first, from = row * args->channels;
            span s = {args, first, left < BLOCK ? left : BLOCK};
            forward_span(s, (const float *)call->operand[0] + from,
                         (float *)call->operand[1] + from);
        }
}

static void gradient(const weft_call *call, int64_t piece)
{
    const weft_local_response_args *args = call->args;
    int64_t row = piece * args->rows_a_piece, end = row + args->rows_a_piece;
    for (; row < end && row < args->rows; row++)
        for (int64_t first = 0; first < args->channels; first += BLOCK) {
            int64_t left = args->channels - first, from = row * args->channels;
            span s = {args, first, left < BLOCK ? left : BLOCK};
            gradient_span(s, (const float *)call->operand[0] + from,
                          (const float *)call->operand[1] + from, (float *)call->operand[2] + from);
        }
}

const weft_local_response_kernels WEFT_FOR_ISA(weft_local_response_table) = {
    .forward = forward,
    .gradient = gradient,
};

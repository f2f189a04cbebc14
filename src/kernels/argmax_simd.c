/* Argmax and argmin: vectors of neighbouring results, or, along contiguous elements, first the extreme and
 * then where it is. */
#include "kernels/argmax.h"
#include "kernels/simd.h"

SIMD_INLINE vint beats(bool least, vfloat candidate, vfloat best)
{
    return (least ? candidate < best : candidate > best) |
           ((candidate != candidate) & (best == best));
}

SIMD_INLINE void search_columns(bool least, const weft_argmax_args *args, int32_t *to,
                                const float *x)
{
    for (int64_t c = 0; c < args->columns; c += LANES) {
        int64_t n = args->columns - c < LANES ? args->columns - c : LANES;
        vfloat best = vload_first(x + c, n);
        vint position = {0};
        for (int64_t i = 1; i < args->searched; i++) {
            vfloat candidate = vload_first(x + i * args->stride + c, n);
            vint better = beats(least, candidate, best);
            best = vselect(better, candidate, best);
            position = (better & ((vint){0} + (int32_t)i)) | (~better & position);
        }
        memcpy(to + c, &position, (size_t)n * sizeof(int32_t));
    }
}

/* True where `candidate` takes the place of `best`. */
SIMD_INLINE bool replaces(bool least, float candidate, float best)
{
    return (least ? candidate < best : candidate > best) ||
           (candidate != candidate && best == best);
}

SIMD_INLINE int32_t search_short(bool least, const float *x, int64_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        best = replaces(least, x[i], x[best]) ? i : best;
    return best;
}

/* First the extreme (NaN if there is one), then where it is. */
SIMD_INLINE int32_t search_long(bool least, const float *x, int64_t n)
{
    vfloat best = vload(x);
    int64_t i = LANES;
    for (; i + LANES <= n; i += LANES) {
        vfloat v = vload(x + i);
        best = vselect(beats(least, v, best), v, best);
    }
    float wanted = best[0];
    for (int lane = 1; lane < LANES; lane++)
        wanted = replaces(least, best[lane], wanted) ? best[lane] : wanted;
    for (; i < n; i++)
        wanted = replaces(least, x[i], wanted) ? x[i] : wanted;
    int32_t position = 0;
    while (wanted == wanted ? x[position] != wanted : x[position] == x[position])
        position++;
    return position;
}

SIMD_INLINE int32_t search_run(bool least, const float *x, int64_t n)
{
    return n < 4 * LANES ? search_short(least, x, n) : search_long(least, x, n);
}

SIMD_INLINE void search(bool least, const weft_call *call, int64_t piece)
{
    const weft_argmax_args *args = call->args;
    int64_t begin = piece * args->outer_a_piece, end = begin + args->outer_a_piece;
    for (int64_t outer = begin; outer < end && outer < args->outer; outer++) {
        const float *x = call->operand[0];
        int32_t *to = call->operand[1];
        int64_t rest = outer;
        for (int i = args->outer_rank - 1; i >= 0; i--) {
            x += rest % args->extent[i] * args->from[i];
            to += rest % args->extent[i] * args->to[i];
            rest /= args->extent[i];
        }
        if (args->columns == 1 && args->stride == 1)
            *to = search_run(least, x, args->searched);
        else
            search_columns(least, args, to, x);
    }
}

static void argmax(const weft_call *call, int64_t piece)
{
    search(false, call, piece);
}

static void argmin(const weft_call *call, int64_t piece)
{
    search(true, call, piece);
}

const weft_argmax_kernels WEFT_FOR_ISA(weft_argmax_table) = {.argmax = argmax, .argmin = argmin};

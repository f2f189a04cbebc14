#include "kernels/update.h"

#include "kernels/simd.h"

/* Full vectors, then the rest of them through the same code. */
static vfloat load(const float *p, int64_t left)
{
    return left >= LANES ? vload(p) : vload_first(p, left);
}

static void store(float *p, vfloat v, int64_t left)
{
    if (left >= LANES)
        vstore(p, v);
    else
        vstore_first(p, v, left);
}

/* The clipped gradient with coupled weight decay. */
typedef struct decayed {
    vfloat scale, decay, keep;
} decayed;

static decayed decayed_of(const weft_update_terms *terms)
{
    return (decayed){vsplat((float)terms->scale), vsplat((float)terms->decay),
                     vsplat((float)terms->keep)};
}

SIMD_INLINE vfloat slope(const decayed *d, vfloat w, vfloat g)
{
    return d->scale * g + d->decay * w;
}

static void sgd(float *w, const float *g, int64_t count, const weft_update_terms *terms)
{
    decayed d = decayed_of(terms);
    vfloat rate = vsplat((float)terms->rate);
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat old = load(w + i, count - i);
        vfloat step = slope(&d, old, load(g + i, count - i));
        store(w + i, d.keep * old - rate * step, count - i);
    }
}

/* With ahead, the step is Nesterov's. */
SIMD_INLINE void with_velocity(float *w, float *v, const float *g, int64_t count,
                               const weft_update_terms *terms, int ahead)
{
    decayed d = decayed_of(terms);
    vfloat rate = vsplat((float)terms->rate), momentum = vsplat((float)terms->momentum);
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat old = load(w + i, count - i);
        vfloat now = slope(&d, old, load(g + i, count - i));
        vfloat velocity = momentum * load(v + i, count - i) + now;
        vfloat step = ahead ? now + momentum * velocity : velocity;
        store(v + i, velocity, count - i);
        store(w + i, d.keep * old - rate * step, count - i);
    }
}

static void momentum_step(float *w, float *v, const float *g, int64_t count,
                          const weft_update_terms *terms)
{
    with_velocity(w, v, g, count, terms, 0);
}

static void nesterov_step(float *w, float *v, const float *g, int64_t count,
                          const weft_update_terms *terms)
{
    with_velocity(w, v, g, count, terms, 1);
}

static void adam(float *w, float *m, float *v, const float *g, int64_t count,
                 const weft_update_terms *terms)
{
    decayed d = decayed_of(terms);
    vfloat rate = vsplat((float)terms->rate), unbias = vsplat((float)terms->unbias);
    vfloat beta1 = vsplat((float)terms->beta1), rest1 = vsplat((float)(1 - terms->beta1));
    vfloat beta2 = vsplat((float)terms->beta2), rest2 = vsplat((float)(1 - terms->beta2));
    vfloat epsilon = vsplat((float)terms->epsilon);
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat old = load(w + i, count - i);
        vfloat now = slope(&d, old, load(g + i, count - i));
        vfloat first = beta1 * load(m + i, count - i) + rest1 * now;
        vfloat second = beta2 * load(v + i, count - i) + rest2 * now * now;
        store(m + i, first, count - i);
        store(v + i, second, count - i);
        vfloat step = first / (vsqrt(second) * unbias + epsilon);
        store(w + i, d.keep * old - rate * step, count - i);
    }
}

static void accumulate(float *sum, const float *g, int64_t count, float factor, float keep)
{
    vfloat times = vsplat(factor), kept = vsplat(keep);
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat now = times * load(g + i, count - i);
        if (keep != 0)
            now += kept * load(sum + i, count - i);
        store(sum + i, now, count - i);
    }
}

static double sum_of_squares(const float *g, int64_t count)
{
    enum { SIDE = 4 };
    vfloat sum[SIDE] = {{0}};
    int64_t i = 0;
    for (; i + SIDE * LANES <= count; i += SIDE * LANES)
        for (int k = 0; k < SIDE; k++) {
            vfloat x = vload(g + i + k * LANES);
            sum[k] += x * x;
        }
    for (; i < count; i += LANES) {
        vfloat x = load(g + i, count - i);
        sum[0] += x * x;
    }
    return vsum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

const weft_update_kernels WEFT_FOR_ISA(weft_update_table) = {
    .sgd = sgd,
    .momentum = momentum_step,
    .nesterov = nesterov_step,
    .adam = adam,
    .accumulate = accumulate,
    .sum_of_squares = sum_of_squares,
};

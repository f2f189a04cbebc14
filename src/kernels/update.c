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

/* ---- Rules: each takes a vector of the variable, of the gradient and of the slots, which it changes,
 * and returns the variable's new elements ---- */

/* The terms in every lane; rest1 and rest2 are 1 - beta1 and 1 - beta2. */
typedef struct lanes {
    vfloat scale, limit, decay, keep, rate, gain, momentum;
    vfloat beta1, rest1, beta2, rest2, inside, epsilon, unbias, trust;
} lanes;

SIMD_INLINE lanes lanes_of(const weft_update_terms *t)
{
    return (lanes){
        .scale = vsplat((float)t->scale),
        .limit = vsplat((float)t->limit),
        .decay = vsplat((float)t->decay),
        .keep = vsplat((float)t->keep),
        .rate = vsplat((float)t->rate),
        .gain = vsplat((float)t->gain),
        .momentum = vsplat((float)t->momentum),
        .beta1 = vsplat((float)t->beta1),
        .rest1 = vsplat((float)(1 - t->beta1)),
        .beta2 = vsplat((float)t->beta2),
        .rest2 = vsplat((float)(1 - t->beta2)),
        .inside = vsplat((float)t->inside),
        .epsilon = vsplat((float)t->epsilon),
        .unbias = vsplat((float)t->unbias),
        .trust = vsplat((float)t->trust),
    };
}

/* The clipped gradient; NaN stays NaN. */
SIMD_INLINE vfloat clipped(const lanes *t, vfloat g)
{
    return vmax(-t->limit, vmin(t->limit, t->scale * g));
}

/* The clipped gradient with coupled weight decay. */
SIMD_INLINE vfloat slope(const lanes *t, vfloat w, vfloat g)
{
    return clipped(t, g) + t->decay * w;
}

SIMD_INLINE vfloat sgd(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    (void)slot;
    return t->keep * w - t->rate * slope(t, w, g);
}

SIMD_INLINE vfloat momentum(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    slot[0] = t->momentum * slot[0] + t->gain * slope(t, w, g);
    return t->keep * w - t->rate * slot[0];
}

SIMD_INLINE vfloat nesterov(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    vfloat now = t->gain * slope(t, w, g);
    slot[0] = t->momentum * slot[0] + now;
    return t->keep * w - t->rate * (now + t->momentum * slot[0]);
}

/* Adds the gradient to the two moments. */
SIMD_INLINE void moments(const lanes *t, vfloat now, vfloat *slot)
{
    slot[0] = t->beta1 * slot[0] + t->rest1 * now;
    slot[1] = t->beta2 * slot[1] + t->rest2 * now * now;
}

/* What the first moment is divided by. */
SIMD_INLINE vfloat spread(const lanes *t, vfloat second)
{
    return vsqrt(second) * t->unbias + t->epsilon;
}

SIMD_INLINE vfloat adam(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    moments(t, slope(t, w, g), slot);
    return t->keep * w - t->rate * (slot[0] / spread(t, slot[1]));
}

SIMD_INLINE vfloat amsgrad(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    moments(t, slope(t, w, g), slot);
    slot[2] = vmax(slot[2], slot[1]);
    return t->keep * w - t->rate * (slot[0] / spread(t, slot[2]));
}

SIMD_INLINE vfloat nadam(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    vfloat now = slope(t, w, g);
    moments(t, now, slot);
    return t->keep * w - (t->rate * slot[0] + t->gain * now) / spread(t, slot[1]);
}

SIMD_INLINE vfloat adagrad(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    vfloat now = slope(t, w, g);
    slot[0] += now * now;
    return t->keep * w - t->rate * (now / (vsqrt(slot[0] + t->inside) + t->epsilon));
}

SIMD_INLINE vfloat adadelta(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    vfloat now = slope(t, w, g);
    slot[0] = t->beta2 * slot[0] + t->rest2 * now * now;
    vfloat step = vsqrt(slot[1] + t->inside) / vsqrt(slot[0] + t->inside) * now;
    slot[1] = t->beta2 * slot[1] + t->rest2 * step * step;
    return t->keep * w - t->rate * step;
}

/* The gradient over the root of its mean square, or of its variance: slot 0 is the mean square, slot 1
 * the mean. Rounding may leave a variance below 0. */
SIMD_INLINE vfloat normalized(const lanes *t, vfloat now, vfloat *slot, int centered)
{
    vfloat square = slot[0] = t->beta2 * slot[0] + t->rest2 * now * now;
    if (centered) {
        slot[1] = t->beta2 * slot[1] + t->rest2 * now;
        square = vmax(square - slot[1] * slot[1], vsplat(0));
    }
    return now / (vsqrt(square + t->inside) + t->epsilon);
}

SIMD_INLINE vfloat rmsprop(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    return t->keep * w - t->rate * normalized(t, slope(t, w, g), slot, 0);
}

SIMD_INLINE vfloat rmsprop_momentum(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    slot[1] = t->momentum * slot[1] + t->gain * normalized(t, slope(t, w, g), slot, 0);
    return t->keep * w - t->rate * slot[1];
}

SIMD_INLINE vfloat rmsprop_centered(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    return t->keep * w - t->rate * normalized(t, slope(t, w, g), slot, 1);
}

SIMD_INLINE vfloat rmsprop_centered_momentum(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    slot[2] = t->momentum * slot[2] + t->gain * normalized(t, slope(t, w, g), slot, 1);
    return t->keep * w - t->rate * slot[2];
}

/* Adam's step with weight decay, from moments that measuring has brought up to date. */
SIMD_INLINE vfloat lamb_step(const lanes *t, vfloat w, const vfloat *slot)
{
    return t->gain * slot[0] / spread(t, slot[1]) + t->decay * w;
}

SIMD_INLINE vfloat lamb(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    (void)g;
    return t->keep * w - t->rate * t->trust * lamb_step(t, w, slot);
}

SIMD_INLINE vfloat lars(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    slot[0] = t->momentum * slot[0] + t->gain * t->trust * slope(t, w, g);
    return t->keep * w - t->rate * slot[0];
}

SIMD_INLINE vfloat lion(const lanes *t, vfloat w, vfloat g, vfloat *slot)
{
    vfloat now = slope(t, w, g), mix = t->beta1 * slot[0] + t->rest1 * now;
    slot[0] = t->beta2 * slot[0] + t->rest2 * now;
    vfloat sign = vselect(mix > 0, vsplat(1), vselect(mix < 0, vsplat(-1), mix));
    return t->keep * w - t->rate * sign;
}

/* ---- Over arrays ---- */

typedef vfloat update_rule(const lanes *t, vfloat w, vfloat g, vfloat *slot);

SIMD_INLINE void apply(update_rule *rule, int slots, int stored, float *w, float *const *slot,
                       const float *g, int64_t count, const weft_update_terms *terms)
{
    lanes t = lanes_of(terms);
    float *array[WEFT_UPDATE_SLOTS];
    vfloat s[WEFT_UPDATE_SLOTS];
    for (int k = 0; k < slots; k++)
        array[k] = slot[k];
    for (int64_t i = 0; i < count; i += LANES) {
        for (int k = 0; k < slots; k++)
            s[k] = load(array[k] + i, count - i);
        vfloat now = rule(&t, load(w + i, count - i), load(g + i, count - i), s);
        for (int k = 0; k < stored; k++)
            store(array[k] + i, s[k], count - i);
        store(w + i, now, count - i);
    }
}

/* LAMB's slots have been stored by measuring. */
#define APPLY(NAME, name, slots, flops)                                                            \
    static void name##_apply(float *w, float *const *slot, const float *g, int64_t count,          \
                             const weft_update_terms *terms)                                       \
    {                                                                                              \
        apply(name, slots, WEFT_UPDATE_##NAME == WEFT_UPDATE_LAMB ? 0 : (slots), w, slot, g,       \
              count, terms);                                                                       \
    }
WEFT_UPDATE_TABLE(APPLY)

/* Brings the moments up to date; squares of what is left of the variable and of its step. Past the end
 * all of them are 0. */
static void lamb_measure(float *w, float *const *slot, const float *g, int64_t count,
                         const weft_update_terms *terms, double sum[2])
{
    lanes t = lanes_of(terms);
    vfloat weights = {0}, steps = {0};
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat s[2] = {load(slot[0] + i, count - i), load(slot[1] + i, count - i)};
        vfloat old = load(w + i, count - i), kept = t.keep * old;
        moments(&t, clipped(&t, load(g + i, count - i)), s);
        vfloat step = lamb_step(&t, old, s);
        if (count - i < LANES) /* past the end it may be 0 / 0 */
            step = vkeep_first(step, count - i, 0);
        store(slot[0] + i, s[0], count - i);
        store(slot[1] + i, s[1], count - i);
        weights += kept * kept;
        steps += step * step;
    }
    sum[0] += (double)vsum(weights);
    sum[1] += (double)vsum(steps);
}

/* Squares of what is left of the variable and of the gradient. */
static void lars_measure(float *w, float *const *slot, const float *g, int64_t count,
                         const weft_update_terms *terms, double sum[2])
{
    (void)slot;
    lanes t = lanes_of(terms);
    vfloat weights = {0}, slopes = {0};
    for (int64_t i = 0; i < count; i += LANES) {
        vfloat kept = t.keep * load(w + i, count - i);
        vfloat now = clipped(&t, load(g + i, count - i));
        weights += kept * kept;
        slopes += now * now;
    }
    sum[0] += (double)vsum(weights);
    sum[1] += (double)vsum(slopes);
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

#define ROW(NAME, name, slots, flops) [WEFT_UPDATE_##NAME] = name##_apply,
const weft_update_kernels WEFT_FOR_ISA(weft_update_table) = {
    .apply = {WEFT_UPDATE_TABLE(ROW)},
    .measure = {[WEFT_UPDATE_LAMB] = lamb_measure, [WEFT_UPDATE_LARS] = lars_measure},
    .accumulate = accumulate,
    .sum_of_squares = sum_of_squares,
};

#include "ops/resample.h"

#include "kernels/integer.h"
#include "ops/copying.h"
#include "ops/pool_geometry.h"

#include <string.h>

WEFT_ISA_DEFINE(weft_resample_kernels, weft_resample_table)

bool weft_resample_infer_image(const weft_infer *infer, int input, const char *what)
{
    weft_shape x = infer->shape[input];
    char text[120];
    weft_shape_text(x, text, sizeof(text));
    if (x.rank < 3 || x.rank > 5)
        return weft_infer_fail(infer, "%s %s has rank %d, expected 3 to 5: N, spatial, C", what,
                               text, x.rank);
    for (int d = 1; d < x.rank; d++)
        if (x.extent[d] < 1)
            return weft_infer_fail(infer, "%s %s: only the batch may be open", what, text);
    return weft_infer_real(infer, input, what);
}

/* ---- Float64 ---- */

/* Visits each pair of an element of y and one of x that is in its sum. */
typedef void visit_fn(const weft_tensor *x, int64_t x_offset, const weft_tensor *y,
                      int64_t y_offset, double weight);

static void each_pair(const void *attributes, weft_tap_rule *rule, const weft_tensor *x,
                      const weft_tensor *y, visit_fn *visit)
{
    int spatial = y->rank - 2;
    for (int64_t i = 0, n = weft_tensor_elements(y); i < n; i++) {
        int64_t to[WEFT_MAX_RANK], from[WEFT_MAX_RANK], combinations = 1;
        weft_taps taps[3];
        weft_unravel(y, i, to);
        from[0] = to[0];
        from[spatial + 1] = to[spatial + 1];
        for (int d = 0; d < spatial; d++) {
            taps[d] = rule(attributes, d, x->extent[d + 1], y->extent[d + 1], to[d + 1]);
            combinations *= taps[d].count;
        }
        for (int64_t k = 0; k < combinations; k++) {
            double weight = 1;
            int64_t rest = k;
            for (int d = spatial - 1; d >= 0; d--) {
                int64_t tap = rest % taps[d].count;
                rest /= taps[d].count;
                from[d + 1] = taps[d].index[tap];
                weight *= taps[d].weight[tap];
            }
            visit(x, weft_offset_at(x, from), y, weft_tensor_offset(y, i), weight);
        }
    }
}

static void take(const weft_tensor *x, int64_t x_offset, const weft_tensor *y, int64_t y_offset,
                 double weight)
{
    ((double *)y->data)[y_offset] += weight * ((const double *)x->data)[x_offset];
}

static void give(const weft_tensor *x, int64_t x_offset, const weft_tensor *y, int64_t y_offset,
                 double weight)
{
    ((double *)x->data)[x_offset] += weight * ((const double *)y->data)[y_offset];
}

void weft_resample_f64(const weft_operands *operands, weft_tap_rule *rule)
{
    weft_clear_f64(&operands->output[0]);
    each_pair(operands->attributes, rule, &operands->input[0], &operands->output[0], take);
}

void weft_resample_adjoint_f64(const weft_operands *operands, weft_tap_rule *rule)
{
    weft_clear_f64(&operands->output[0]);
    each_pair(operands->attributes, rule, &operands->output[0], &operands->input[0], give);
}

/* ---- Float32 ---- */

/* Extents along spatial dimension `axis` of three, from the outermost; 1 where there is none. */
static int64_t extent_of(const weft_tensor *tensor, int axis)
{
    int dimension = weft_pool_dimension(tensor->rank, axis);
    return dimension ? tensor->extent[dimension] : 1;
}

/* The rule of one dimension, between x and y; where there is no dimension, what keeps the pixel. */
typedef struct axis_rule {
    const void *attributes;
    weft_tap_rule *rule; /* NULL: none */
    int axis;
    int64_t from, to; /* extents of x and y of the forward op */
} axis_rule;

static weft_taps taps_of(const axis_rule *axis, int64_t position)
{
    if (!axis->rule)
        return (weft_taps){.count = 1, .weight = {1}};
    return axis->rule(axis->attributes, axis->axis, axis->from, axis->to, position);
}

static int64_t count_taps(const axis_rule *axis)
{
    int64_t count = 0;
    for (int64_t i = 0; i < axis->to; i++)
        count += taps_of(axis, i).count;
    return count;
}

/* Row by row of the matrix. */
static void fill_rows(const axis_rule *axis, int64_t *first, weft_tap *tap)
{
    int64_t count = 0;
    for (int64_t i = 0; i < axis->to; i++) {
        weft_taps taps = taps_of(axis, i);
        first[i] = count;
        for (int t = 0; t < taps.count; t++)
            tap[count++] = (weft_tap){taps.index[t], (float)taps.weight[t]};
    }
    first[axis->to] = count;
}

/* Column by column: columns are counted, then filled, which moves each one's beginning to its end. */
static void fill_columns(const axis_rule *axis, int64_t *first, weft_tap *tap)
{
    memset(first, 0, (size_t)(axis->from + 1) * sizeof(*first));
    for (int64_t i = 0; i < axis->to; i++) {
        weft_taps taps = taps_of(axis, i);
        for (int t = 0; t < taps.count; t++)
            first[taps.index[t] + 1]++;
    }
    for (int64_t i = 0; i < axis->from; i++)
        first[i + 1] += first[i];
    for (int64_t i = 0; i < axis->to; i++) {
        weft_taps taps = taps_of(axis, i);
        for (int t = 0; t < taps.count; t++)
            tap[first[taps.index[t]]++] = (weft_tap){i, (float)taps.weight[t]};
    }
    for (int64_t i = axis->from; i > 0; i--)
        first[i] = first[i - 1];
    first[0] = 0;
}

static bool bind_axes(weft_bind *bind, weft_tap_rule *rule, bool adjoint)
{
    enum { PIECE_ELEMENTS = 65536 };
    const weft_tensor *in = &bind->input[0], *out = &bind->output[0];
    const weft_tensor *x = adjoint ? out : in, *y = adjoint ? in : out;
    axis_rule axis[3];
    int64_t taps[3], numbers = 0, all_taps = 0, pixels = out->extent[0], work = 1;
    for (int i = 0; i < 3; i++) {
        int own = i - 3 + out->rank - 2;
        axis[i] = (axis_rule){bind->attributes, own >= 0 ? rule : NULL, own, extent_of(x, i),
                              extent_of(y, i)};
        taps[i] = count_taps(&axis[i]);
        numbers += extent_of(out, i) + 1;
        all_taps += taps[i];
        pixels *= extent_of(out, i);
        work *= weft_ceiling(taps[i], extent_of(out, i));
    }
    weft_resample_args *args =
        weft_bind_args(bind, sizeof(*args) + (size_t)numbers * sizeof(int64_t) +
                                 (size_t)all_taps * sizeof(weft_tap));
    if (!args)
        return false;
    *args = (weft_resample_args){.images = out->extent[0],
                                 .channels = out->extent[out->rank - 1],
                                 .in = weft_pool_steps_of(in),
                                 .out = weft_pool_steps_of(out),
                                 .to = bind->inputs};
    int64_t *first = (int64_t *)(args + 1);
    weft_tap *tap = (weft_tap *)(first + numbers);
    for (int i = 0; i < 3; i++) {
        args->axis[i] = (weft_resample_axis){extent_of(out, i), (char *)first - (char *)args,
                                             (char *)tap - (char *)args};
        (adjoint ? fill_columns : fill_rows)(&axis[i], first, tap);
        first += extent_of(out, i) + 1;
        tap += taps[i];
    }
    args->piece_pixels = weft_most(PIECE_ELEMENTS / (args->channels * work), 1);
    weft_bind_phase(bind, weft_resample_table()->run, weft_ceiling(pixels, args->piece_pixels));
    return true;
}

bool weft_resample_bind(weft_bind *bind, weft_tap_rule *rule)
{
    return bind_axes(bind, rule, false);
}

bool weft_resample_adjoint_bind(weft_bind *bind, weft_tap_rule *rule)
{
    return bind_axes(bind, rule, true);
}

/* Cross-entropy of softmax(logits) and a class for each example. */
#include "ops/axes.h"
#include "ops/loss.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/softmax.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

#include <math.h>

enum { LOGITS, LABELS, DLOSS };

static weft_value gradient_of(weft_value logits, weft_value labels, weft_value dloss)
{
    return weft_apply(logits.graph, &weft_sparse_cross_entropy_gradient_op, NULL, 0, NULL,
                      (weft_value[]){logits, labels, dloss}, 3, NULL, 1);
}

static weft_value fused(weft_value logits, weft_value labels, const weft_loss_options *o)
{
    weft_value l = weft_apply(logits.graph, &weft_sparse_cross_entropy_op, NULL, 0,
                              weft_loss_name(o), (weft_value[]){logits, labels}, 2, NULL, 1);
    return o->focal != 0 ? weft_multiply(l, weft_focal_factor(weft_others_of(l), o->focal)) : l;
}

/* By way of targets for all classes. */
static weft_value spread(weft_value x, weft_value labels, const weft_loss_options *o)
{
    weft_value t = weft_one_hot(labels, &(weft_one_hot_options){.depth = weft_channels(x)});
    t = weft_smooth_labels(t, o->label_smoothing, (double)weft_channels(x));
    return weft_class_losses(x, weft_loss_weigh_classes(t, o), o);
}

weft_value weft_sparse_cross_entropy(weft_value logits, weft_value labels,
                                     const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("sparse_cross_entropy", logits,
                              WEFT_LOSS_PROBABILITIES | WEFT_LOSS_LEAST | WEFT_LOSS_SMOOTHING |
                                  WEFT_LOSS_CLASS_WEIGHTS | WEFT_LOSS_IGNORE | WEFT_LOSS_FOCAL,
                              options, &o))
        return weft_null(logits.graph);
    bool weighted = !weft_is_null(o.class_weights);
    bool spreads = o.probabilities || o.label_smoothing != 0;
    if (!weighted && !spreads && !o.ignore)
        return weft_loss_reduce(fused(logits, labels, &o), &o);
    weft_known_labels known = weft_know_labels(labels, logits, &o);
    weft_loss_parts parts = {.losses = spreads ? spread(logits, known.labels, &o)
                                               : fused(logits, known.labels, &o),
                             .factor = spreads ? known.counted : known.weights,
                             .counted = o.ignore ? known.counted : weft_null(logits.graph),
                             .weight = known.weights};
    return weft_loss_finish(&parts, &o);
}

static bool check(const weft_infer *infer)
{
    const weft_shape *logits = &infer->shape[LOGITS], *labels = &infer->shape[LABELS];
    char a[120], b[120];
    if (!weft_infer_real(infer, LOGITS, "logits"))
        return false;
    if (infer->dtype[LABELS] != WEFT_INT32)
        return weft_infer_fail(infer, "labels must be int32, not %s",
                               weft_dtype_name(infer->dtype[LABELS]));
    if (logits->rank < 1 || !weft_shape_equal(*labels, weft_shape_without_classes(*logits)))
        return weft_infer_fail(infer,
                               "logits %s need labels of that shape without the last extent, "
                               "not %s",
                               weft_shape_text(*logits, a, sizeof(a)),
                               weft_shape_text(*labels, b, sizeof(b)));
    return true;
}

static int32_t label_of(const weft_operands *operands, int64_t row)
{
    const weft_tensor *labels = &operands->input[LABELS];
    return ((const int32_t *)labels->data)[weft_tensor_offset(labels, row)];
}

/* ---- Loss ---- */

static bool infer(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[LABELS];
    return check(infer);
}

static void gradient(weft_gradient_call *call)
{
    call->input_gradient[LOGITS] =
        gradient_of(call->input[LOGITS], call->input[LABELS], call->output_gradient[0]);
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *loss = &operands->output[0];
    weft_softmax_args all = weft_softmax_rows(&operands->input[LOGITS]);
    for (int64_t row = 0; row < all.rows; row++) {
        const double *x = weft_row_f64(&operands->input[LOGITS], row);
        int32_t label = label_of(operands, row);
        bool known = label >= 0 && label < all.classes;
        ((double *)loss->data)[weft_tensor_offset(loss, row)] =
            known ? weft_log_sum_exp_f64(x, all.classes) - x[label] : NAN;
    }
}

static bool bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->sparse_cross_entropy);
}

static bool sample_inputs(weft_sampler *sampler, int index, weft_value *input)
{
    weft_shape shape;
    if (!weft_sample_classes(sampler, index, &shape, &input[LOGITS]))
        return false;
    input[LABELS] = weft_sampler_labels(sampler, weft_shape_without_classes(shape),
                                        (int32_t)shape.extent[shape.rank - 1]);
    input[DLOSS] =
        weft_sampler_input(sampler, weft_shape_without_classes(shape), WEFT_SAMPLE_NORMAL);
    return true;
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_loss_options options[] = {{.reduction = WEFT_LOSS_NONE},
                                                {.reduction = WEFT_LOSS_SUM, .focal = 1.5},
                                                {.name = "loss", .label_smoothing = 0.25},
                                                {.ignore = true, .ignored_label = 1}};
    weft_value input[3];
    if (!sample_inputs(sampler, index, input))
        return false;
    weft_sampler_output(
        sampler, weft_sparse_cross_entropy(input[LOGITS], input[LABELS], &options[index % 4]));
    return true;
}

const weft_op weft_sparse_cross_entropy_op = {
    .name = "sparse_cross_entropy",
    .summary = "log(sum over k of exp(x[k])) - x[label]; NaN where there is no such class",
    .shapes = "x [..,classes], label [..] int32 -> [..]",
    .source = "Bridle 1990",

    .family = WEFT_FAMILY_LOSS,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .cost = weft_softmax_cost,
    .sample = sample,
};

/* ---- Its gradient, g = (softmax(x) - onehot(label)) dloss ---- */

static bool infer_gradient(weft_infer *infer)
{
    infer->out_shape[0] = infer->shape[LOGITS];
    if (!check(infer) || !weft_infer_real(infer, DLOSS, "gradient"))
        return false;
    return weft_shape_equal(infer->shape[DLOSS], infer->shape[LABELS]) ||
           weft_infer_fail(infer, "gradient and labels differ in shape");
}

/* For the gradient u of g, each example on its own: with respect to the logits it is dloss times the
 * gradient of softmax applied to u; with respect to dloss it is <u, g / dloss>. */
static void gradient_gradient(weft_gradient_call *call)
{
    weft_value x = call->input[LOGITS], labels = call->input[LABELS];
    weft_value dloss = call->input[DLOSS], u = call->output_gradient[0];
    if (call->wanted[LOGITS])
        call->input_gradient[LOGITS] =
            weft_multiply(weft_softmax_gradient(weft_softmax(x), u), weft_over_classes(dloss));
    if (call->wanted[DLOSS])
        call->input_gradient[DLOSS] = weft_sum_classes(
            weft_multiply(u, gradient_of(x, labels, weft_fill_like(dloss, 1))), false);
}

static void gradient_f64(const weft_operands *operands)
{
    const weft_tensor *dloss = &operands->input[DLOSS];
    weft_softmax_args all = weft_softmax_rows(&operands->input[LOGITS]);
    for (int64_t row = 0; row < all.rows; row++) {
        const double *x = weft_row_f64(&operands->input[LOGITS], row);
        double *g = weft_row_f64(&operands->output[0], row);
        double scale = ((const double *)dloss->data)[weft_tensor_offset(dloss, row)];
        int32_t label = label_of(operands, row);
        bool known = label >= 0 && label < all.classes;
        weft_softmax_row_f64(x, all.classes, g);
        for (int64_t k = 0; k < all.classes; k++)
            g[k] = known ? (g[k] - (k == label)) * scale : NAN;
    }
}

static bool gradient_bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->sparse_cross_entropy_gradient);
}

static bool gradient_sample(weft_sampler *sampler, int index)
{
    weft_value input[3];
    if (!sample_inputs(sampler, index, input))
        return false;
    weft_sampler_output(sampler, gradient_of(input[LOGITS], input[LABELS], input[DLOSS]));
    return true;
}

const weft_op weft_sparse_cross_entropy_gradient_op = {
    .name = "sparse_cross_entropy_gradient",
    .summary = "(softmax(x) - onehot(label)) dy",
    .shapes = "x [..,classes], label [..] int32, dy [..] -> [..,classes]",
    .source = "chain rule of sparse_cross_entropy",

    .family = WEFT_FAMILY_LOSS,
    .min_inputs = 3,
    .max_inputs = 3,
    .outputs = 1,
    .in_place = WEFT_INPUT(LOGITS),
    .infer = infer_gradient,
    .gradient = gradient_gradient,
    .run_f64 = gradient_f64,
    .bind = gradient_bind,
    .cost = weft_softmax_cost,
    .sample = gradient_sample,
};

/* Cross-entropy of softmax(logits) and a distribution for each example. */
#include "ops/axes.h"
#include "ops/loss.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/softmax.h"
#include "weft/arithmetic.h"
#include "weft/reduction.h"

enum { LOGITS, TARGETS, DLOSS };

static weft_value gradient_of(weft_value logits, weft_value targets, weft_value dloss)
{
    return weft_apply(logits.graph, &weft_cross_entropy_gradient_op, NULL, 0, NULL,
                      (weft_value[]){logits, targets, dloss}, 3, NULL, 1);
}

weft_value weft_class_losses(weft_value x, weft_value targets, const weft_loss_options *options)
{
    if (!options->probabilities && options->focal == 0)
        return weft_apply(x.graph, &weft_cross_entropy_op, NULL, 0, weft_loss_name(options),
                          (weft_value[]){x, targets}, 2, NULL, 1);
    weft_value l =
        options->probabilities ? weft_negative_log(x, options) : weft_negative_log_softmax(x);
    weft_value terms = weft_multiply(targets, l);
    if (options->focal != 0)
        terms = weft_multiply(terms, weft_focal_factor(weft_others_of(l), options->focal));
    return weft_sum_classes(terms, false);
}

weft_value weft_cross_entropy(weft_value logits, weft_value targets,
                              const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("cross_entropy", logits,
                              WEFT_LOSS_PROBABILITIES | WEFT_LOSS_LEAST | WEFT_LOSS_SMOOTHING |
                                  WEFT_LOSS_CLASS_WEIGHTS | WEFT_LOSS_FOCAL,
                              options, &o) ||
        !weft_loss_same_shape("cross_entropy", logits, targets))
        return weft_null(logits.graph);
    targets = weft_smooth_labels(targets, o.label_smoothing, (double)weft_channels(logits));
    targets = weft_loss_weigh_classes(targets, &o);
    return weft_loss_reduce(weft_class_losses(logits, targets, &o), &o);
}

static bool check(const weft_infer *infer)
{
    const weft_shape *logits = &infer->shape[LOGITS], *targets = &infer->shape[TARGETS];
    char a[120], b[120];
    if (!weft_infer_real(infer, LOGITS, "logits") || !weft_infer_real(infer, TARGETS, "targets"))
        return false;
    if (logits->rank < 1 || !weft_shape_equal(*logits, *targets))
        return weft_infer_fail(infer, "logits %s and targets %s need one shape with classes",
                               weft_shape_text(*logits, a, sizeof(a)),
                               weft_shape_text(*targets, b, sizeof(b)));
    return true;
}

/* ---- Loss ---- */

static bool infer(weft_infer *infer)
{
    if (!check(infer))
        return false;
    infer->out_shape[0] = weft_shape_without_classes(infer->shape[LOGITS]);
    return true;
}

static void gradient(weft_gradient_call *call)
{
    weft_value x = call->input[LOGITS], dloss = call->output_gradient[0];
    if (call->wanted[LOGITS])
        call->input_gradient[LOGITS] = gradient_of(x, call->input[TARGETS], dloss);
    if (call->wanted[TARGETS])
        call->input_gradient[TARGETS] =
            weft_multiply(weft_negative_log_softmax(x), weft_over_classes(dloss));
}

static void run_f64(const weft_operands *operands)
{
    const weft_tensor *loss = &operands->output[0];
    weft_softmax_args all = weft_softmax_rows(&operands->input[LOGITS]);
    for (int64_t row = 0; row < all.rows; row++) {
        const double *x = weft_row_f64(&operands->input[LOGITS], row);
        const double *t = weft_row_f64(&operands->input[TARGETS], row);
        double logarithm = weft_log_sum_exp_f64(x, all.classes), sum = 0;
        for (int64_t k = 0; k < all.classes; k++)
            sum += t[k] * (logarithm - x[k]);
        ((double *)loss->data)[weft_tensor_offset(loss, row)] = sum;
    }
}

static bool bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->cross_entropy);
}

static bool sample_inputs(weft_sampler *sampler, int index, weft_value *input)
{
    weft_shape shape;
    if (!weft_sample_classes(sampler, index, &shape, &input[LOGITS]))
        return false;
    input[TARGETS] = weft_sampler_input(sampler, shape, WEFT_SAMPLE_UNIT);
    input[DLOSS] =
        weft_sampler_input(sampler, weft_shape_without_classes(shape), WEFT_SAMPLE_NORMAL);
    return true;
}

static bool sample(weft_sampler *sampler, int index)
{
    static const weft_loss_options options[] = {
        {.reduction = WEFT_LOSS_NONE, .label_smoothing = 0.25},
        {.reduction = WEFT_LOSS_SUM, .focal = 2},
        {.name = "loss"}};
    weft_value input[3];
    if (!sample_inputs(sampler, index, input))
        return false;
    weft_sampler_output(sampler,
                        weft_cross_entropy(input[LOGITS], input[TARGETS], &options[index % 3]));
    return true;
}

const weft_op weft_cross_entropy_op = {
    .name = "cross_entropy",
    .summary = "sum over k of target[k] (log(sum over j of exp(x[j])) - x[k])",
    .shapes = "x [..,classes], target [..,classes] -> [..]",
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

/* ---- Its gradient with respect to the logits, g = (softmax(x) sum(t) - t) dloss ---- */

static bool infer_gradient(weft_infer *infer)
{
    if (!check(infer) || !weft_infer_real(infer, DLOSS, "gradient"))
        return false;
    infer->out_shape[0] = infer->shape[LOGITS];
    return weft_shape_equal(infer->shape[DLOSS],
                            weft_shape_without_classes(infer->shape[LOGITS])) ||
           weft_infer_fail(infer, "the gradient has not the shape of the loss");
}

/* For the gradient u of g, each example on its own, p = softmax(x): with respect to x it is
 * dloss sum(t) times the gradient of softmax applied to u; with respect to t, dloss (<u, p> - u); with
 * respect to dloss, <u, g / dloss>. */
static void gradient_gradient(weft_gradient_call *call)
{
    weft_value x = call->input[LOGITS], t = call->input[TARGETS], dloss = call->input[DLOSS];
    weft_value u = call->output_gradient[0], p = weft_softmax(x);
    weft_value scale = weft_over_classes(dloss);
    if (call->wanted[LOGITS])
        call->input_gradient[LOGITS] = weft_multiply(
            weft_softmax_gradient(p, u), weft_multiply(scale, weft_sum_classes(t, true)));
    if (call->wanted[TARGETS])
        call->input_gradient[TARGETS] =
            weft_multiply(weft_subtract(weft_sum_classes(weft_multiply(u, p), true), u), scale);
    if (call->wanted[DLOSS])
        call->input_gradient[DLOSS] =
            weft_sum_classes(weft_multiply(u, gradient_of(x, t, weft_fill_like(dloss, 1))), false);
}

static void gradient_f64(const weft_operands *operands)
{
    const weft_tensor *dloss = &operands->input[DLOSS];
    weft_softmax_args all = weft_softmax_rows(&operands->input[LOGITS]);
    for (int64_t row = 0; row < all.rows; row++) {
        const double *x = weft_row_f64(&operands->input[LOGITS], row);
        const double *t = weft_row_f64(&operands->input[TARGETS], row);
        double *g = weft_row_f64(&operands->output[0], row);
        double scale = ((const double *)dloss->data)[weft_tensor_offset(dloss, row)];
        double sum = 0;
        weft_softmax_row_f64(x, all.classes, g);
        for (int64_t k = 0; k < all.classes; k++)
            sum += t[k];
        for (int64_t k = 0; k < all.classes; k++)
            g[k] = (g[k] * sum - t[k]) * scale;
    }
}

static bool gradient_bind(weft_bind *bind)
{
    return weft_softmax_bind(bind, weft_softmax_table()->cross_entropy_gradient);
}

static bool gradient_sample(weft_sampler *sampler, int index)
{
    weft_value input[3];
    if (!sample_inputs(sampler, index, input))
        return false;
    weft_sampler_output(sampler, gradient_of(input[LOGITS], input[TARGETS], input[DLOSS]));
    return true;
}

const weft_op weft_cross_entropy_gradient_op = {
    .name = "cross_entropy_gradient",
    .summary = "(softmax(x) sum(target) - target) dy",
    .shapes = "x [..,classes], target [..,classes], dy [..] -> [..,classes]",
    .source = "chain rule of cross_entropy",

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

/* What options of losses make of labels: those that are ignored become 0, count 0 and weigh 0; the others count 1 and
 * have the weight of their class, or NaN both where there is no such class. */
#include "kernels/integer.h"
#include "ops/loss.h"
#include "ops/ops.h"
#include "ops/rules.h"
#include "ops/softmax.h"
#include "weft/arithmetic.h"
#include "weft/array.h"

#include <math.h>
#include <string.h>

typedef struct attributes {
    int32_t ignore; /* as a truth value */
    int32_t ignored_label;
} attributes;

enum { LABELS, LIKE, CLASS_WEIGHTS };
enum { KNOWN, COUNTED, WEIGHTS }; /* weights only of classes that have some */

static bool infer(weft_infer *infer)
{
    const weft_shape *labels = &infer->shape[LABELS], *like = &infer->shape[LIKE];
    char a[120], b[120];
    for (int i = 0; i < infer->outputs; i++)
        infer->out_shape[i] = *labels;
    infer->out_dtype[KNOWN] = WEFT_INT32;
    if (infer->outputs != (infer->inputs > CLASS_WEIGHTS ? 3 : 2))
        return weft_infer_fail(infer, "has two outputs, three with class weights, not %d",
                               infer->outputs);
    if (infer->dtype[LABELS] != WEFT_INT32)
        return weft_infer_fail(infer, "labels must be int32, not %s",
                               weft_dtype_name(infer->dtype[LABELS]));
    if (like->rank < 1 || !weft_shape_equal(*labels, weft_shape_without_classes(*like)))
        return weft_infer_fail(
            infer, "logits %s need labels of that shape without the last extent, not %s",
            weft_shape_text(*like, a, sizeof(a)), weft_shape_text(*labels, b, sizeof(b)));
    if (infer->inputs <= CLASS_WEIGHTS)
        return true;
    const weft_shape *weights = &infer->shape[CLASS_WEIGHTS];
    return weft_infer_real(infer, CLASS_WEIGHTS, "class weights") &&
           ((weights->rank == 1 && weights->extent[0] == like->extent[like->rank - 1]) ||
            weft_infer_fail(infer, "class weights are %s for %lld classes",
                            weft_shape_text(*weights, a, sizeof(a)),
                            (long long)like->extent[like->rank - 1]));
}

static void run_f64(const weft_operands *operands)
{
    const attributes *a = operands->attributes;
    const weft_tensor *x = operands->input, *y = operands->output;
    int64_t classes = x[LIKE].extent[x[LIKE].rank - 1];
    for (int64_t i = 0, n = weft_tensor_elements(&x[LABELS]); i < n; i++) {
        int32_t label = ((const int32_t *)x[LABELS].data)[weft_tensor_offset(&x[LABELS], i)];
        bool ignored = a->ignore && label == a->ignored_label;
        double counted = ignored ? 0 : label >= 0 && label < classes ? 1 : NAN;
        ((int32_t *)y[KNOWN].data)[weft_tensor_offset(&y[KNOWN], i)] = ignored ? 0 : label;
        ((double *)y[COUNTED].data)[weft_tensor_offset(&y[COUNTED], i)] = counted;
        if (operands->outputs > WEIGHTS)
            ((double *)y[WEIGHTS].data)[weft_tensor_offset(&y[WEIGHTS], i)] =
                counted == 1 ? ((const double *)x[CLASS_WEIGHTS]
                                    .data)[weft_tensor_offset(&x[CLASS_WEIGHTS], label)]
                             : counted;
    }
}

/* ---- Float32 form ---- */

enum { LABEL_PIECE = 1 << 14 };

typedef struct label_args {
    attributes attributes;
    int64_t count;
    int32_t classes, inputs;
} label_args;

static void label_piece(const weft_call *call, int64_t piece)
{
    const label_args *args = call->args;
    const int32_t *labels = call->operand[LABELS];
    const float *of_class = args->inputs > CLASS_WEIGHTS ? call->operand[CLASS_WEIGHTS] : NULL;
    int32_t *known = call->operand[args->inputs + KNOWN];
    float *counted = call->operand[args->inputs + COUNTED];
    float *weights = of_class ? call->operand[args->inputs + WEIGHTS] : NULL;
    int64_t end = weft_least((piece + 1) * LABEL_PIECE, args->count);
    for (int64_t i = piece * LABEL_PIECE; i < end; i++) {
        int32_t label = labels[i];
        bool ignored = args->attributes.ignore && label == args->attributes.ignored_label;
        bool exists = label >= 0 && label < args->classes;
        known[i] = ignored ? 0 : label;
        counted[i] = ignored ? 0 : exists ? 1 : NAN;
        if (weights)
            weights[i] = !ignored && exists ? of_class[label] : counted[i];
    }
}

static bool bind(weft_bind *bind)
{
    label_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    const weft_tensor *like = &bind->input[LIKE];
    memcpy(&args->attributes, bind->attributes, sizeof(args->attributes));
    args->count = weft_tensor_elements(&bind->input[LABELS]);
    args->classes = (int32_t)like->extent[like->rank - 1];
    args->inputs = bind->inputs;
    weft_bind_phase(bind, label_piece, weft_ceiling(args->count, LABEL_PIECE));
    return true;
}

/* Of the class weights alone: each is taken as often as its label. */
static void gradient(weft_gradient_call *call)
{
    if (call->inputs <= CLASS_WEIGHTS || weft_is_null(call->output_gradient[WEIGHTS]))
        return;
    weft_value taken = weft_multiply(call->output_gradient[WEIGHTS], call->output[COUNTED]);
    call->input_gradient[CLASS_WEIGHTS] =
        weft_scatter_add_like(taken, call->output[KNOWN], call->input[CLASS_WEIGHTS], 0);
}

weft_known_labels weft_know_labels(weft_value labels, weft_value logits,
                                   const weft_loss_options *options)
{
    attributes a = {.ignore = options->ignore, .ignored_label = options->ignored_label};
    int weighted = !weft_is_null(options->class_weights);
    weft_value output[3];
    weft_apply(labels.graph, &weft_label_weights_op, &a, sizeof(a), NULL,
               (weft_value[]){labels, logits, options->class_weights}, 2 + weighted, output,
               2 + weighted);
    return (weft_known_labels){output[KNOWN], output[COUNTED],
                               output[weighted ? WEIGHTS : COUNTED]};
}

static bool sample(weft_sampler *sampler, int index)
{
    weft_shape shape;
    weft_value logits;
    if (index >= 4 || !weft_sample_classes(sampler, index, &shape, &logits))
        return false;
    int32_t classes = (int32_t)shape.extent[shape.rank - 1];
    weft_value labels = weft_sampler_labels(sampler, weft_shape_without_classes(shape), classes);
    weft_loss_options options = {.ignore = index & 2,
                                 .ignored_label = classes > 1 ? classes / 2 : 7};
    if (index & 1)
        options.class_weights =
            weft_sampler_input(sampler, weft_shape_of(classes), WEFT_SAMPLE_POSITIVE);
    weft_known_labels known = weft_know_labels(labels, logits, &options);
    weft_sampler_output(sampler, known.labels);
    weft_sampler_output(sampler, weft_offset(known.counted, 0.5));
    /* Without class weights nothing else has a gradient. */
    weft_value scale =
        weft_sampler_input(sampler, weft_shape_without_classes(shape), WEFT_SAMPLE_POSITIVE);
    weft_sampler_output(sampler, weft_multiply(weft_offset(known.weights, 0.5), scale));
    return true;
}

const weft_op weft_label_weights_op = {
    .name = "label_weights",
    .summary = "labels, 0 where ignored; 1 for each that counts, else 0; with weights: its "
               "class's, else 0",
    .shapes = "labels [..] int32, like [..,classes], weights? [classes] -> [..] int32, [..], [..]",
    .parameters = "ignored label",
    .source = "definition",

    .family = WEFT_FAMILY_LOSS,
    .min_inputs = 2,
    .max_inputs = 3,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer,
    .gradient = gradient,
    .run_f64 = run_f64,
    .bind = bind,
    .sample = sample,
};

/* Kullback-Leibler divergence: a cross-entropy less what it is at its least. */
#include "ops/loss.h"
#include "weft/arithmetic.h"

weft_value weft_kl_divergence(weft_value logits, weft_value targets,
                              const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("kl_divergence", logits, WEFT_LOSS_PROBABILITIES | WEFT_LOSS_LEAST,
                              options, &o) ||
        !weft_loss_same_shape("kl_divergence", logits, targets))
        return weft_null(logits.graph);
    weft_value entropy =
        weft_sum_classes(weft_multiply(targets, weft_negative_log(targets, &o)), false);
    return weft_loss_reduce(weft_subtract(weft_class_losses(logits, targets, &o), entropy), &o);
}

weft_value weft_distillation(weft_value logits, weft_value teacher,
                             const weft_loss_options *options)
{
    weft_loss_options o;
    if (!weft_loss_options_of("distillation", logits, WEFT_LOSS_TEMPERATURE, options, &o) ||
        !weft_loss_same_shape("distillation", logits, teacher))
        return weft_null(logits.graph);
    double t = o.temperature != 0 ? o.temperature : 1;
    weft_value hard = weft_scale(weft_stop_gradient(teacher), 1 / t), soft = weft_softmax(hard);
    weft_value losses = weft_subtract(weft_class_losses(weft_scale(logits, 1 / t), soft, &o),
                                      weft_class_losses(hard, soft, &o));
    return weft_loss_reduce(weft_scale(losses, t * t), &o);
}

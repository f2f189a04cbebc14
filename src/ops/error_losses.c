/* Losses of numbers: composed, since they are only as heavy as their operands are long. */
#include "ops/loss.h"
#include "weft/activation.h"
#include "weft/arithmetic.h"

/* x - target; the null value, with an error, where options or shapes are wrong. */
static weft_value difference(const char *loss, unsigned has, weft_value x, weft_value target,
                             const weft_loss_options *given, weft_loss_options *options)
{
    if (!weft_loss_options_of(loss, x, has, given, options) ||
        !weft_loss_same_shape(loss, x, target))
        return weft_null(x.graph);
    return weft_subtract(x, target);
}

weft_value weft_mean_squared_error(weft_value x, weft_value target,
                                   const weft_loss_options *options)
{
    weft_loss_options o;
    weft_value e = difference("mean_squared_error", 0, x, target, options, &o);
    return weft_loss_reduce(weft_square(e), &o);
}

weft_value weft_mean_absolute_error(weft_value x, weft_value target,
                                    const weft_loss_options *options)
{
    weft_loss_options o;
    weft_value e = difference("mean_absolute_error", 0, x, target, options, &o);
    return weft_loss_reduce(weft_abs(e), &o);
}

/* With c = min(e, delta): c e - c^2 / 2. */
weft_value weft_huber(weft_value x, weft_value target, const weft_loss_options *options)
{
    weft_loss_options o;
    weft_value e = weft_abs(difference("huber", WEFT_LOSS_DELTA, x, target, options, &o));
    weft_value c = weft_clipped_relu(e, o.delta != 0 ? o.delta : 1);
    return weft_loss_reduce(weft_multiply(c, weft_subtract(e, weft_scale(c, 0.5))), &o);
}

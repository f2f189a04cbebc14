#include "ops/activation.h"

#include "weft/arithmetic.h"

weft_value weft_activate(const weft_activation *f, weft_value x, double a, double b,
                         const char *name)
{
    return weft_map_apply(f->op, f->function, a, b, name, &x);
}

weft_value weft_activation_slope(const weft_activation *f, weft_value dy, weft_value taken,
                                 double a, double b)
{
    return weft_map_apply(f->gradient_op, f->gradient, a, b, NULL, (weft_value[]){dy, taken});
}

void weft_activation_gradient(const weft_activation *f, weft_gradient_call *call)
{
    const weft_map_attributes *own = call->attributes;
    bool takes_x = f->taken[0] == 'x' || (f->x_if_falling && !(own->a > 0));
    call->input_gradient[0] = weft_activation_slope(
        f, call->output_gradient[0], takes_x ? call->input[0] : call->output[0], own->a, own->b);
}

void weft_activation_second_gradient(const weft_activation *f, weft_gradient_call *call)
{
    const weft_map_attributes *own = call->attributes;
    weft_value g = call->output_gradient[0], dy = call->input[0];
    if (call->wanted[0])
        call->input_gradient[0] = weft_activation_slope(f, g, call->input[1], own->a, own->b);
    if (call->wanted[1] && f->second)
        call->input_gradient[1] = f->second(call, weft_multiply(g, dy));
}

/* ---- Samples ---- */

static bool has_sample(const weft_activation *f, int index)
{
    return index < 2 || (index == 2 && f->parameters[2][0] != 0);
}

/* Elements on both sides of 0; of each piece, and then on odd multiples of 0.075, where none ends. */
static weft_value operand(const weft_activation *f, weft_sampler *sampler, int index)
{
    int64_t n = weft_sampler_integer(sampler, 2, 4), c = weft_sampler_integer(sampler, 9, 19);
    int64_t wide = weft_sampler_integer(sampler, 51, 70);
    weft_shape shape = index == 1 ? weft_shape_of(2, 3, n, c) : weft_shape_of(n, wide);
    if (!f->pieces)
        return weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
    return weft_scale(weft_sampler_input(sampler, shape, WEFT_SAMPLE_DISTINCT), 1.5);
}

bool weft_activation_sample(const weft_activation *f, weft_sampler *sampler, int index)
{
    if (!has_sample(f, index))
        return false;
    const double *p = f->parameters[index];
    weft_value x = operand(f, sampler, index);
    weft_sampler_output(sampler, weft_activate(f, x, p[0], p[1], NULL));
    return true;
}

bool weft_activation_gradient_sample(const weft_activation *f, weft_sampler *sampler, int index)
{
    if (!has_sample(f, index))
        return false;
    const double *p = f->parameters[index];
    weft_value taken = operand(f, sampler, index);
    weft_value dy = weft_sampler_input(sampler, weft_shape_get(taken), WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, weft_activation_slope(f, dy, taken, p[0], p[1]));
    return true;
}

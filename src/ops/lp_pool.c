/* Lp pooling, of the mean over windows and elementwise maps. */
#include "weft/pooling.h"

#include "weft/arithmetic.h"

/* |x|^p by repeated squaring. */
static weft_value power(weft_value x, int p)
{
    weft_value square = p % 2 ? weft_abs(x) : x;
    weft_value result = square;
    for (bool first = p % 2 == 0; p /= 2;) {
        square = weft_square(square);
        if (p % 2) {
            result = first ? square : weft_multiply(result, square);
            first = false;
        }
    }
    return result;
}

/* sum^(1/p). Where the sum is 0 the root is not differentiable: it and its gradient are made 0 there. */
static weft_value root(weft_value sum, int p)
{
    const double tiny = 1e-37;
    weft_value above = weft_offset(sum, tiny);
    weft_value result = p == 2 ? weft_sqrt(above) : weft_exp(weft_scale(weft_log(above), 1.0 / p));
    weft_value zero = weft_equal(sum, weft_scalar(sum.graph, 0));
    return weft_multiply(result, weft_offset(weft_negate(zero), 1));
}

weft_value weft_lp_pool(weft_value x, const weft_pool_options *options)
{
    int p = options->p != 0 ? options->p : 2;
    if (p < 1)
        return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT, "lp_pool: p is %d", p);
    weft_pool_options average = *options;
    average.name = options->name ? options->name : "lp_pool";
    average.count_include_pad = true;
    double elements = 1;
    for (int d = 0; d < 3 && options->window[d] > 0; d++)
        elements *= options->window[d];
    weft_value sum = weft_scale(weft_average_pool(power(x, p), &average), elements);
    return p == 1 ? sum : root(sum, p);
}

#include "check/derivative.h"

#include "base/error.h"

#include <float.h>
#include <math.h>

enum { ATTEMPTS = 4, SHRINK = 8 };

static void move(const weft_line *line, double t)
{
    for (int64_t i = 0; i < line->count; i++)
        line->x[i] = line->start[i] + t * line->direction[i];
}

/* The difference of each output is taken before they are summed, so that outputs that do not change add
 * no rounding. *noise is about what the others' rounding comes to; where none changes, what a change must
 * exceed to show. */
static weft_status central_difference(const weft_line *line, const weft_function *function,
                                      double h, double *difference, double *noise,
                                      weft_error *error)
{
    double *above = function->room, *below = above + function->outputs;
    move(line, h);
    weft_status status = function->evaluate(function->user, above, error);
    if (status == WEFT_OK) {
        move(line, -h);
        status = function->evaluate(function->user, below, error);
    }
    move(line, 0);
    WEFT_TRY(status);
    long double sum = 0, changing = 0, all = 0;
    for (int64_t i = 0; i < function->outputs; i++) {
        long double change = (long double)above[i] - below[i];
        long double size = (long double)function->weight[i] * above[i];
        sum += function->weight[i] * change;
        all += size * size;
        changing += change != 0 ? size * size : 0;
    }
    *difference = (double)(sum / (2 * h));
    *noise = 8 * DBL_EPSILON * (double)sqrtl(changing > 0 ? changing : all) / h;
    return WEFT_OK;
}

/* Richardson's extrapolation of D(h) = f' + a h^2 + b h^4 + ... from h, h/2 and h/4. */
static weft_status extrapolate(const weft_line *line, const weft_function *function, double h,
                               weft_derivative *derivative, weft_error *error)
{
    double d[3], noise = 0;
    for (int i = 0; i < 3; i++)
        WEFT_TRY(central_difference(line, function, ldexp(h, -i), &d[i], &noise, error));
    double coarse = (4 * d[1] - d[0]) / 3, fine = (4 * d[2] - d[1]) / 3;
    derivative->value = (16 * fine - coarse) / 15;
    derivative->noise = noise;
    derivative->accuracy = fabs(fine - coarse) + derivative->noise;
    return WEFT_OK;
}

weft_status weft_line_derivative(const weft_line *line, const weft_function *function, double step,
                                 double goal, weft_derivative *derivative, weft_error *error)
{
    WEFT_TRY(extrapolate(line, function, step, derivative, error));
    for (int i = 1; i < ATTEMPTS; i++) {
        weft_derivative closer;
        /* Smaller steps help against curvature and kinks, not against rounding. */
        if (derivative->accuracy <= goal || derivative->accuracy <= 4 * derivative->noise)
            break;
        step /= SHRINK;
        WEFT_TRY(extrapolate(line, function, step, &closer, error));
        if (closer.accuracy < derivative->accuracy)
            *derivative = closer;
    }
    return WEFT_OK;
}

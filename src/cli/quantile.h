/* What measured times come to. Shared by the tool and the benchmarks. */
#ifndef WEFT_CLI_QUANTILE_H
#define WEFT_CLI_QUANTILE_H

#include <stdlib.h>

static inline int quantile_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts n values, one at least, and returns what `share` of them are below: 0 for the least, 0.5 for the median, between
 * two of them their mixture. */
static inline double quantile(double *values, int n, double share)
{
    qsort(values, (size_t)n, sizeof(*values), quantile_order);
    double at = share * (n - 1);
    int low = (int)at, high = low + 1 < n ? low + 1 : low;
    return values[low] + (at - low) * (values[high] - values[low]);
}

#endif

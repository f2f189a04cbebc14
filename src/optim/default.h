/* Options of which 0 stands for the usual value. */
#ifndef WEFT_OPTIM_DEFAULT_H
#define WEFT_OPTIM_DEFAULT_H

static inline double weft_or_default(double value, double usual)
{
    return value == 0 ? usual : value;
}

#endif

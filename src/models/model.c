#include "models/model.h"

weft_value weft_model_conv(weft_value x, const char *name, int filters, int kernel, int stride)
{
    int pad = kernel / 2;
    return weft_conv2d(x, .name = name, .filters = filters, .kernel = {kernel, kernel},
                       .stride = {stride, stride}, .pad_low = {pad, pad}, .pad_high = {pad, pad},
                       .no_bias = true, .initializer = {.kind = WEFT_INIT_HE_NORMAL});
}

weft_value weft_model_dropout(weft_value x, double rate, double usual, bool none)
{
    return none ? x : weft_dropout(x, .rate = rate != 0 ? rate : usual);
}

weft_value weft_model_classify(weft_value x, const weft_classifier_options *options,
                               double usual_dropout, int usual_classes)
{
    x = weft_model_dropout(x, options->dropout, usual_dropout, options->no_dropout);
    return weft_dense(x, .name = "fc",
                      .units = options->classes != 0 ? options->classes : usual_classes);
}

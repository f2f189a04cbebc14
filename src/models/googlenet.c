/* GoogLeNet. */
#include "models/model.h"

static weft_value conv(weft_value x, const char *name, int filters, int kernel, int stride)
{
    weft_scope_push(x.graph, name);
    x = weft_model_conv(x, "conv", filters, kernel, stride);
    x = weft_relu(weft_batch_norm(x, .name = "bn", .epsilon = 1e-3));
    weft_scope_pop(x.graph);
    return x;
}

static weft_value pool(weft_value x, int window, int stride)
{
    int pad = stride == 1 ? window / 2 : 0;
    return weft_max_pool(x, .window = {window, window}, .stride = {stride, stride},
                         .pad_low = {pad, pad}, .pad_high = {pad, pad}, .ceil_mode = true);
}

/* A row of table 1: filters of the 1x1; of the reduction before the 3x3, and of the 3x3; of the reduction
 * before the other, and of the other; of the 1x1 after pooling. */
typedef struct cell {
    const char *name;
    int one, reduce_three, three, reduce_five, five, pool;
} cell;

static weft_value inception(weft_value x, const cell *c)
{
    weft_scope_push(x.graph, c->name);
    weft_value one = conv(x, "branch1", c->one, 1, 1);
    weft_value three = conv(x, "branch2.0", c->reduce_three, 1, 1);
    three = conv(three, "branch2.1", c->three, 3, 1);
    weft_value five = conv(x, "branch3.0", c->reduce_five, 1, 1);
    five = conv(five, "branch3.1", c->five, 3, 1);
    weft_value pooled = conv(pool(x, 3, 1), "branch4.1", c->pool, 1, 1);
    x = weft_concat_channels(one, three, five, pooled);
    weft_scope_pop(x.graph);
    return x;
}

static weft_value cells(weft_value x, const cell *table, int count)
{
    for (int i = 0; i < count; i++)
        x = inception(x, &table[i]);
    return x;
}

weft_value(weft_googlenet)(weft_value image, const weft_classifier_options *options)
{
    static const cell three[] = {
        {"inception3a", 64, 96, 128, 16, 32, 32},
        {"inception3b", 128, 128, 192, 32, 96, 64},
    };
    static const cell four[] = {
        {"inception4a", 192, 96, 208, 16, 48, 64},    {"inception4b", 160, 112, 224, 24, 64, 64},
        {"inception4c", 128, 128, 256, 24, 64, 64},   {"inception4d", 112, 144, 288, 32, 64, 64},
        {"inception4e", 256, 160, 320, 32, 128, 128},
    };
    static const cell five[] = {
        {"inception5a", 256, 160, 320, 32, 128, 128},
        {"inception5b", 384, 192, 384, 48, 128, 128},
    };
    weft_value x = pool(conv(image, "conv1", 64, 7, 2), 3, 2);
    x = conv(conv(x, "conv2", 64, 1, 1), "conv3", 192, 3, 1);
    x = cells(pool(x, 3, 2), three, 2);
    x = cells(pool(x, 3, 2), four, 5);
    x = cells(pool(x, 2, 2), five, 2);
    return weft_model_classify(weft_global_average_pool(x), options, 0.2, 1000);
}

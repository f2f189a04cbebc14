#include "networks.h"

static weft_value conv(weft_value x, const char *name, int filters, int kernel)
{
    int pad = kernel / 2;
    weft_scope_push(x.graph, name);
    x = weft_conv2d(x, .name = "conv", .filters = filters, .kernel = {kernel, kernel},
                    .pad_low = {pad, pad}, .pad_high = {pad, pad}, .no_bias = true,
                    .initializer = {.kind = WEFT_INIT_HE_NORMAL});
    x = weft_relu(weft_batch_norm(x, .name = "bn"));
    weft_scope_pop(x.graph);
    return x;
}

/* Filters of a cell's branches: of the 1x1; of the bottleneck before the 3x3, and of the 3x3; of the
 * bottleneck before the two 3x3, and of both; of the 1x1 after pooling. */
typedef struct cell {
    const char *name;
    int one, reduce_three, three, reduce_five, five, pool;
} cell;

static weft_value inception_cell(weft_value x, cell c)
{
    weft_scope_push(x.graph, c.name);
    weft_value one = conv(x, "branch1", c.one, 1);
    weft_value three = conv(conv(x, "branch2.0", c.reduce_three, 1), "branch2.1", c.three, 3);
    weft_value five = conv(conv(x, "branch3.0", c.reduce_five, 1), "branch3.1", c.five, 3);
    five = conv(five, "branch3.2", c.five, 3);
    weft_value pool =
        weft_max_pool(x, .window = {3, 3}, .stride = {1, 1}, .pad_low = {1, 1}, .pad_high = {1, 1});
    pool = conv(pool, "branch4", c.pool, 1);
    x = weft_concat_channels(one, three, five, pool);
    weft_scope_pop(x.graph);
    return x;
}

static weft_value halve(weft_value x)
{
    return weft_max_pool(x, .window = {3, 3}, .stride = {2, 2}, .pad_low = {1, 1},
                         .pad_high = {1, 1});
}

weft_value inception_small(weft_value image, int classes, double dropout)
{
    weft_value x = conv(image, "stem", 32, 3);
    x = inception_cell(x, (cell){"3a", 16, 16, 32, 8, 8, 8});
    x = halve(inception_cell(x, (cell){"3b", 24, 24, 40, 8, 16, 16}));
    x = inception_cell(x, (cell){"4a", 40, 24, 48, 8, 16, 16});
    x = halve(inception_cell(x, (cell){"4b", 40, 32, 64, 12, 24, 24}));
    x = inception_cell(x, (cell){"5a", 48, 48, 96, 16, 32, 32});
    x = weft_dropout(weft_global_average_pool(x), .rate = dropout);
    return weft_dense(x, .name = "fc", .units = classes);
}

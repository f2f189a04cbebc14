/* The yardstick for the networks: softmax regression on the pixels of an image, or, to segment, logistic
 * regression on the pixels around each pixel. */
#include "common/example.h"

static int window = 0;

static weft_value network(weft_value images, int classes)
{
    if (window)
        return weft_conv2d(images, .filters = 1, .kernel = {window, window}, .padding = WEFT_SAME);
    return weft_dense(weft_flatten(images, 1), .units = classes);
}

static weft_value loss(weft_value logits, weft_value target)
{
    return window ? weft_binary_cross_entropy(logits, target)
                  : weft_sparse_cross_entropy(logits, target);
}

int main(int argc, char **argv)
{
    const argument own[] = {
        {"window", "N", "to segment: pixels that are seen around each, each way",
         .integer = &window, .high = 99},
        {0},
    };
    example linear_example = {
        .purpose = "Trains a linear model: the yardstick for the networks.",
        .network = network,
        .loss = loss,
        .optimizer = {.kind = WEFT_ADAM, .weight_decay = 1e-3},
        .augmentation = {.flip = true},
        .options = {.samples = 8000, .epochs = 8, .batch = 64, .learning_rate = 1e-3, .seed = 1},
    };
    int status;
    if (!example_parse(argc, argv, linear_example.purpose, &linear_example.options, own, &status))
        return status;
    linear_example.segment = window > 0;
    return example_run(argv[0], &linear_example);
}

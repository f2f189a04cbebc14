/* Trains a residual network to classify images. */
#include "common/example.h"

static int depth = 20;

static weft_value network(weft_value images, int classes)
{
    /* 50 and 152 are also 6 n + 2, but by these numbers everyone means the large ones. */
    bool large = depth == 18 || depth == 34 || depth == 50 || depth == 101 || depth == 152;
    return large ? weft_resnet(images, .depth = depth, .classes = classes)
                 : weft_cifar_resnet(images, .depth = depth, .classes = classes,
                                     .pad_shortcuts = true);
}

static weft_value loss(weft_value logits, weft_value labels)
{
    return weft_sparse_cross_entropy(logits, labels);
}

int main(int argc, char **argv)
{
    const argument own[] = {
        {"depth", "N", "20, 32, 44, 56, 110; or 18, 34, 50, 101, 152", .integer = &depth, .low = 8,
         .high = 1202},
        {0},
    };
    example resnet_example = {
        .purpose = "Trains a residual network to classify images.",
        .network = network,
        .loss = loss,
        .optimizer = {.momentum = 0.9,
                      .nesterov = true,
                      .weight_decay = 5e-4,
                      .decay_filters_only = true},
        .augmentation = {.flip = true},
        .options = {.samples = 8000, .epochs = 6, .batch = 64, .learning_rate = 0.05, .seed = 1},
    };
    return example_main(argc, argv, own, &resnet_example);
}

/* Trains an Inception network to classify images. */
#include "common/example.h"
#include "networks/networks.h"

static weft_value network(weft_value images, int classes)
{
    return inception_small(images, classes, 0.2);
}

static weft_value loss(weft_value logits, weft_value labels)
{
    return weft_sparse_cross_entropy(logits, labels);
}

int main(int argc, char **argv)
{
    example inception_example = {
        .purpose = "Trains an Inception network to classify images.",
        .network = network,
        .loss = loss,
        .optimizer = {.momentum = 0.9,
                      .nesterov = true,
                      .weight_decay = 5e-4,
                      .decay_filters_only = true},
        .augmentation = {.flip = true},
        .options = {.samples = 8000, .epochs = 6, .batch = 64, .learning_rate = 0.05, .seed = 1},
    };
    return example_main(argc, argv, NULL, &inception_example);
}

/* Whole networks: loss, gradients, and variables after one update. */
#include "../../examples/networks/networks.h"
#include "parity.h"

static weft_value classify(parity_builder *b, weft_value logits, int32_t classes)
{
    return weft_sparse_cross_entropy(
        logits, parity_labels(b, "t", weft_shape_of(weft_shape_get(logits).extent[0]), classes));
}

static weft_value resnet18(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 64, 64, 3));
    return classify(b, weft_resnet(x, .depth = 18, .classes = 10), 10);
}

static weft_value resnet20(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 28, 28, 1));
    return classify(b, weft_cifar_resnet(x, .pad_shortcuts = true), 10);
}

static weft_value inception(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(3, 28, 28, 1));
    return classify(b, inception_small(x, 10, 0.0), 10);
}

static weft_value segment(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 32, 32, 3));
    weft_value logits = weft_unet(x, .width = 8, .levels = 4, .classes = 1);
    return weft_binary_cross_entropy(logits,
                                     weft_sigmoid(parity_input(b, "t", weft_shape_get(logits))));
}

#define UPDATED .update = true, .mode = WEFT_TRAIN

const parity_case parity_network_cases[] = {
    {"ResNet-18", resnet18, "F.cross_entropy(networks.resnet18(named, x), t.long())", UPDATED},
    {"ResNet-20", resnet20, "F.cross_entropy(networks.resnet20(named, x), t.long())", UPDATED},
    {"Inception", inception, "F.cross_entropy(networks.inception(named, x), t.long())", UPDATED},
    {"U-Net", segment, "F.binary_cross_entropy_with_logits(networks.unet(named, x), t.sigmoid())",
     UPDATED},
    {0},
};

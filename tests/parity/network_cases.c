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

/* ---- torchvision's, with its own modules on the other side ---- */

static weft_value googlenet(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 64, 64, 3));
    return classify(b, weft_googlenet(x, .classes = 10, .no_dropout = true), 10);
}

static weft_value inception_v3(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 107, 107, 3));
    return classify(b, weft_inception_v3(x, .classes = 10, .no_dropout = true), 10);
}

static weft_value densenet121(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 64, 64, 3));
    return classify(b, weft_densenet(x, .classes = 10), 10);
}

static weft_value mobilenet_v2(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(2, 64, 64, 3));
    return classify(b, weft_mobilenet_v2(x, .classes = 10, .no_dropout = true), 10);
}

/* The 2x2 pixels before the classifier are repeated to 7x7. */
static weft_value vgg11(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(1, 64, 64, 3));
    return classify(b, weft_vgg(x, .depth = 11, .classes = 10, .hidden = 16, .no_dropout = true),
                    10);
}

static const parity_optimizer sgd = {{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01},
                                     "torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01)",
                                     .steps = 1};

#define UPDATED .optimizer = &sgd, .mode = WEFT_TRAIN
#define VISION(network) "F.cross_entropy(networks.vision(named, x, '" network "'), t.long())"

const parity_case parity_network_cases[] = {
    {"ResNet-18", resnet18, "F.cross_entropy(networks.resnet18(named, x), t.long())", UPDATED},
    {"ResNet-20", resnet20, "F.cross_entropy(networks.resnet20(named, x), t.long())", UPDATED},
    {"Inception", inception, "F.cross_entropy(networks.inception(named, x), t.long())", UPDATED},
    {"U-Net", segment, "F.binary_cross_entropy_with_logits(networks.unet(named, x), t.sigmoid())",
     UPDATED},
    {"GoogLeNet", googlenet, VISION("googlenet"), UPDATED, .double_only = true},
    {"Inception-v3", inception_v3, VISION("inception_v3"), UPDATED, .double_only = true},
    {"DenseNet-121", densenet121, VISION("densenet121"), UPDATED, .double_only = true},
    {"MobileNetV2", mobilenet_v2, VISION("mobilenet_v2"), UPDATED, .double_only = true},
    {"VGG-11", vgg11, VISION("vgg11"), UPDATED, .double_only = true},
    {0},
};

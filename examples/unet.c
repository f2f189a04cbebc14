/* Trains a U-Net to find cells in pictures. */
#include "common/example.h"

static int width = 16;

static weft_value network(weft_value images, int classes)
{
    (void)classes; /* one logit for each pixel: cell or not */
    return weft_unet(images, .width = width, .classes = 1);
}

/* 1 - 2 |P and T| / (|P| + |T|) with probabilities P for a set (Milletari, Navab, Ahmadi 2016, "V-Net",
 * section 3, but for the squares in its denominator), 1 added above and below; over all pixels of a batch. */
static weft_value soft_dice(weft_value logits, weft_value masks)
{
    weft_value probability = weft_sigmoid(logits);
    weft_value both = weft_sum(weft_multiply(probability, masks));
    weft_value total = weft_add(weft_sum(probability), weft_sum(masks));
    weft_value overlap = weft_divide(weft_offset(weft_scale(both, 2), 1), weft_offset(total, 1));
    return weft_offset(weft_negate(overlap), 1);
}

static weft_value loss(weft_value logits, weft_value masks)
{
    return weft_add(weft_binary_cross_entropy(logits, masks), soft_dice(logits, masks));
}

int main(int argc, char **argv)
{
    const argument own[] = {
        {"width", "N", "channels of the first level", .integer = &width, .low = 1, .high = 256},
        {0},
    };
    example unet_example = {
        .purpose = "Trains a U-Net to find cells in pictures.",
        .network = network,
        .segment = true,
        .loss = loss,
        .optimizer = {.kind = WEFT_ADAM},
        .augmentation = {.flip = true, .flip_vertical = true, .flip_diagonal = true},
        .options = {.samples = 480, .epochs = 12, .batch = 8, .learning_rate = 2e-3, .seed = 1},
    };
    return example_main(argc, argv, own, &unet_example);
}

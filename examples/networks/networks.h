/* The networks of the examples. Images are [N, H, W, C], real; the scopes' names are those that PyTorch
 * users know, so that weights can be carried over by name. */
#ifndef WEFT_EXAMPLES_NETWORKS_H
#define WEFT_EXAMPLES_NETWORKS_H

#include "weft/weft.h"

/* ResNet for images of 28 to 32 pixels: logits [N, classes]. depth is 6 n + 2: 20, 32, 44, 56, 110.
 * He et al. 2015, "Deep residual learning for image recognition", section 4.2, with option A: shortcuts
 * have no parameters. ResNet-20 on 3 channels has 269,722. */
weft_value resnet_small(weft_value image, int depth, int classes);

/* ResNet-18, 34, 50, 101 or 152 for images of some 224 pixels: logits [N, classes]. The same paper, table
 * 1, option B; the stride of a bottleneck is on its 3x3. ResNet-18 has 11,689,512 parameters. */
weft_value resnet_large(weft_value image, int depth, int classes);

/* An Inception network for images of 28 to 32 pixels: logits [N, classes]. Cells of four branches with
 * 1x1 bottlenecks, as in Szegedy et al. 2014, "Going deeper with convolutions", figure 2b, with batch norm
 * and two 3x3 in place of the 5x5 (Szegedy et al. 2015, "Rethinking the Inception architecture", figure
 * 5); dropout is the rate before the classifier. */
weft_value inception_small(weft_value image, int classes, double dropout);

/* U-Net: a logit for each pixel and class, [N, H, W, classes]. Ronneberger et al. 2015, with batch norm,
 * 'same' padding and `width` filters at the top of `levels` levels; H and W must be multiples of
 * 2^(levels - 1). */
weft_value unet(weft_value image, int width, int levels, int classes);

#endif

/* A network that is no model of the library's: how one writes one's own. Images are [N, H, W, C], real;
 * the scopes' names are those that PyTorch users know, so that weights can be carried over by name. */
#ifndef WEFT_EXAMPLES_NETWORKS_H
#define WEFT_EXAMPLES_NETWORKS_H

#include "weft/weft.h"

/* An Inception network for images of 28 to 32 pixels: logits [N, classes]. Cells of four branches with
 * 1x1 bottlenecks, as in Szegedy et al. 2014, "Going deeper with convolutions", figure 2b, with batch norm
 * and two 3x3 in place of the 5x5 (Szegedy et al. 2015, "Rethinking the Inception architecture", figure
 * 5); dropout is the rate before the classifier. */
weft_value inception_small(weft_value image, int classes, double dropout);

#endif

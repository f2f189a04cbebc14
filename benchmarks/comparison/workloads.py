"""What is compared: networks, batches, and the ratios that weft must reach at least."""
from collections import namedtuple

# flops: of convolutions and dense layers, forward, one image; a multiply-add is two.
# floor: by mode, the least ratio of the best peer's time to weft's.
Network = namedtuple('Network', 'name batch image flops floor')

MODES = ('train', 'infer', 'infer1')

NETWORKS = tuple(
    Network(name, batch, image, flops, dict(zip(MODES, floor)))
    for name, batch, image, flops, floor in (
        ('lenet', 64, (1, 28, 28), 27767808, (1.3, 1.4, 4)),
        ('resnet20', 128, (3, 32, 32), 81626368, (1.3, 1.3, 3)),
        ('resnet18', 8, (3, 224, 224), 3628146688, (1.7, 1.5, 1.3)),
        ('resnet50', 8, (3, 224, 224), 8178368512, (1.35, 1.2, 1.15)),
        ('inception_v3', 4, (3, 299, 299), 11426432192, (1.4, 1.35, 1.5)),
        ('googlenet', 8, (3, 224, 224), 2996752384, (1.45, 1.45, 1.7)),
        ('unet', 2, (1, 256, 256), 96192167936, (2.3, 2.2, 2.1)),
        ('densenet121', 4, (3, 224, 224), 5668323328, (1.45, 1.3, 1.6)),
        ('mobilenet_v2', 8, (3, 224, 224), 601548544, (1.7, 1.3, 1.3)),
        ('vgg16', 4, (3, 224, 224), 30940528640, (2.3, 2.2, 1.8)),
    ))


class Workload:
    """A network in one of the modes; infer1 is inference of a single image."""

    def __init__(self, network, mode):
        self.network, self.mode = network, mode
        self.batch = 1 if mode == 'infer1' else network.batch
        self.program = 'train' if mode == 'train' else 'infer'
        # A training step has the forward pass and two gradients of the same size.
        self.flops = network.flops * self.batch * (3 if mode == 'train' else 1)
        self.floor = network.floor[mode]

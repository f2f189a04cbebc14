"""The networks of the comparison in PyTorch: what `weft models` lists under the same names.

Three are written here, the others are torchvision's, without auxiliary heads.
"""
import torch
from torch import nn
from torch.nn import functional
from torchvision import models


class LeNet(nn.Module):
    """Two 5x5 convolutions and two dense layers for 28x28 digits."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.dense1 = nn.Linear(64 * 7 * 7, 1024)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(1024, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.dense1(x.flatten(1)))
        return self.dense2(self.dropout(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet20(nn.Module):
    """He et al. 2015, section 4.2, n = 3: 32x32 images, 16, 32 and 64 channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for outputs in (16, 32, 64):
            for block in range(3):
                stride = 2 if block == 0 and outputs > 16 else 1
                blocks.append(BasicBlock(inputs, outputs, stride))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.dense = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.conv(x))))
        return self.dense(x.mean((2, 3)))


def convolutions_twice(inputs, outputs):
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                   nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015 with padding and batch norm: width 64, five levels, two classes."""

    def __init__(self):
        super().__init__()
        width = [64, 128, 256, 512, 1024]
        self.down = nn.ModuleList(
            convolutions_twice(i, o) for i, o in zip([1] + width, width))
        width.reverse()
        self.widen = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 2, 2) for i, o in zip(width, width[1:]))
        self.up = nn.ModuleList(convolutions_twice(2 * o, o) for o in width[1:])
        self.score = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        kept = []
        for level, down in enumerate(self.down):
            x = down(functional.max_pool2d(x, 2) if level > 0 else x)
            kept.append(x)
        kept.pop()
        for widen, up in zip(self.widen, self.up):
            x = up(torch.cat([kept.pop(), widen(x)], 1))
        return self.score(x)


def from_torchvision(name, **options):
    return lambda: getattr(models, name)(weights=None, **options)


# name: (builder, extents of an image, classes, whether each pixel has a label)
NETWORKS = {
    'lenet': (LeNet, (1, 28, 28), 10, False),
    'resnet20': (ResNet20, (3, 32, 32), 10, False),
    'resnet18': (from_torchvision('resnet18'), (3, 224, 224), 1000, False),
    'resnet50': (from_torchvision('resnet50'), (3, 224, 224), 1000, False),
    'inception_v3': (from_torchvision('inception_v3', aux_logits=False, init_weights=False),
                     (3, 299, 299), 1000, False),
    'googlenet': (from_torchvision('googlenet', aux_logits=False, init_weights=False),
                  (3, 224, 224), 1000, False),
    'unet': (UNet, (1, 256, 256), 2, True),
    'densenet121': (from_torchvision('densenet121'), (3, 224, 224), 1000, False),
    'mobilenet_v2': (from_torchvision('mobilenet_v2'), (3, 224, 224), 1000, False),
    'vgg16': (from_torchvision('vgg16'), (3, 224, 224), 1000, False),
}

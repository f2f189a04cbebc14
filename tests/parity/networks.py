"""Networks, written a second time in PyTorch on weft's variables by name, and torchvision's on the same."""

import torch
import torch.nn.functional as F


class Layers:
    """Layers that look their variables up by scoped name. Images are channels first in here."""

    def __init__(self, variables, scope=""):
        self.variables = variables
        self.scope = scope

    def within(self, name):
        return Layers(self.variables, f"{self.scope}{name}.")

    def __getitem__(self, name):
        return self.variables[self.scope + name]

    def conv(self, x, name, stride=1):
        w = self[f"{name}.weight"].movedim((-1, -2), (0, 1))
        return F.conv2d(x, w, self.variables.get(f"{self.scope}{name}.bias"), stride, w.shape[-1] // 2)

    def conv_transpose(self, x, name):
        w = self[f"{name}.weight"].movedim((-1, -2), (0, 1))
        return F.conv_transpose2d(x, w, self[f"{name}.bias"], 2)

    def bn(self, x, name):
        mean, var = self[f"{name}.running_mean"], self[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, self[f"{name}.weight"], self[f"{name}.bias"], True)

    def dense(self, x, name):
        return F.linear(x, self[f"{name}.weight"].T, self[f"{name}.bias"])


def basic_block(layers, x, stride, shortcut):
    y = F.relu(layers.bn(layers.conv(x, "conv1", stride), "bn1"))
    y = layers.bn(layers.conv(y, "conv2"), "bn2")
    return F.relu(y + shortcut(layers, x, y, stride))


def project_shortcut(layers, x, y, stride):
    if x.shape == y.shape:
        return x
    inner = layers.within("downsample")
    return inner.bn(inner.conv(x, "0", stride), "1")


def pad_shortcut(_layers, x, y, stride):
    missing = y.shape[1] - x.shape[1]
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, missing // 2, missing - missing // 2))


def resnet18(variables, image):
    layers = Layers(variables)
    x = F.relu(layers.bn(layers.conv(image.movedim(-1, 1), "conv1", 2), "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for index in range(1, 5):
        for block in range(2):
            stride = 2 if block == 0 and index > 1 else 1
            x = basic_block(layers.within(f"layer{index}.{block}"), x, stride, project_shortcut)
    return layers.dense(x.mean((2, 3)), "fc")


def resnet20(variables, image):
    layers = Layers(variables)
    x = F.relu(layers.bn(layers.conv(image.movedim(-1, 1), "conv1"), "bn1"))
    for index in range(1, 4):
        for block in range(3):
            stride = 2 if block == 0 and index > 1 else 1
            x = basic_block(layers.within(f"layer{index}.{block}"), x, stride, pad_shortcut)
    return layers.dense(x.mean((2, 3)), "fc")


def conv_bn(layers, x, name):
    inner = layers.within(name)
    return F.relu(inner.bn(inner.conv(x, "conv"), "bn"))


def inception_cell(layers, x):
    one = conv_bn(layers, x, "branch1")
    three = conv_bn(layers, conv_bn(layers, x, "branch2.0"), "branch2.1")
    five = conv_bn(layers, conv_bn(layers, x, "branch3.0"), "branch3.1")
    five = conv_bn(layers, five, "branch3.2")
    pool = conv_bn(layers, F.max_pool2d(x, 3, 1, 1), "branch4")
    return torch.cat((one, three, five, pool), 1)


def inception(variables, image):
    layers = Layers(variables)
    x = conv_bn(layers, image.movedim(-1, 1), "stem")
    for name in ("3a", "3b", "4a", "4b", "5a"):
        x = inception_cell(layers.within(name), x)
        if name.endswith("b"):
            x = F.max_pool2d(x, 3, 2, 1)
    return layers.dense(x.mean((2, 3)), "fc")


def double_conv(layers, x):
    x = F.relu(layers.bn(layers.conv(x, "conv1"), "bn1"))
    return F.relu(layers.bn(layers.conv(x, "conv2"), "bn2"))


def unet(variables, image, levels=4):
    layers = Layers(variables)
    x, skips = image.movedim(-1, 1), []
    for level in range(levels):
        x = F.max_pool2d(x, 2) if level else x
        x = double_conv(layers.within(f"down{level}"), x)
        skips.append(x)
    for level in reversed(range(levels - 1)):
        inner = layers.within(f"up{level}")
        x = double_conv(inner, torch.cat((skips[level], inner.conv_transpose(x, "up")), 1))
    return layers.conv(x, "out").movedim(1, -1)


def torch_layout(tensor, name):
    """A variable of weft's in PyTorch's layout. The first matrix of VGG reads 7x7 pixels, flattened."""
    if tensor.ndim == 4:
        return tensor.movedim((-1, -2), (0, 1))
    if name == "classifier.0.weight" and tensor.ndim == 2:
        rows = tensor.reshape(7, 7, -1, tensor.shape[1]).movedim(2, 0)
        return rows.reshape(tensor.shape).T
    return tensor.T if tensor.ndim == 2 else tensor


def vision(variables, image, name):
    """One of torchvision's networks, without dropout and auxiliary classifiers."""
    import torchvision.models

    options = {"weights": None, "num_classes": 10}
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=False)
    if name != "densenet121":
        options["dropout"] = 0.0
    module = getattr(torchvision.models, name)(**options)
    state = {
        key: torch_layout(variables[key], key)
        for key in module.state_dict()
        if not key.endswith("num_batches_tracked")
    }
    return torch.nn.utils.stateless.functional_call(module, state, image.movedim(-1, 1))

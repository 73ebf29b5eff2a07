"""Small networks of the kinds that are explained, with weights and batch statistics that are not trivial."""

import timm
import torch
from torch import nn

from crepitus.explain.layers import Last
from crepitus.methods.wrist.rx import RxConfig, RxNetwork

SMALL = {
    "resnet18": {"channels": [8, 8, 16, 16]},
    "resnet10t": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "resnet50": {"channels": [4, 4, 8, 8]},
    "densenet121": {"growth_rate": 8, "block_config": (2, 2, 2, 2)},
}


def settled(network, images):
    """The network after some batches, in evaluation mode: its normalisations then do something."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(layer.weight, -0.3, 1.2)  # also below 0, which turns the sign of a map
            nn.init.normal_(layer.bias, 0, 0.3)
            layer.momentum = 0.5
        elif isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
            nn.init.normal_(layer.bias, 0, 0.1)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, *images.shape[1:]))
    return network.eval()


def backbone(name, images, *, full=False):
    """A timm network that gives its last maps, and a classifier on their average; small unless `full`."""
    options = {} if full else SMALL[name]
    network = settled(timm.create_model(name, features_only=True, **options), images)
    channels = network.feature_info.channels()[-1]
    return Last(network), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))


def rx(images, **options):
    """The two parts of `wrist-rx`."""
    network = RxNetwork(RxConfig(channels=(8, 12, 16, 16), hidden=(16, 8), **options))
    return settled(network.views, images), network.classifier.eval()

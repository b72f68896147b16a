"""The size of a network: its parameters, and the operations of one frame if all of it were dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import neurons
from neurons import NeuronLayer
from tasks import networks
from tasks.measuring.operations import CONVOLUTIONS, COUNTED, count_synapse

NORM_AND_RECTIFIER = 3
"""Operations that the paper's count has for a normalised output: two of the normalisation, one of the rectifier."""


@dataclass(frozen=True)
class Size:
    """Parameters of a network and what one frame needs.

    Attributes:
        macs: one for each weight of each output of linear layers and convolutions; batch normalisation is none, as it
            is folded into the weights before it. None for a network of other layers with weights.
        biased, normalised: outputs of convolutions with a bias, and of batch normalisations.
        pooled: values that average pools read.
    """

    parameters: int
    macs: int | None
    biased: int
    normalised: int
    pooled: int

    @property
    def macs_as_paper(self) -> int | None:
        """As the CLIF paper's Table 6 has them: 557.65 M for its ResNet-18, 922.56 M for its VGG-13."""
        if self.macs is None:
            return None
        return self.macs + self.biased + NORM_AND_RECTIFIER * self.normalised + self.pooled


@torch.no_grad()
def size_of(name: str, features: tuple[int, ...], classes: int, width: int | None = None, neuron: str = "lif") -> Size:
    """The size of a network with that neuron on samples of that shape; of the GRU, which has none, without."""

    def layer(channels: int) -> NeuronLayer:
        return neurons.layer("relu" if name == "gru" else neuron, channels, 1, "reference")

    network = networks.build(name, layer, features, classes, 1, width).eval()
    counts = dict.fromkeys(("biased", "normalised", "pooled"), 0)
    macs, whole = 0, True

    def synapse(module: Any, arguments: tuple[Tensor], output: Tensor) -> None:
        nonlocal macs
        macs += int(count_synapse(module, arguments[0], output, events=False)["macs"])
        if isinstance(module, CONVOLUTIONS) and module.bias is not None:
            counts["biased"] += output.numel()

    def norm(module: nn.Module, arguments: Any, output: Tensor) -> None:
        counts["normalised"] += output.numel()

    def pool(module: nn.Module, arguments: tuple[Tensor], output: Tensor) -> None:
        height, width = (own // new for own, new in zip(arguments[0].shape[-2:], output.shape[-2:], strict=True))
        counts["pooled"] += output.numel() * height * width

    for module in network.modules():
        if isinstance(module, COUNTED):
            module.register_forward_hook(synapse)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_hook(norm)
        elif isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
            module.register_forward_hook(pool)
        elif list(module.parameters(recurse=False)) and not isinstance(module, NeuronLayer):
            whole = False
    network(torch.zeros(1, *features))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, macs if whole else None, **counts)

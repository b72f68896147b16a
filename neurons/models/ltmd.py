"""LIF with a learned threshold."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class LTMD(Neuron):
    """LTMD (Wang et al., NeurIPS 2022): a LIF that fires at tanh(w), one w learned a layer, from 0.5.

    Published: decay 0.25, hard reset, rectangle of width 1. A soft reset takes the learned threshold away.
    """

    source = Source("Wang et al., NeurIPS 2022", 2022, code="sq117/LTMD: cifar10/layersnew.py")
    tags = ("threshold",)
    states = ("u",)
    published = {"tau": 4 / 3, "reset": "hard"}
    w = Learnable(0.5)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        threshold = torch.tanh(self.w)
        spike = self.spike(u - threshold)
        return spike, self.fire_reset(u, spike, threshold)

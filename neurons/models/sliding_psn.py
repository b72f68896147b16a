"""Parallel spiking neuron with one filter for all steps."""

import torch
import torch.nn.functional as F
from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class SlidingPSN(Neuron):
    """Sliding PSN (Fang et al., NeurIPS 2023): h is the input filtered by `order` taps; s = Θ(h + bias).

    The taps are shared by all steps and neurons, from …, ¼, ½, 1 for the present input; the bias starts at −1.
    Published: arctangent surrogate.
    """

    name = "sliding_psn"
    source = Source("Fang et al., NeurIPS 2023", 2023, code="fangwei123456/spikingjelly: neuron/psn.py")
    tags = ("parallel",)
    published = {"surrogate": "atan"}
    order = 4
    weight = Learnable(
        lambda neuron: 0.5 ** torch.arange(neuron.order - 1, -1, -1), shape=lambda neuron, channels: (neuron.order,)
    )
    bias = Learnable(-1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of all steps for the input current x [T, N, *features]."""
        taps = self.weight.flip(0).unbind(0)[: len(x)]
        before = [0, 0] * (x.ndim - 1)
        shifted = [F.pad(x[: len(x) - lag], (*before, lag, 0)) for lag in range(len(taps))]
        h = sum((tap * own for tap, own in zip(taps, shifted, strict=True)), torch.zeros_like(x))
        return self.spike(h + self.bias)

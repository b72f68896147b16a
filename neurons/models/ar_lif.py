"""LIF whose reset and threshold adapt."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class ARLIF(Neuron):
    """AR-LIF (arXiv 2507.20746): a reset that remembers inputs and outputs, and a threshold that the input moves.

    u = γ·u + x; θ = v_th + tanh(shift)·tanh(x); s = Θ(u − θ); k = σ(slope·x);
    m = k·relu(m) − (1 − k)·relu(−m) + (2·s − 1)·σ(x); u −= s·(θ + σ(m)). `shift` and `slope` are learned, one a layer,
    from 0 and 1. Read in the authors' code, where the neuron is called XLIF.
    """

    name = "ar_lif"
    source = Source("AR-LIF, arXiv 2507.20746", 2025, code="2ephyrus/AR-LIF: AR-LIF/modules/neuron.py")
    tags = ("adaptive", "threshold")
    states = ("u", "m")
    shift = Learnable(0.0)
    slope = Learnable(1.0)

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        threshold = self.v_th + torch.tanh(self.shift) * torch.tanh(x)
        spike = self.spike(u - threshold)
        keep, current = torch.sigmoid(self.slope * x), torch.sigmoid(x)
        m = torch.relu(m) * keep - torch.relu(-m) * (1 - keep) + spike * current - (1 - spike) * current
        return spike, u - spike * (threshold + torch.sigmoid(m)), m

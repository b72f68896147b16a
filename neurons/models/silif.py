"""Adaptive LIF parametrised as a state-space model."""

import math

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register


@register
class SiLIF(Neuron):
    """SiLIF (Fabre et al., arXiv 2506.06374): adLIF with decays exp(−exp(rate + log_dt)), each learned per channel.

    w = β·w + a·u + b·s₋; u = α·(u − v_th·s₋) + x − (1 − α)·w; s = Θ(u − v_th). Published: the input is scaled by 1 − α
    too. The code starts its states at random in every call, here they start at zero, and it fires above the threshold,
    here also at it. Leak and reset of the protocol do not apply.
    """

    source = Source("Fabre et al., arXiv 2506.06374", 2025, code="Maxtimer97/SSM-inspired-LIF: models/snns.py")
    tags = ("adaptive", "heterogeneous")
    states = ("u", "w", "spike")
    published = {"decay_input": True}
    rate_u = Learnable(Uniform(math.log(10), math.log(250)), per="channel")
    rate_w = Learnable(Uniform(math.log(2.5), math.log(10)), per="channel")
    log_dt = Learnable(math.log(0.004), per="channel")
    a = Learnable(Uniform(0, 1), per="channel", low=0, high=1)
    b = Learnable(Uniform(0, 2), per="channel", low=0, high=2)

    def step(self, x: Tensor, u: Tensor, w: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        alpha = torch.exp(-torch.exp(self.rate_u + self.log_dt))
        beta = torch.exp(-torch.exp(self.rate_w + self.log_dt))
        w = beta * w + self.a * u + self.b * spike
        u = alpha * (u - self.v_th * spike) + ((1 - alpha) * x if self.decay_input else x) - (1 - alpha) * w
        spike = self.spike(u - self.v_th)
        return spike, u, w, spike

    @property
    def input_scale(self) -> float:
        return 5.0 if self.decay_input else 1.0

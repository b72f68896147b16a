"""Balanced resonate-and-fire."""

import torch
from torch import Tensor

from neurons import Source, register
from neurons.models.rf import RF


@register
class BRF(RF):
    """BRF (Higuchi et al., ICML 2024): RF that cannot diverge, with a refractory period q.

    b = p(ω) − |damping| − q, where p(ω) = (−1 + √(1 − (dt·ω)²))/dt is the divergence boundary: at b = p(ω) the
    oscillation keeps its size. s = Θ(u' − v_th − q); q = 0.9·q + s. Published: as RF.
    """

    source = Source("Higuchi et al., ICML 2024", 2024, code="AdaptiveAILab/brf-neurons: snn/modules/rf.py")
    tags = ("resonating", "heterogeneous", "adaptive")
    states = ("u", "v", "q")
    refractory_decay = 0.9

    def step(self, x: Tensor, u: Tensor, v: Tensor, q: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        boundary = (-1 + torch.sqrt(1 - torch.square(self.dt * self.omega))) / self.dt
        u, v = self.oscillate(x, u, v, boundary - self.damping.abs() - q)
        spike = self.spike(u - self.v_th - q)
        return spike, u, v, self.refractory_decay * q + spike

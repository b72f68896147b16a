"""LIF with a learnable slope before the threshold."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Span, register


@register
class KLIF(Neuron):
    """KLIF (Jiang & Zhang 2023): the charged potential is scaled by a learnable k and rectified before it fires.

    u = γ·u + x; f = relu(k·u); s = Θ(f − v_th); u = f after its reset. Published: input decays with the leak, hard
    reset, arctangent surrogate, as in the PLIF code that it builds on.
    """

    source = Source("Jiang & Zhang, arXiv 2302.09238", 2023)
    tags = ("standard",)
    states = ("u",)
    published = {"decay_input": True, "reset": "hard", "surrogate": "atan", "surrogate_width": 1.0}
    k = Learnable(1.0)
    tuning = {"k": Span(0.5, 2, logarithmic=True)}

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        f = torch.relu(self.k * self.charge(u, x))
        spike = self.spike(f - self.v_th)
        return spike, self.fire_reset(f, spike)

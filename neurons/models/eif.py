"""Exponential integrate-and-fire."""

import torch
from torch import Tensor

from neurons import Neuron, Source, register


@register
class EIF(Neuron):
    """Exponential integrate-and-fire: u = u + (x + v_rest − u + Δ·exp((u − v_rheobase)/Δ))/tau; s = Θ(u − v_th).

    Δ is `sharpness`. The reset is hard in both protocols. Published: the constants of spikingjelly's EIFNode (v_reset
    −0.1, logistic surrogate of slope 4), whose potential starts at v_reset; here it starts at 0.
    """

    source = Source(
        "Fourcaud-Trocmé et al., J. Neurosci. 2003",
        2003,
        code="fangwei123456/spikingjelly: functional/neuron.py eif_step",
    )
    tags = ("biological",)
    states = ("u",)
    published = {"v_reset": -0.1, "surrogate": "sigmoid"}
    reset = "hard"
    sharpness = 1.0
    v_rest = 0.0
    v_rheobase = 0.8

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        rise = self.sharpness * torch.exp((u - self.v_rheobase) * (1 / self.sharpness))
        u = u + (x + self.v_rest - u + rise) * self.inverse_tau
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)

    @property
    def input_scale(self) -> float:
        return float(self.tau)

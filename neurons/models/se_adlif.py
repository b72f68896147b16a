"""Adaptive LIF in a symplectic discretisation."""

from typing import ClassVar

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register


@register
class SEAdLIF(Neuron):
    """SE-adLIF (Baronig et al., Nat. Commun. 2025): adaptation from the new potential, which keeps it stable.

    u = α·u + x − (1 − α)·w; s = Θ(u − v_th); u = u·(1 − s), no gradient by the reset; w = β·w + (1 − β)·q·(a·u + b·s).

    α = exp(−1/τ_u) with τ_u between 5 and 25 steps, β likewise between 60 and 300: where between, a and b are learned
    per channel and bounded. q is that of the paper's SHD runs. Published: the input is scaled by 1 − α too, SLAYER
    surrogate of decay 5 and factor 0.4. Leak and reset of the protocol do not apply.
    """

    name = "se_adlif"
    source = Source("Baronig et al., Nat. Commun. 2025", 2025, code="IGITUGraz/SE-adlif: models/alif.py")
    tags = ("adaptive", "heterogeneous")
    states: ClassVar[tuple[str, ...]] = ("u", "w")
    published = {
        "decay_input": True,
        "surrogate": "exponential",
        "surrogate_width": 0.4,
        "surrogate_gain": 0.4,
    }
    q = 120.0
    tau_u_least = 5.0
    tau_u_most = 25.0
    tau_w_least = 60.0
    tau_w_most = 300.0
    place_u = Learnable(Uniform(0, 1), per="channel", low=0, high=1)
    place_w = Learnable(Uniform(0, 1), per="channel", low=0, high=1)
    a = Learnable(Uniform(0, 1), per="channel", low=0, high=1)
    b = Learnable(Uniform(0, 2), per="channel", low=0, high=2)

    def step(self, x: Tensor, u: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        u = self.integrate(x, u, w)
        spike = self.spike(u - self.v_th)
        u = u * (1 - spike.detach())
        return spike, u, self.adapt(w, u, spike)

    def integrate(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """The potential before a spike."""
        keep = torch.exp(-1 / (self.tau_u_least + (self.tau_u_most - self.tau_u_least) * self.place_u))
        return keep * u + ((1 - keep) * x if self.decay_input else x) - (1 - keep) * w

    def adapt(self, w: Tensor, u: Tensor, spike: Tensor) -> Tensor:
        """The adaptation current, driven by potential and spike."""
        keep = torch.exp(-1 / (self.tau_w_least + (self.tau_w_most - self.tau_w_least) * self.place_w))
        return keep * w + (1 - keep) * self.q * (self.a * u + self.b * spike)

    @property
    def input_scale(self) -> float:
        return 15.0 if self.decay_input else 1.0

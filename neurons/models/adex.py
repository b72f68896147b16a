"""Adaptive exponential integrate-and-fire."""

import torch
from torch import Tensor

from neurons import Neuron, Source, register


@register
class AdEx(Neuron):
    """AdEx (Brette & Gerstner 2005) with a synaptic current, as norse's LIFAdEx in steps of its dt.

    i₊ = i + x; u = u + (−u + Δ·exp((u − v_th)/Δ) + i₊ − a)/tau; i = i₊·(1 − 1/tau_synapse);
    a = a + (coupling·u₋ − a)/tau_adaptation + jump·s; s = Θ(u − v_th), with u₋ the potential of the step before.

    Δ is `sharpness`. The reset is hard in both protocols. Published: norse's constants at its dt of 1 ms, SuperSpike
    surrogate of slope 100 and height 1; it fires above the threshold, here also at it.
    """

    source = Source("Brette & Gerstner, J. Neurophysiol. 2005", 2005, code="norse/norse: functional/lif_adex.py")
    tags = ("biological", "adaptive", "synaptic")
    states = ("u", "i", "a")
    published = {
        "tau": 10.0,
        "surrogate": "fast_sigmoid",
        "surrogate_width": 0.02,
        "surrogate_gain": 0.02,
    }
    reset = "hard"
    sharpness = 0.5
    coupling = 4.0
    jump = 0.02
    tau_synapse = 5.0
    tau_adaptation = 500.0

    def step(self, x: Tensor, u: Tensor, i: Tensor, a: Tensor) -> tuple[Tensor, ...]:
        i = i + x
        rise = self.sharpness * torch.exp((u - self.v_th) * (1 / self.sharpness))
        a_next = a + (self.coupling * u - a) * (1 / self.tau_adaptation)
        u = u + (rise - u + i - a) * self.inverse_tau
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike), i * (1 - 1 / self.tau_synapse), a_next + self.jump * spike

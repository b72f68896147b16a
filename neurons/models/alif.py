"""Adaptive leaky integrate-and-fire."""

import math

from torch import Tensor

from neurons import Neuron, Source, Span, register


@register
class ALIF(Neuron):
    """Adaptive LIF (Bellec et al., NeurIPS 2018): each spike raises the threshold, which falls back slowly.

    θ = v_th + beta·a; u = γ·u + x; s = Θ(u − θ); u −= θ·s; a = ρ·a + (1 − ρ)·s with ρ = exp(−1/tau_adaptation).

    The reset takes the raised threshold away at the spike itself, as the code does; the paper subtracts it one step
    later. Published: both time constants 20 steps, decayed input, threshold 0.01, as in the code; there each neuron
    learns its own time constants (Yin et al. 2021), here they are constants as in Bellec et al.
    """

    source = Source("Bellec et al., NeurIPS 2018", 2018, "eq. 1-3", "AdaptiveAILab/brf-neurons: snn/modules/alif.py")
    tags = ("adaptive",)
    states = ("u", "a")
    published = {"tau": 1 / (1 - math.exp(-1 / 20)), "v_th": 0.01, "decay_input": True}
    beta = 1.8
    tau_adaptation = 20.0
    tuning = {"beta": Span(0.2, 4, logarithmic=True), "tau_adaptation": Span(3, 100, logarithmic=True)}

    def step(self, x: Tensor, u: Tensor, a: Tensor) -> tuple[Tensor, ...]:
        threshold = self.v_th + self.beta * a
        u = self.charge(u, x)
        spike = self.spike(u - threshold)
        keep = math.exp(-1 / self.tau_adaptation)
        return spike, self.fire_reset(u, spike, threshold), keep * a + (1 - keep) * spike

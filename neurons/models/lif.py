"""Leaky integrate-and-fire."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class LIF(Neuron):
    """Leaky integrate-and-fire (CLIF paper, eq. 1-3): u = γ·u + x; s = Θ(u − v_th); u is reset where it spiked."""

    source = Source("Lapicque 1907; in discrete time Huang et al., ICML 2024", 1907, "CLIF paper, eq. 1-3")
    tags = ("standard",)
    states = ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)

"""Integrate-and-fire."""

from torch import Tensor

from neurons import Neuron, register


@register
class IF(Neuron):
    """Integrate-and-fire, a LIF without its leak: u = u + x; s = Θ(u − v_th); u is reset where it spiked."""

    tags = ("standard",)
    states = ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = u + x
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)

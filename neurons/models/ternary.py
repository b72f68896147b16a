"""LIF that fires −1, 0 or 1."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class Ternary(Neuron):
    """Ternary spikes (Guo et al., AAAI 2024): u = γ·u + x; s is u/v_th rounded to −1, 0 or 1; u is reset by s.

    So it fires beyond half of v_th on either side, with a straight-through gradient between −v_th and v_th. Published:
    decay 0.25, hard reset to 0. At ±v_th/2 itself the code fires, here it does not. The amplitude that the paper trains
    is folded into weights, and left out here.
    """

    source = Source("Guo et al., AAAI 2024", 2024, code="yfguo91/Ternary-Spike: models/spike_layer.py")
    tags = ("levels",)
    states = ("u",)
    published = {"tau": 4 / 3, "reset": "hard"}

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.levels(u * (1 / self.v_th), -1, 1)
        taken = spike.detach() if self.detach_reset else spike
        return spike, u - self.v_th * taken if self.reset == "soft" else u * (1 - taken.abs())

    @property
    def bits(self) -> int:
        return 2

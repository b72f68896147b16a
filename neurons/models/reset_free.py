"""LIF without a reset."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class ResetFree(Neuron):
    """Reset-free LIF: u = γ·u + x; s = Θ(u − v_th), and nothing is taken away (snnTorch's StateLeaky).

    Its potential is linear in the input, so a whole sequence can be computed at once.
    """

    name = "reset_free"
    source = Source("Eshraghian et al., Proc. IEEE 2023", 2023, code="jeshraghian/snntorch: _neurons/stateleaky.py")
    tags = ("linear",)
    states = ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        return self.spike(u - self.v_th), u

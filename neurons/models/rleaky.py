"""LIF with a connection from itself."""

from torch import Tensor

from neurons import Learnable, Neuron, Source, register


@register
class RLeaky(Neuron):
    """LIF whose own last spike is added to its input: u = γ·u + x + feedback·s₋ − v_th·s₋ (snnTorch's RLeaky).

    The spike of the step before is subtracted, whole and out of the gradient, as the code does; the one that is fed
    back carries a gradient. `feedback` is learned, one a layer (the code's `all_to_all=False`). The reset of the
    protocol does not apply.
    """

    source = Source("Eshraghian et al., Proc. IEEE 2023", 2023, code="jeshraghian/snntorch: _neurons/rleaky.py")
    tags = ("recurrent",)
    states = ("u", "spike")
    feedback = Learnable(1.0)

    def step(self, x: Tensor, u: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x) + self.feedback * spike - self.v_th * spike.detach()
        spike = self.spike(u - self.v_th)
        return spike, u, spike

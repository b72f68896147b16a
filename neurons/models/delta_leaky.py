"""A leaky integrator that spikes when its potential jumps."""

from torch import Tensor

from neurons import Neuron, Source, register


@register
class DeltaLeaky(Neuron):
    """Delta neuron (snnTorch's DeltaLeaky): u' = γ·u + x; s = Θ(|u' − u| − v_th), and nothing is reset."""

    name = "delta_leaky"
    source = Source("Eshraghian et al., Proc. IEEE 2023", 2023, code="jeshraghian/snntorch: _neurons/deltaleaky.py")
    tags = ("linear",)
    states = ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        after = self.charge(u, x)
        return self.spike((after - u).abs() - self.v_th), after

"""Resonate-and-fire."""

from typing import ClassVar

from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register


@register
class RF(Neuron):
    """Resonate-and-fire (Izhikevich 2001), a damped oscillation u + i·v that the input pushes.

    u' = u + dt·(b·u − ω·v) + x; v' = v + dt·(ω·u + b·v), with b = −|damping|; s = Θ(u' − v_th), and nothing is reset.
    ω and the damping are learned per channel, drawn as in the code. Published: the input is scaled by dt too, double
    Gaussian surrogate (Higuchi et al. 2024). The leak of the protocol does not apply.
    """

    source = Source("Izhikevich, Neural Networks 2001", 2001, code="AdaptiveAILab/brf-neurons: snn/modules/rf.py")
    tags = ("resonating", "heterogeneous", "linear")
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    published = {"decay_input": True, "surrogate": "double_gaussian"}
    dt = 0.01
    omega = Learnable(Uniform(5, 10), per="channel")
    damping = Learnable(Uniform(0, 3), per="channel")

    def step(self, x: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        u, v = self.oscillate(x, u, v, -self.damping.abs())
        return self.spike(u - self.v_th), u, v

    def oscillate(self, x: Tensor, u: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part one step later, for a growth rate b."""
        omega = self.omega.abs()
        current = self.dt * x if self.decay_input else x
        return u + self.dt * (b * u - omega * v) + current, v + self.dt * (omega * u + b * v)

    @property
    def input_scale(self) -> float:
        return 1 / self.dt if self.decay_input else 1.0

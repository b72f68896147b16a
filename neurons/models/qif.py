"""Quadratic integrate-and-fire."""

from typing import ClassVar

from torch import Tensor

from neurons import Neuron, Source, register


@register
class QIF(Neuron):
    """Quadratic integrate-and-fire: u = u + (x + a0·(u − v_rest)·(u − v_critical))/tau; s = Θ(u − v_th).

    Above v_critical the potential rises by itself, so the reset is hard in both protocols. Published: the constants of
    spikingjelly's QIFNode (v_reset −0.1, logistic surrogate of slope 4), whose potential starts at v_reset; here it
    starts at 0.
    """

    source = Source("Ermentrout & Kopell 1986", 1986, code="fangwei123456/spikingjelly: functional/neuron.py qif_step")
    tags: ClassVar[tuple[str, ...]] = ("biological",)
    states: ClassVar[tuple[str, ...]] = ("u",)
    published = {"v_reset": -0.1, "surrogate": "sigmoid"}
    reset = "hard"
    a0 = 1.0
    v_rest = 0.0
    v_critical = 0.8

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = u + (x + self.rise(u)) * self.inverse_tau
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)

    def rise(self, u: Tensor) -> Tensor:
        """What the potential adds to itself."""
        return self.a0 * (u - self.v_rest) * (u - self.v_critical)

    @property
    def input_scale(self) -> float:
        return float(self.tau)

"""Izhikevich's neuron, without units."""

from torch import Tensor

from neurons import Source, register
from neurons.models.qif import QIF


@register
class Izhikevich(QIF):
    """QIF with a recovery current: u = u + (x + a0·(u − v_rest)·(u − v_critical) − w)/tau; s = Θ(u − v_th).

    w = w + (a·(u − v_rest) − w)/tau_w + b·s, with u before its reset. The form without units of spikingjelly's
    IzhikevichNode. Its defaults a = b = 0 make it a QIF; a, b and tau_w are chosen here such that it adapts.
    """

    source = Source(
        "Izhikevich, IEEE Trans. Neural Netw. 2003",
        2003,
        code="fangwei123456/spikingjelly: functional/neuron.py izhikevich_step",
    )
    tags = ("biological", "adaptive")
    states = ("u", "w")
    a = 0.2
    b = 0.1
    tau_w = 10.0

    def step(self, x: Tensor, u: Tensor, w: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        u = u + (x + self.rise(u) - w) * self.inverse_tau
        spike = self.spike(u - self.v_th)
        w = w + (self.a * (u - self.v_rest) - w) * (1 / self.tau_w) + self.b * spike
        return spike, self.fire_reset(u, spike), w

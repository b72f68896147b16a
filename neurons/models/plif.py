"""LIF with a learnable time constant."""

import math

import torch
from torch import Tensor

from neurons import InvalidValue, Learnable, Neuron, Source, register


@register
class PLIF(Neuron):
    """Parametric LIF (Fang et al., ICCV 2021): a LIF whose 1/tau = sigmoid(w) is learned, one w a layer.

    w starts at −ln(tau − 1). Published: input decays with the leak, hard reset, arctangent surrogate (α = 2).
    """

    source = Source("Fang et al., ICCV 2021", 2021, code="fangwei123456/spikingjelly: activation_based/neuron")
    tags = ("standard",)
    states = ("u",)
    published = {"decay_input": True, "reset": "hard", "surrogate": "atan", "surrogate_width": 1.0}
    w = Learnable(lambda neuron: _w(neuron.tau))

    @property
    def inverse_tau(self) -> Tensor:
        return torch.sigmoid(self.w)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)


def _w(tau: float) -> float:
    if not tau > 1:
        raise InvalidValue(f"plif needs tau above 1 (1/tau = sigmoid(w) is below 1), not {tau}")
    return -math.log(tau - 1)

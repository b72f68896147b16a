"""Gated leaky integrate-and-fire."""

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Span, register
from neurons.model import logit


@register
class GLIF(Neuron):
    """Gated LIF (Yao et al., NeurIPS 2022, eq. 4-9): learned gates mix two leaks, two couplings and two resets.

    Every parameter is the sigmoid of a learnable value, per channel; `conduct` also per time step. The gates start
    near 1/2, drawn per channel. The threshold is learned, so `v_th` of the protocol does not apply.
    """

    source = Source("Yao et al., NeurIPS 2022", 2022, "eq. 4-9", "fangwei123456/spikingjelly: activation_based/neuron")
    tags = ("standard",)
    states = ("u", "spike")
    gate_leak = Learnable(0.0, per="channel", spread=0.1)
    gate_input = Learnable(0.0, per="channel", spread=0.1)
    gate_reset = Learnable(0.0, per="channel", spread=0.1)
    leak = Learnable(logit(0.25), per="channel")
    linear_leak = Learnable(lambda neuron: logit(0.5 / (2 * neuron.timesteps)), per="channel")
    v_subtract = Learnable(logit(0.5), per="channel")
    threshold = Learnable(logit(0.5), per="channel")
    conduct = Learnable(logit(0.5), per="step_channel")
    tuning = {"leak": Span(logit(0.1), logit(0.8)), "threshold": Span(logit(0.25), logit(0.9))}

    def step(self, x: Tensor, u: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        a, b, c = torch.sigmoid(self.gate_leak), torch.sigmoid(self.gate_input), torch.sigmoid(self.gate_reset)
        decay = 1 - a * (1 - torch.sigmoid(self.leak))
        linear = (1 - a) * torch.sigmoid(self.linear_leak)
        gain = 1 - b * (1 - torch.sigmoid(self.conduct))
        subtract = (1 - c) * torch.sigmoid(self.v_subtract)
        u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
        spike = self.spike(u - torch.sigmoid(self.threshold))
        return spike, u, spike

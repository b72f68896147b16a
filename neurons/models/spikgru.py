"""A gated neuron: a current, a potential, and a gate that decides between them."""

import math

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register

WIDTH = math.pi / math.sqrt(10)


@register
class SpikGRU(Neuron):
    """SpikGRU (Dampfhoffer et al., ICANN 2022), each neuron by itself: an upper bound of what gates can do.

    i = α·i + x + back_i·s₋; z = σ(in_z·x + back_z·s₋ + bias_z); u = z·u + (1 − z)·i − v_th·s₋; s = Θ(u − v_th).

    In the paper the gate and the current see all neurons of the layer through matrices; here each sees its own last
    spike and the current that the layer before gives it, by weights learned per channel. They are drawn as the code
    draws a matrix of one input; α starts at 0.9, the code's value. Published: surrogate 1/(1 + 10·distance²).
    Leak and reset of the protocol do not apply.
    """

    source = Source("Dampfhoffer et al., ICANN 2022", 2022, code="SpikGRU-DVSLip: layers.py GRUlayer")
    tags = ("gated", "recurrent", "synaptic", "heterogeneous")
    states = ("u", "i", "spike")
    published = {"surrogate": "atan", "surrogate_width": WIDTH, "surrogate_gain": WIDTH}
    alpha = Learnable(0.9, per="channel", low=0, high=1)
    back_i = Learnable(Uniform(-1, 1), per="channel")
    in_z = Learnable(Uniform(-1, 1), per="channel")
    back_z = Learnable(Uniform(-1, 1), per="channel")
    bias_z = Learnable(Uniform(-1, 1), per="channel")

    def step(self, x: Tensor, u: Tensor, i: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        gate = torch.sigmoid(self.in_z * x + self.back_z * spike + self.bias_z)
        i = self.alpha * i + x + self.back_i * spike
        u = gate * u + (1 - gate) * i - self.v_th * spike
        spike = self.spike(u - self.v_th)
        return spike, u, i, spike

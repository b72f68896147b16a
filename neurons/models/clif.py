"""Complementary leaky integrate-and-fire."""

import torch
from torch import Tensor

from neurons import Neuron, Source, register


@register
class CLIF(Neuron):
    """Complementary LIF (Huang et al., ICML 2024, Algorithm 1): LIF with a complementary potential m.

    m decays by sigmoid(u/tau) and rises with each spike; the reset subtracts v_th + sigmoid(m). Gradients travel
    through time by m also where the path through u is cut.
    """

    source = Source("Huang et al., ICML 2024", 2024, "Algorithm 1")
    tags = ("standard",)
    states = ("u", "m")

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        m = m * torch.sigmoid(u / self.tau) + spike
        u = u - spike * (self.v_th + torch.sigmoid(m))
        return spike, u, m

"""Complementary LIF as two codes compute it, which is not as its paper has it."""

import torch
from torch import Tensor

from neurons import Neuron, Source, register


@register
class CLIFInPlace(Neuron):
    """CLIF whose complementary potential m is overwritten by its own sigmoid at each step.

    The paper (Huang et al., ICML 2024, Algorithm 1) takes sigmoid(m) for the reset and carries m itself on.
    NeuroSeqBench and one of the two classes in the authors' code take the sigmoid in place, so that m is squashed into
    (0, 1) once a step. A variant for comparison; the paper's neuron is `clif`.
    """

    name = "clif_in_place"
    source = Source(
        "NeuroSeqBench, arXiv 2502.09449", 2025, code="liyc5929/neuroseqbench: network/neuron/complementary_lif.py"
    )
    tags = ("variant",)
    states = ("u", "m")

    def step(self, x: Tensor, u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th)
        m = torch.sigmoid(m * torch.sigmoid(u / self.tau) + spike)
        u = u - spike * (self.v_th + m)
        return spike, u, m

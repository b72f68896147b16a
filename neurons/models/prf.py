"""Parallel resonate-and-fire."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register
from neurons.learnable import Draw


class LogPhase(Draw):
    """The logarithm of a phase that is uniform between 0 and 2π."""

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        return torch.log(2 * math.pi * (1 - torch.rand(shape)))


@register
class PRF(Neuron):
    """PRF (Huang et al., arXiv 2410.03530): u + i·v turns by exp(dt·(−1/tau + i·θ)); s = Θ(u − v_th), without a reset.

    dt and θ are learned per channel as logarithms, dt from 0.001 to 0.1, θ from 0 to 2π. Published: the input is scaled
    by dt too, arctangent surrogate. Being linear it may run in parallel over time, which gives the same.
    """

    source = Source("Huang et al., arXiv 2410.03530", 2024, code="HuuYuLong/prf: neuron.py")
    tags = ("resonating", "heterogeneous", "linear")
    states = ("u", "v")
    published = {"decay_input": True, "surrogate": "atan"}
    log_dt = Learnable(Uniform(math.log(0.001), math.log(0.1)), per="channel")
    log_phase = Learnable(LogPhase(), per="channel")

    def step(self, x: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        dt = torch.exp(self.log_dt)
        size, angle = torch.exp(-dt / self.tau), dt * torch.exp(self.log_phase)
        cosine, sine = size * torch.cos(angle), size * torch.sin(angle)
        u, v = cosine * u - sine * v + (dt * x if self.decay_input else x), sine * u + cosine * v
        return self.spike(u - self.v_th), u, v

    @property
    def input_scale(self) -> float:
        return 50.0 if self.decay_input else 1.0

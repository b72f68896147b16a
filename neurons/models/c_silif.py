"""A complex state-space neuron with a reset."""

import math

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Source, Uniform, register


@register
class CSiLIF(Neuron):
    """C-SiLIF (Fabre et al., arXiv 2506.06374): u = λ·(u − ½·s₋) + gain·x; s = Θ(2·Re u − v_th), u complex.

    λ = exp(exp(log_dt)·(−exp(log_damping) + i·omega)); all learned per channel, log_dt drawn between ln 0.01 and
    ln 0.5, the code's defaults. `u` is the real part, `v` the imaginary one. The code starts its states at random in
    every call, here they start at zero. Leak and reset of the protocol do not apply.
    """

    name = "c_silif"
    source = Source("Fabre et al., arXiv 2506.06374", 2025, code="Maxtimer97/SSM-inspired-LIF: models/snns.py")
    tags = ("resonating", "heterogeneous")
    states = ("u", "v", "spike")
    log_damping = Learnable(math.log(0.5), per="channel")
    omega = Learnable(math.pi, per="channel")
    log_dt = Learnable(Uniform(math.log(0.01), math.log(0.5)), per="channel")
    gain = Learnable(Uniform(0, 1), per="channel")

    def step(self, x: Tensor, u: Tensor, v: Tensor, spike: Tensor) -> tuple[Tensor, ...]:
        dt = torch.exp(self.log_dt)
        size = torch.exp(-dt * torch.exp(self.log_damping))
        cosine, sine = size * torch.cos(dt * self.omega), size * torch.sin(dt * self.omega)
        real = u - 0.5 * spike
        u, v = cosine * real - sine * v + self.gain * x, sine * real + cosine * v
        spike = self.spike(2 * u - self.v_th)
        return spike, u, v, spike

"""Parallel multi-compartment spiking neuron."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from neurons import Learnable, Neuron, Normal, Source, Uniform, register
from neurons.learnable import Draw


class Diagonalised(Draw):
    """A part of the coupled compartments in the basis in which they are apart, alike for every channel."""

    def __init__(self, part: str) -> None:
        self.part = part

    def __call__(self, shape: tuple[int, ...], drawn: Mapping[str, Tensor]) -> Tensor:
        count = shape[1]
        coupling = torch.diag(5.0 * torch.arange(1, count), 1)
        frequency, basis = torch.linalg.eigh((coupling - coupling.T) * -1j)
        ones = torch.ones(count, dtype=basis.dtype)
        if self.part == "frequency":
            return frequency.expand(shape).clone()
        values = basis.conj().T @ ones if self.part == "into" else ones @ basis
        return torch.view_as_real(values).expand(shape).clone()


def _complex(neuron: "PMSN", channels: int) -> tuple[int, ...]:
    return channels, neuron.compartments, 2


@register
class PMSN(Neuron):
    """PMSN (Chen et al., 2024): coupled compartments, diagonalised, whose sum drives an integrate-and-fire soma.

    y = Re Σ_n out_n·(exp(A_n·dt) − 1)/A_n·into_n·∑_k exp(A_n·dt·k)·x[t − k] + skip·x, all learned per channel, computed
    as a convolution by FFT, which is exact; A = −exp(log_damping) + i·frequency. The soma adds up relu(y) without leak:
    s = Θ(c[t] − v_th·⌊c[t − 1]/v_th⌋ − v_th) with c its running sum, and the gradient of s goes to relu(y[t]) alone. As
    in the code for SHD; published: triangle of base 2.
    """

    source = Source("Chen et al., arXiv 2408.14917", 2024, code="xychen-comp/PMSN: SHD/PMSN.py")
    tags = ("parallel", "compartments", "resonating", "heterogeneous")
    published = {"surrogate": "triangle"}
    compartments = 4
    log_dt = Learnable(Uniform(math.log(0.001), math.log(0.1)), shape=lambda neuron, channels: (channels, 1))
    log_damping = Learnable(math.log(0.5), shape=lambda neuron, channels: (channels, neuron.compartments))
    frequency = Learnable(Diagonalised("frequency"), shape=lambda neuron, channels: (channels, neuron.compartments))
    into = Learnable(Diagonalised("into"), shape=_complex)
    out = Learnable(Diagonalised("out"), shape=_complex)
    skip = Learnable(Normal(0, 1), per="channel")

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of all steps for the input current x [T, N, *features]."""
        steps = len(x)
        kernel = self.kernel(steps).reshape(steps, 1, -1, *[1] * (x.ndim - 3))
        wide = x.to(kernel.dtype)
        spectrum = torch.fft.rfft(kernel, 2 * steps, 0) * torch.fft.rfft(wide, 2 * steps, 0)
        driven = torch.relu(torch.fft.irfft(spectrum, 2 * steps, 0)[:steps] + self.skip * wide)
        total = driven.detach().cumsum(0)
        before = torch.cat([torch.zeros_like(total[:1]), total[:-1]])
        left = before - torch.floor(before / self.v_th) * self.v_th
        return self.spike(driven + left - self.v_th).to(x.dtype)

    def kernel(self, steps: int) -> Tensor:
        """[T, C] the response to an input of 1 at step 0, skip apart; float32 at least."""
        real = torch.promote_types(self.log_dt.dtype, torch.float32)
        rate = torch.complex(-torch.exp(self.log_damping.to(real)), self.frequency.to(real))
        turned = rate * torch.exp(self.log_dt.to(real))
        weight = torch.view_as_complex(self.out.to(real)) * torch.view_as_complex(self.into.to(real))
        weight = weight * (torch.exp(turned) - 1) / rate
        powers = torch.exp(turned * torch.arange(steps, device=rate.device).view(-1, 1, 1))
        return (powers * weight).sum(2).real

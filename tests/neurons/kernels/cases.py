"""The conformance cases, shared by every backend: a new neuron is tested by existing."""

from __future__ import annotations

import torch

import neurons
from neurons.conformance import Agreement, compare

STEPS = [1, 2, 4, 33, 128]
PROTOCOLS = ["controlled", "published"]
UNDECIDED_SHARE = {torch.float64: 0.0, torch.float32: 3e-5, torch.float16: 1e-3, torch.bfloat16: 1e-2}
"""Most neurons, for each time step, that may come within rounding of a jump: 16-bit inputs lie on a coarse grid and
meet the edges of the rectangle exactly."""


def shape_of(elements: int) -> tuple[int, int, int]:
    """[N, C, features] with that many neurons: odd channels and features where they divide it."""
    channels = next(count for count in (5, 3, 1) if elements % count == 0)
    inner = next(count for count in (17, 11, 7, 1) if (elements // channels) % count == 0)
    return elements // channels // inner, channels, inner


def agreement(
    name: str, backend: str, steps: int, elements: int, dtype: torch.dtype = torch.float32, **settings: object
) -> Agreement:
    """Compare one layer with the reference on a usual drive."""
    torch.manual_seed(steps * elements)
    samples, channels, inner = shape_of(elements)
    layer = neurons.layer(name, channels, steps, backend, **settings)
    if dtype == torch.float64:
        layer.double()
    x = (0.7 + 0.6 * torch.randn(steps, samples, channels, inner)).to(dtype)
    return compare(layer, x, torch.randn(x.shape).to(dtype))


def assert_agrees(found: Agreement, steps: int, dtype: torch.dtype = torch.float32) -> None:
    assert found.fault is None
    assert found.undecided <= 3 + UNDECIDED_SHARE[dtype] * steps * found.neurons

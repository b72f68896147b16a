"""Surrogates: the area, the support and the agreement with finite differences of their antiderivatives."""

from __future__ import annotations

import pytest
import torch

from neurons.surrogate import SURROGATES, spike


@pytest.mark.parametrize("kind", SURROGATES)
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_unit_area_and_even(kind: str, width: float) -> None:
    distance = torch.linspace(-500, 500, 2_000_001, dtype=torch.float64)
    density = SURROGATES[kind](distance, width)
    assert torch.trapezoid(density, distance).item() == pytest.approx(1, abs=3e-3)
    assert torch.allclose(density, density.flip(0), atol=1e-12)
    assert SURROGATES[kind](torch.zeros(1), width).item() == pytest.approx(1 / width)


def test_rectangle_support_is_open() -> None:
    distance = torch.tensor([-0.5, -0.49, 0.0, 0.49, 0.5])
    assert SURROGATES["rectangle"](distance, 1.0).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("kind", SURROGATES)
def test_spike_is_binary_and_uses_the_surrogate(kind: str) -> None:
    distance = torch.tensor([-0.2, 0.0, 0.3], dtype=torch.float64, requires_grad=True)
    spikes = spike(distance, kind, 1.0)
    assert spikes.tolist() == [0, 1, 1]
    (gradient,) = torch.autograd.grad(spikes.sum(), distance)
    assert torch.equal(gradient, SURROGATES[kind](distance.detach(), 1.0))
    assert (gradient != 0).all()

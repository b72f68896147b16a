"""Surrogates: the area, the support, and published forms and values."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from neurons.surrogate import SURROGATES, spike

AREA = {"double_gaussian": 0.425, "multi_gaussian": 0.425}
"""½·(1.15 − 0.3), as published; of others 1, but for that which has no end."""
ENDLESS = "straight_through"


@pytest.mark.parametrize("kind", [kind for kind in SURROGATES if kind != ENDLESS])
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_area_and_even(kind: str, width: float) -> None:
    distance = torch.linspace(-500, 500, 2_000_001, dtype=torch.float64)
    density = SURROGATES[kind](distance, width)
    assert torch.trapezoid(density, distance).item() == pytest.approx(AREA.get(kind, 1), abs=3e-3)
    assert torch.allclose(density, density.flip(0), atol=1e-12)
    if kind not in AREA:
        assert SURROGATES[kind](torch.zeros(1), width).item() == pytest.approx(1 / width)


def test_published_forms_at_a_distance() -> None:
    at = torch.tensor([0.3], dtype=torch.float64)
    found = {kind: SURROGATES[kind](at, 1.0).item() for kind in SURROGATES}
    assert found["fast_sigmoid"] == pytest.approx(1 / (1 + 2 * 0.3) ** 2)  # SuperSpike, β = 2
    assert found["exponential"] == pytest.approx(math.exp(-0.6))  # SLAYER
    assert found["gaussian"] == pytest.approx(math.exp(-math.pi * 0.09))
    assert found["straight_through"] == 1

    def normal(mean: float, deviation: float) -> float:
        return NormalDist(mean, deviation).pdf(0.3)

    assert found["double_gaussian"] == pytest.approx(0.5 * (1.15 * normal(0, 0.5) - 0.3 * normal(0, 3)))
    beside = 0.15 * (normal(0.5, 3) + normal(-0.5, 3))
    assert found["multi_gaussian"] == pytest.approx(0.5 * (1.15 * normal(0, 0.5) - beside))


def test_the_gain_multiplies() -> None:
    # SE-adLIF's c·α/2·exp(−α·|d|) with α = 5, c = 0.4 is the exponential of width 2/α and gain c: 1 at 0
    distance = torch.tensor([0.0, 0.2], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(spike(distance, "exponential", 0.4, 0.4).sum(), distance)
    assert gradient.tolist() == pytest.approx([1, math.exp(-1)])


def test_piecewise_quadratic_is_the_triangle() -> None:
    """spikingjelly's with α = 1: −|d| + 1 within 1."""
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    distance = torch.linspace(-2, 2, 41, requires_grad=True)
    (theirs,) = torch.autograd.grad(surrogate.PiecewiseQuadratic(alpha=1.0)(distance).sum(), distance)
    assert torch.allclose(theirs, SURROGATES["triangle"](distance.detach(), 1.0), atol=1e-6)


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

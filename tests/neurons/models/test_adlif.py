"""adLIF by hand: α = 0.9, β = 0.98, a = 0.5, b = 1, within their bounds."""

import math

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, trace

GIVEN = {"alpha": 0.9, "beta": 0.98, "a": 0.5, "b": 1.0}


def test_adaptation_by_hand() -> None:
    # w = 0; u = 1.2 fires
    # w = 0.5·1.2 + 1 = 1.6; u = 0.9·(1.2 − 1) + 1 − 0.1·1.6 = 1.02 fires
    # w = 0.98·1.6 + 0.5·1.02 + 1 = 3.078; u = 0.9·0.02 + 0.5 − 0.3078 = 0.2102
    found = trace("adlif", [1.2, 1.0, 0.5], GIVEN)
    assert_trace(found, [(1, 1.2, 0, 1), (1, 1.02, 1.6, 1), (0, 0.2102, 3.078, 0)])


def test_published_scales_its_input() -> None:
    # u = 0.1·12 = 1.2, then as above with inputs ten times as large
    found = trace("adlif", [12, 10, 5], GIVEN, protocol="published")
    assert_trace(found, [(1, 1.2, 0, 1), (1, 1.02, 1.6, 1), (0, 0.2102, 3.078, 0)])


def test_the_draws_are_those_of_the_code() -> None:
    layer = neurons.layer("adlif", channels=2000, backend="reference")
    bounds = {"alpha": (math.exp(-1 / 5), math.exp(-1 / 25)), "beta": (math.exp(-1 / 30), math.exp(-1 / 120))}
    for name, (low, high) in {**bounds, "a": (-1, 1), "b": (0, 2)}.items():
        value = getattr(layer, name).detach()
        assert low <= float(value.min()) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < float(value.max()) <= high
    assert trace("adlif", [1.0], {"b": 7.0, "a": -3.0})[0] == pytest.approx((1, 1, 0, 1))


def test_a_coupling_far_below_zero_lets_it_grow() -> None:
    # without spikes (u, w) → (0.9u − 0.1(0.98w − u), 0.98w − u) for a = −1: the larger root of
    # λ² − (0.9 + 0.1 + 0.98)λ + 0.9·0.98 = 0 is 0.99 + √(0.99² − 0.882) = 1.3033
    growth = 0.99 + math.sqrt(0.99**2 - 0.9 * 0.98)
    found = trace("adlif", [0.5] + [0.0] * 60, {"alpha": 0.9, "beta": 0.98, "a": -1.0}, v_th=1e12)
    assert found[60][1] / found[59][1] == pytest.approx(growth, rel=1e-6)
    assert growth > 1

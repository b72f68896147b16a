"""ALIF by hand. tau = 2, v_th = 1; with tau_adaptation = 1/ln 2 the adaptation keeps 1/2, and beta = 1.8."""

import math

import pytest

from tests.neurons.models.hand import assert_trace, trace

HALF = 1 / math.log(2)


def test_the_threshold_rises_with_a_spike_and_falls_back() -> None:
    # u: 1.2 fires over 1, leaves 0.2; a = 0.5, so θ = 1.9
    # u: 0.1 + 1.2 = 1.3 < 1.9; a = 0.25, θ = 1.45
    # u: 0.65 + 1 = 1.65 fires, leaves 1.65 − 1.45 = 0.2; a = 0.125 + 0.5
    expected = [(1, 0.2, 0.5), (0, 1.3, 0.25), (1, 0.2, 0.625)]
    assert_trace(trace("alif", [1.2, 1.2, 1.0], tau_adaptation=HALF), expected)


def test_published_decays_its_input_by_the_exponential() -> None:
    # α = exp(−1/20): u = (1 − α)·1 = 0.0487705755, over 0.01; a = 0.0487705755 then
    keep = math.exp(-1 / 20)
    (found,) = trace("alif", [1.0], protocol="published")
    assert found == pytest.approx((1, 1 - keep - 0.01, 1 - keep))

"""BRF by hand, and its divergence boundary."""

import math

import pytest

from tests.neurons.models.hand import assert_trace, trace


def test_the_refractory_period_raises_threshold_and_damping() -> None:
    # dt = 0.1, ω = 6: p = (−1 + √(1 − 0.36))/0.1 = −2; damping 0: b = −2, a step multiplies by 0.8 + 0.6i
    # u = 1.5 fires, q = 1
    # b = −3: u = 1.5·0.7 + 1 = 2.05, v = 0.9; 2.05 ≥ 1 + 1 fires, q = 1.9
    # b = −3.9: u = 2.05·0.61 − 0.6·0.9 = 0.7105, v = 0.6·2.05 + 0.61·0.9 = 1.779; no spike, q = 1.71
    found = trace("brf", [1.5, 1.0, 0.0], {"omega": 6.0, "damping": 0.0}, dt=0.1)
    assert_trace(found, [(1, 1.5, 0, 1), (1, 2.05, 0.9, 1.9), (0, 0.7105, 1.779, 1.71)])


def test_divergence_boundary() -> None:
    """At b = p(ω) and without spikes the oscillation keeps its size over any number of steps; RF of b = 0 grows."""
    # ω = 10, dt = 0.01: p = (−1 + √0.99)/0.01 = −0.5012563
    assert (-1 + math.sqrt(1 - 0.1**2)) / 0.01 == pytest.approx(-0.5012563, abs=1e-7)
    currents = [0.9] + [0.0] * 2000
    brf = trace("brf", currents, {"omega": 10.0, "damping": 0.0})
    rf = trace("rf", currents, {"omega": 10.0, "damping": 0.0}, v_th=1e9)
    assert math.hypot(*brf[-1][1:3]) == pytest.approx(0.9, rel=1e-9)
    assert math.hypot(*rf[-1][1:3]) == pytest.approx(0.9 * 1.01**1000, rel=1e-9)  # |1 + 0.1i|² = 1.01

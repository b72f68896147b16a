"""PRF by hand: dt = 1, θ = π/2, tau = 2: a step multiplies by exp(−½)·i."""

import math

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, trace


def test_a_quarter_turn_a_step() -> None:
    keep = math.exp(-0.5)
    found = trace("prf", [1.2, 0.0, 2.0], {"log_dt": 0.0, "log_phase": math.log(math.pi / 2)})
    assert_trace(found, [(1, 1.2, 0), (0, 0, 1.2 * keep), (1, 2 - 1.2 * keep**2, 0)])


def test_published_scales_its_input_by_dt() -> None:
    (found,) = trace("prf", [20.0], {"log_dt": math.log(0.1)}, protocol="published")
    assert found == pytest.approx((1, 2, 0))


def test_the_draws_are_those_of_the_code() -> None:
    layer = neurons.layer("prf", channels=4000, backend="reference")
    assert math.log(0.001) <= float(layer.log_dt.min()) < math.log(0.00105)
    phase = layer.log_phase.detach().exp()
    assert float(phase.mean()) == pytest.approx(math.pi, abs=0.1)
    assert 6.2 < float(phase.max()) <= 2 * math.pi + 1e-5

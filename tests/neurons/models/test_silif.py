"""SiLIF by hand: rates such that α = ½ and β = ¼, a = 0.5, b = 1."""

import math

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, trace


def test_decays_and_adaptation() -> None:
    # exp(rate + log_dt) = ln 2 gives α = ½; ln 4 gives β = ¼
    given = {"log_dt": 0.0, "rate_u": math.log(math.log(2)), "rate_w": math.log(math.log(4)), "a": 0.5, "b": 1.0}
    # u = 1.2 fires; w = 0.6 + 1 = 1.6; u = ½·0.2 + 1.5 − ½·1.6 = 0.8; w = 0.4 + 0.4 = 0.8; u = 0.4 + 0.5 − 0.4 = 0.5
    found = trace("silif", [1.2, 1.5, 0.5], given)
    assert_trace(found, [(1, 1.2, 0, 1), (0, 0.8, 1.6, 0), (0, 0.5, 0.8, 0)])


def test_the_first_decays_are_those_of_the_code() -> None:
    # 0.004·[10, 250]: α between exp(−1) and exp(−0.04); 0.004·[2.5, 10]: β between exp(−0.04) and exp(−0.01)
    layer = neurons.layer("silif", channels=2000, backend="reference")
    alpha = (-(layer.rate_u + layer.log_dt).exp()).exp().detach()
    beta = (-(layer.rate_w + layer.log_dt).exp()).exp().detach()
    assert float(alpha.min()) == pytest.approx(math.exp(-1), abs=0.01)
    assert float(alpha.max()) == pytest.approx(math.exp(-0.04), abs=0.01)
    assert float(beta.min()) == pytest.approx(math.exp(-0.04), abs=0.01)
    assert float(beta.max()) == pytest.approx(math.exp(-0.01), abs=0.01)

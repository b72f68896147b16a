"""SE-adLIF by hand: tau_u = 1/ln 2 keeps ½, tau_w = 1/ln 2 keeps ½, q = 2, a = 0.5, b = 1."""

import math

import pytest

from tests.neurons.models.hand import assert_trace, gradient, trace

HALF = 1 / math.log(2)
TAUS = {"tau_u_least": HALF, "tau_u_most": HALF, "tau_w_least": HALF, "tau_w_most": HALF}
GIVEN = {"a": 0.5, "b": 1.0}


def test_adaptation_from_the_new_potential() -> None:
    # u = 0.8: w = ½·2·(0.5·0.8) = 0.4
    # u = 0.4 + 1 − ½·0.4 = 1.2 fires, is 0; w = 0.2 + ½·2·(0 + 1) = 1.2
    # u = 0 + 0.9 − 0.6 = 0.3; w = 0.6 + 0.5·0.3 = 0.75
    found = trace("se_adlif", [0.8, 1.0, 0.9], GIVEN, q=2.0, **TAUS)
    assert_trace(found, [(0, 0.8, 0.4), (1, 0, 1.2), (0, 0.3, 0.75)])


def test_published_scales_its_input_and_its_gradient() -> None:
    # u = ½·1.6 = 0.8, a distance of −0.2 to the threshold; SLAYER: 0.4·5/2·exp(−5·0.2) = exp(−1), times ½ of the input
    settings = {"protocol": "published", "q": 2.0, **TAUS}
    assert trace("se_adlif", [1.6], GIVEN, **settings)[0] == pytest.approx((0, 0.8, 0.4))
    assert gradient("se_adlif", [1.6], 0, **settings) == pytest.approx([0.5 * math.exp(-1)])


def test_time_constants_lie_where_they_are_placed() -> None:
    # place 0.25 between 5 and 25 is 10 steps: u = exp(−1/10) a step after an input of 1, less what w takes
    found = trace("se_adlif", [0.9, 0.0], {"place_u": 0.25, "a": 0.0})
    assert found[1][1] == pytest.approx(0.9 * math.exp(-1 / 10))

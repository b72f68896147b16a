"""EIF by hand: tau = 2, Δ = 1, v_rheobase = 0.8."""

import math

from tests.neurons.models.hand import assert_trace, trace


def test_the_exponential_drives_it_without_input() -> None:
    # u = exp(−0.8)/2 = 0.2246644821; u += (−u + exp(u − 0.8))/2
    first = math.exp(-0.8) / 2
    second = first + (-first + math.exp(first - 0.8)) / 2
    assert abs(first - 0.2246644821) < 1e-9
    assert_trace(trace("eif", [0.0, 0.0]), [(0, first), (0, second)])


def test_it_is_reset() -> None:
    # (1.8 + exp(−0.8))/2 = 1.1247 fires; published: to −0.1
    assert_trace(trace("eif", [1.8]), [(1, 0.0)])
    assert_trace(trace("eif", [1.8], protocol="published"), [(1, -0.1)])

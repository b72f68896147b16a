"""LTMD by hand: the threshold tanh(w), from tanh(0.5) = 0.4621171573."""

import math

import pytest

from tests.neurons.models.hand import assert_trace, trace


def test_it_fires_at_its_learned_threshold() -> None:
    threshold = math.tanh(0.5)
    # u: 0.4; 0.2 + 0.3 = 0.5 fires, the threshold is taken; published: 0.1 + 0.3 = 0.4; 0.1 + 0.4 = 0.5 fires, is 0
    assert_trace(trace("ltmd", [0.4, 0.3]), [(0, 0.4), (1, 0.5 - threshold)])
    found = trace("ltmd", [0.4, 0.3, 0.4], protocol="published")
    assert_trace(found, [(0, 0.4), (0, 0.4), (1, 0.0)])


def test_another_threshold() -> None:
    (found,) = trace("ltmd", [0.7], {"w": 1.0})  # tanh(1) = 0.76
    assert found == pytest.approx((0, 0.7))

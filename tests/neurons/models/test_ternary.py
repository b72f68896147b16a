"""Ternary spikes by hand, tau = 2."""

from tests.neurons.models.hand import assert_trace, gradient, trace


def test_signs() -> None:
    # u = 0.6 fires, leaves −0.4; −0.2 − 0.5 = −0.7 fires −1, leaves 0.3; 0.15 + 0.2 = 0.35
    assert_trace(trace("ternary", [0.6, -0.5, 0.2]), [(1, -0.4), (-1, 0.3), (0, 0.35)])


def test_published_resets_to_zero() -> None:
    # u = 0.4 is kept by ¼: 0.1 − 0.7 = −0.6 fires and is 0
    assert_trace(trace("ternary", [0.4, -0.7, 0.1], protocol="published"), [(0, 0.4), (-1, 0), (0, 0.1)])


def test_gradient_is_straight_through() -> None:
    assert [gradient("ternary", [x], 0) for x in (-1.1, -0.9, 0.0, 0.9, 1.1)] == [[0], [1], [1], [1], [0]]

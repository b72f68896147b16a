"""CLIF with m overwritten by its sigmoid, by hand; it leaves the paper's CLIF at the second step."""

import pytest

from tests.neurons.models.hand import assert_trace, sigmoid, trace


def test_m_is_squashed_at_each_step() -> None:
    # u = 1.2 fires: m = σ(0 + 1) , u = 1.2 − 1 − m; then u = u/2 + 0.4 does not fire: m = σ(m·σ(u/2)), u stays
    first = sigmoid(1.0)
    u = (1.2 - 1 - first) / 2 + 0.4
    expected = [(1, 1.2 - 1 - first, first), (0, u, sigmoid(first * sigmoid(u / 2)))]
    assert_trace(trace("clif_in_place", [1.2, 0.4]), expected)


def test_a_neuron_at_rest_has_half_of_it() -> None:
    """σ(0) = ½: without any spike the next reset takes more, where the paper's m is still 0."""
    (_, _, m), (_, _, of_paper) = trace("clif_in_place", [0.0])[0], trace("clif", [0.0])[0]
    assert m == pytest.approx(0.5)
    assert of_paper == 0

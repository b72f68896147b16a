"""I-LIF by hand: tau = 2, up to 4 spikes a step."""

import neurons
from tests.neurons.models.hand import assert_trace, gradient, trace


def test_whole_numbers_of_spikes() -> None:
    # u = 2.3 fires 2, leaves 0.3; 0.15 + 0.25 = 0.4 fires none; 0.2 + 5 = 5.2 fires 4, leaves 1.2
    assert_trace(trace("i_lif", [2.3, 0.25, 5.0]), [(2, 0.3), (0, 0.4), (4, 1.2)])


def test_published_keeps_a_quarter() -> None:
    # u = 1.6 fires 2, leaves −0.4; −0.1 + 1 = 0.9 fires 1
    assert_trace(trace("i_lif", [1.6, 1.0], protocol="published"), [(2, -0.4), (1, -0.1)])


def test_gradient_is_straight_through_within_the_bounds() -> None:
    assert [gradient("i_lif", [x], 0) for x in (-0.1, 0.2, 3.9, 4.1)] == [[0], [1], [1], [0]]
    # published: no gradient by the reset, so that of a step before is the decay ¼; controlled: γ·(1 − 1) = 0
    assert gradient("i_lif", [1.2, 1.0], 1, protocol="published") == [0.25, 1]
    assert gradient("i_lif", [1.2, 1.0], 1) == [0, 1]


def test_events_and_bits_follow_the_levels() -> None:
    found = [(neuron.events, neuron.bits) for neuron in (neurons.get("i_lif")(maximum=m) for m in (1, 4, 7, 8))]
    assert found == [(1, 1), (4, 3), (7, 3), (8, 4)]

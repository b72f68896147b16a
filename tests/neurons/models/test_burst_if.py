"""Burst spikes by hand: v_th = 1, at most 5 spikes in a step."""

import pytest

import neurons
from tests.neurons.models.hand import assert_trace, gradient, trace


def test_bursts_by_hand() -> None:
    # u: 2.75 sends 2, leaves 0.75; 1.0 sends 1 at the threshold, leaves 0; −0.5; 7 − 0.5 = 6.5 sends 5, leaves 1.5
    # 1.5 more: 3.0 sends 3
    found = trace("burst_if", [2.75, 0.25, -0.5, 7.0, 1.5])
    assert_trace(found, [(2, 0.75), (1, 0), (0, -0.5), (5, 1.5), (3, 0)])


def test_nothing_is_lost_to_a_leak_or_a_reset() -> None:
    currents = [0.3, 1.9, -0.4, 2.2, 0.8]
    found = trace("burst_if", currents)
    assert sum(step[0] for step in found) + found[-1][1] == pytest.approx(sum(currents))


def test_a_gradient_passes_near_each_of_the_thresholds() -> None:
    assert [gradient("burst_if", [x], 0) for x in (0.25, 1.0, 3.3, 5.25, 5.75)] == [[0], [1], [1], [1], [0]]


def test_what_an_output_carries() -> None:
    neuron = neurons.get("burst_if")()
    assert (neuron.events, neuron.bits) == (5, 3)
    assert trace("burst_if", [9.0], maximum=2) == [(2, 7)]

"""The alpha neuron by hand: rise 0.9, fall 0.8, so k = ln 0.9/(ln 0.8 − ln 0.9) + 1 = 1.8945…"""

import math

import pytest

import neurons
from neurons import InvalidValue
from tests.neurons.models.hand import assert_trace, trace

K = math.log(0.9) / (math.log(0.8) - math.log(0.9)) + 1


def test_an_impulse_rises_and_falls() -> None:
    # e = 0.9^t, i = −0.8^t: u = k·(0.9^t − 0.8^t), zero at the impulse itself
    found = trace("alpha", [1, 0, 0, 0], v_th=10.0)
    expected = [(0, K * (0.9**t - 0.8**t), 0.9**t, -(0.8**t)) for t in range(4)]
    assert_trace(found, expected)


def test_a_spike_silences_the_next_step_and_its_input() -> None:
    # x = 6: u = 0, then 6·k·0.1 = 1.137 fires; the step after it is empty although the input goes on
    found = trace("alpha", [6, 0, 6, 6])
    assert [step[0] for step in found] == [0, 1, 0, 0]
    assert found[2] == (0, 0, 0, 0)
    assert found[3][2:] == (6, -6)


def test_decays_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InvalidValue, match="0 < fall < rise < 1"):
        neurons.layer("alpha", backend="reference", rise=0.5)(neurons.model.torch.zeros(2, 3))

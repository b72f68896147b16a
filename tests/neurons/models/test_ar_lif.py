"""AR-LIF by hand, tau = 2, shift 0 unless given."""

import math

import pytest

from tests.neurons.models.hand import sigmoid, trace


def test_the_reset_remembers_inputs_and_outputs() -> None:
    # x = 0.8: u = 0.8 does not fire; m = −σ(0.8)
    # x = 0.8: u = 1.2 fires; m = −(1 − σ(0.8))·σ(0.8) + σ(0.8) = σ(0.8)²; u = 1.2 − 1 − σ(m)
    found = trace("ar_lif", [0.8, 0.8])
    k = sigmoid(0.8)
    assert found[0] == pytest.approx((0, 0.8, -k))
    assert found[1] == pytest.approx((1, 0.2 - sigmoid(k * k), k * k))


def test_the_input_moves_the_threshold() -> None:
    # shift with tanh = ½: θ = 1 + ½·tanh(1.2) = 1.4168; 1.2 does not fire, and −0.2 lowers the threshold to 0.9013
    found = trace("ar_lif", [1.2, -0.2 + 0.5], {"shift": math.atanh(0.5)})
    assert [step[0] for step in found] == [0, 0]
    assert trace("ar_lif", [1.2])[0][0] == 1

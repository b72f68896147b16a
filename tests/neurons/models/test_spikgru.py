"""SpikGRU by hand, v_th = 1."""

import math

import pytest
import torch

import neurons
from tests.neurons.models.hand import assert_trace, sigmoid, trace

EVEN = {"alpha": 0.5, "back_i": 0.25, "in_z": 0.0, "back_z": 0.0, "bias_z": 0.0}


def test_an_even_gate_by_hand() -> None:
    # z = ½ always. i = 2.4, u = 1.2 fires; i = 1.2 + 0.3 + 0.25 = 1.75, u = 0.6 + 0.875 − 1 = 0.475
    # i = 0.875 + 1.025 = 1.9, u = 0.2375 + 0.95 = 1.1875 fires
    expected = [(1, 1.2, 2.4, 1), (0, 0.475, 1.75, 0), (1, 1.1875, 1.9, 1)]
    assert_trace(trace("spikgru", [2.4, 0.3, 1.025], EVEN), expected)


def test_the_gate_sees_input_and_spike() -> None:
    # x = 1.5: z = σ(0.75 + 0.25) = σ(1), u = (1 − z)·1.5
    parameters = {"alpha": 0.0, "back_i": 0.0, "in_z": 0.5, "back_z": -2.0, "bias_z": 0.25}
    first = (1 - sigmoid(1)) * 1.5
    assert_trace(trace("spikgru", [1.5], parameters), [(0, first, 1.5, 0)])
    # x = 4 with z = ½: u = 2 fires; then z = σ(−2), u = σ(−2)·2 − 1
    found = trace("spikgru", [4.0, 0.0], {**parameters, "in_z": 0.0, "bias_z": 0.0})
    assert_trace(found, [(1, 2.0, 4.0, 1), (0, sigmoid(-2) * 2 - 1, 0.0, 0)])


def test_an_open_gate_keeps_the_potential() -> None:
    # z = ¾ keeps three quarters of u, and takes a quarter of i = 2
    parameters = {**EVEN, "bias_z": math.log(3)}
    found = trace("spikgru", [2.0, 0.0, 0.0], {**parameters, "alpha": 0.0})
    assert_trace(found, [(0, 0.5, 2.0, 0), (0, 0.375, 0.0, 0), (0, 0.28125, 0.0, 0)])


def test_first_values_and_bounds() -> None:
    layer = neurons.layer("spikgru", channels=1000)
    assert layer.alpha.unique().tolist() == pytest.approx([0.9])
    for name in ("back_i", "in_z", "back_z", "bias_z"):
        values = getattr(layer, name).detach()
        assert values.min() >= -1
        assert values.max() <= 1
        assert values.std() == pytest.approx(1 / math.sqrt(3), abs=0.05)
    assert trace("spikgru", [1.0, 1.0], {**EVEN, "alpha": 7.0}) == trace("spikgru", [1.0, 1.0], {**EVEN, "alpha": 1.0})


def slopes(currents: list[float], at: int, protocol: str) -> list[float]:
    """∂s[at]/∂x[t] with an even gate."""
    layer = neurons.layer("spikgru", 1, len(currents), "reference", protocol).double()
    with torch.no_grad():
        for name, value in EVEN.items():
            getattr(layer, name).fill_(value)
    x = torch.tensor(currents, dtype=torch.float64).view(-1, 1, 1).requires_grad_()
    (found,) = torch.autograd.grad(layer(x)[at].sum(), x)
    return found.flatten().tolist()


def test_published_surrogate() -> None:
    # an input of 3 gives u = 1.5: half of 1/(1 + 10·0.25)
    assert slopes([3.0], 0, "published") == pytest.approx([0.5 / 3.5])


def test_the_ways_of_a_gradient() -> None:
    # u = 0.8, then 1.2, both in the window: to the input before by u: ½·½; by i: ½·½; by s₋: ½·(½·¼ − 1)
    assert slopes([1.6, 0.8], 1, "controlled") == pytest.approx([0.25 + 0.25 + 0.5 * (0.125 - 1), 0.5])

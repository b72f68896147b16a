"""Each model against steps worked out by hand: tau = 2 (γ = 1/2), v_th = 1, soft reset unless said otherwise."""

from __future__ import annotations

import math

import pytest
import torch

import neurons


def run(name: str, currents: list[float], **settings: object) -> list[float]:
    layer = neurons.layer(name, channels=1, timesteps=len(currents), backend="reference", **settings)
    x = torch.tensor(currents, dtype=torch.float64).reshape(-1, 1, 1)
    return layer.double()(x).flatten().tolist()


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def states(name: str, currents: list[float], **settings: object) -> list[tuple[float, ...]]:
    """(spike, *states) of each step."""
    cls = neurons.get(name)
    neuron = cls(len(currents), **settings)
    current_states = [torch.zeros(1, dtype=torch.float64)] * len(cls.states)
    trace = []
    for current in currents:
        spike, *current_states = neuron.step(torch.tensor([current], dtype=torch.float64), *current_states)
        trace.append((spike.item(), *(state.item() for state in current_states)))
    return trace


def assert_trace(actual: list[tuple[float, ...]], expected: list[tuple[float, ...]], tolerance: float = 1e-9) -> None:
    assert len(actual) == len(expected)
    for step, (found, right) in enumerate(zip(actual, expected, strict=True)):
        assert found == pytest.approx(right, abs=tolerance), f"step {step}"


def test_lif_soft_reset() -> None:
    # u: 0.6 | 0.3 + 0.9 = 1.2 fires, leaves 0.2 | 0.1 + 0.9 = 1.0 fires at the threshold, leaves 0 | 0.5
    assert_trace(states("lif", [0.6, 0.9, 0.9, 0.5]), [(0, 0.6), (1, 0.2), (1, 0.0), (0, 0.5)])


def test_lif_hard_reset_to_v_reset() -> None:
    # u: 0.6 | 1.2 fires, becomes −0.1 | −0.05 + 0.9 = 0.85
    assert_trace(states("lif", [0.6, 0.9, 0.9], reset="hard", v_reset=-0.1), [(0, 0.6), (1, -0.1), (0, 0.85)])


def test_lif_time_constant() -> None:
    # tau = 4 keeps 3/4: 0.8 | 0.6 + 0.3 = 0.9 | 0.675 + 0.4 = 1.075 fires
    assert run("lif", [0.8, 0.3, 0.4], tau=4.0) == [0, 0, 1]


def test_plif_starts_as_lif() -> None:
    # w = −ln(tau − 1) = 0 gives 1/tau = sigmoid(0) = 1/2
    assert neurons.layer("plif").w.item() == 0
    assert run("plif", [0.6, 0.9, 0.9, 0.5]) == run("lif", [0.6, 0.9, 0.9, 0.5]) == [0, 1, 1, 0]
    assert neurons.layer("plif", tau=3.0).w.item() == pytest.approx(-math.log(2))


def test_plif_published_decays_its_input_and_resets_hard() -> None:
    # u: 0.5·1.8 = 0.9 | 0.45 + 0.6 = 1.05 fires, becomes 0 | 0.8 | 0.4 + 0.65 = 1.05 fires
    assert run("plif", [1.8, 1.2, 1.6, 1.3], protocol="published") == [0, 1, 0, 1]
    # with soft reset 0.05 would remain: 0.025 + 0.8 = 0.825 | 0.4125 + 0.59 = 1.0025 would fire; from 0 it does not
    assert run("plif", [1.8, 1.2, 1.6, 1.18], protocol="published") == [0, 1, 0, 0]


def test_klif_scales_and_rectifies() -> None:
    # k = 2. u: −0.5, f = relu(−1) = 0 | u = 0.4, f = 0.8 | u = 0.4 + 0.2 = 0.6, f = 1.2 fires, leaves 0.2
    neuron = neurons.get("klif")().bind({"k": torch.tensor(2.0, dtype=torch.float64)})
    u = torch.zeros(1, dtype=torch.float64)
    trace = []
    for current in (-0.5, 0.4, 0.2):
        spike, u = neuron.step(torch.tensor([current], dtype=torch.float64), u)
        trace.append((spike.item(), u.item()))
    assert_trace(trace, [(0, 0), (0, 0.8), (1, 0.2)])


def test_clif_algorithm_1() -> None:
    # step 1: u = 0.8, no spike, m = 0
    # step 2: u = 0.4 + 0.8 = 1.2 fires; m = 0·sigmoid(0.6) + 1 = 1; u = 1.2 − (1 + sigmoid(1)) = −0.5310585786
    # step 3: u = −0.2655292893 + 1.5 = 1.2344707107 fires; m = sigmoid(0.6172353553) + 1 = 1.6495898386;
    #         u = 1.2344707107 − 1 − sigmoid(1.6495898386), where sigmoid(…) = 0.8388356
    expected = [(0, 0.8, 0), (1, 1.2 - 1.7310585786, 1), (1, 1.2344707107 - 1 - 0.8388356, 1.6495898)]
    assert_trace(states("clif", [0.8, 0.8, 1.5]), expected, tolerance=1e-6)


def test_glif_with_all_gates_at_one_half() -> None:
    # sigmoid(0) = 1/2 for a, b, c; leak 1/4, linear leak 1/8, subtracted reset and threshold 1/2, conduct 1/2:
    # decay = 1 − ½·¾ = 0.625; linear = ½·⅛ = 0.0625; gain = 1 − ½·½ = 0.75; subtract = ½·½ = 0.25
    # step 1: u = −0.0625 + 0.75·0.6 = 0.3875 < 0.5
    # step 2: u = 0.625·0.3875 − 0.0625 + 0.75·0.6 = 0.6296875 fires
    # step 3: u = 0.625·0.6296875·(1 − ½) − 0.0625 + 0.45 − 0.25 = 0.33427734375, no spike
    neuron = neurons.get("glif")(4)
    half, quarter, eighth = 0.0, -math.log(3), -math.log(7)
    raw = {"gate_leak": half, "gate_input": half, "gate_reset": half, "leak": quarter, "linear_leak": eighth}
    raw |= {"v_subtract": half, "threshold": half, "conduct": half}
    bound = neuron.bind({name: torch.tensor(value, dtype=torch.float64) for name, value in raw.items()})
    u = spike = torch.zeros(1, dtype=torch.float64)
    trace = []
    for _ in range(3):
        output, u, spike = bound.step(torch.tensor([0.6], dtype=torch.float64), u, spike)
        trace.append((output.item(), u.item()))
    assert_trace(trace, [(0, 0.3875), (1, 0.6296875), (0, 0.33427734375)])


def test_glif_starts_where_its_paper_starts() -> None:
    layer = neurons.layer("glif", channels=500, timesteps=8)
    for gate in ("gate_leak", "gate_input", "gate_reset"):
        values = torch.sigmoid(getattr(layer, gate))
        assert values.min() > 0.47
        assert values.max() < 0.53
        assert values.std() > 0
    assert torch.sigmoid(layer.leak).allclose(torch.tensor(0.25))
    assert torch.sigmoid(layer.linear_leak).allclose(torch.tensor(0.5 / 16))
    assert layer.conduct.shape == (8, 500)


def test_relu_has_no_memory() -> None:
    assert run("relu", [-1.0, 2.0, -3.0, 0.5]) == [0, 2, 0, 0.5]


def test_lif_gradient_by_hand() -> None:
    # x = (0.8, 0.8): u1 = 0.8, u2 = 1.2. The rectangle of width 1 is 1 within 1/2 of the threshold, so with
    # L = s2: dL/du2 = 1; du2/dx2 = 1; du2/dx1 = γ·(1 − v_th·1) = 0: the temporal gradient of LIF vanishes.
    # CLIF keeps a path: m1 does not reach s2 either (it acts by the reset of step 1, which did not happen): the same.
    layer = neurons.layer("lif", backend="reference")
    x = torch.tensor([0.8, 0.8]).reshape(2, 1).requires_grad_()
    layer(x)[1].sum().backward()
    assert x.grad.flatten().tolist() == [0.0, 1.0]
    # With x = (0.3, 0.8): u1 is outside the rectangle, so du2/dx1 = γ = 1/2 remains.
    x = torch.tensor([0.3, 0.8]).reshape(2, 1).requires_grad_()
    layer(x)[1].sum().backward()
    assert x.grad.flatten().tolist() == [0.5, 1.0]


def test_state_does_not_survive_a_call() -> None:
    layer = neurons.layer("clif")
    x = torch.rand(5, 3, 2)
    assert torch.equal(layer(x), layer(x))


def test_plif_published_gradient() -> None:
    # x = 2 decayed by 1/tau = 1/2 gives u = v_th, where the arctangent of width 1 is 1: ds/dx = 1 · 1/2
    layer = neurons.layer("plif", backend="reference", protocol="published")
    x = torch.tensor([[2.0]], requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.item() == 0.5


def test_klif_published_resets_hard() -> None:
    # u = 1.2 fires and becomes 0 | 0.9 does not (after a soft reset 0.1 + 0.9 would)
    assert run("klif", [2.4, 1.8], protocol="published") == [1, 0]


@pytest.mark.parametrize(("decay_input", "scale"), [(True, 4.0), (False, 1.0)])
def test_the_scale_of_the_input_undoes_its_decay(decay_input: bool, scale: float) -> None:
    """An input of that size charges the potential as far as one of 1 where nothing decays."""
    neuron = neurons.get("lif")(tau=4.0, decay_input=decay_input)
    assert neuron.input_scale == scale
    assert neuron.charge(torch.zeros(1), torch.tensor([scale])).item() == 1.0

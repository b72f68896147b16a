"""The comparison with the reference, tested by layers that are wrong in one way each: just beyond its bounds, which are
written here once more, and just within."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
from neurons import Neuron, NeuronLayer, register
from neurons.conformance import Agreement, NotConformant, compare, gate
from neurons.reference import step_loop

BOUND = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Of a gradient, relative to its largest entry."""


class Scale(torch.autograd.Function):
    """Leaves a tensor as it is and multiplies its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


class Wrong(NeuronLayer):
    """A reference layer that is wrong in one way."""

    gradient_factor = 1.0
    parameter_factor = 1.0
    wrong_parameter = ""
    changed: tuple[int, ...] | None = None
    by = 1.0

    def forward(self, x: Tensor) -> Tensor:
        parameters = {
            name: Scale.apply(value, self.parameter_factor) if name == self.wrong_parameter else value
            for name, value in self.named_parameters()
        }
        output = step_loop(self.neuron, parameters, Scale.apply(x, self.gradient_factor))
        if self.changed is None:
            return output
        mask = torch.zeros_like(output)
        mask[self.changed] = self.by
        return output + mask * (1 - 2 * output.detach() if self.neuron.spiking else 1)


def wrong(name: str = "plif", dtype: torch.dtype = torch.float32, **attributes: Any) -> Wrong:
    made = Wrong(neurons.get(name)(9), 5, "reference")
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made.to(dtype)


def compared(layer: NeuronLayer, dtype: torch.dtype = torch.float32) -> Agreement:
    torch.manual_seed(3)
    x = 0.7 + 0.6 * torch.randn(9, 51, 5, dtype=torch.float64)
    return compare(layer, x.to(dtype), torch.randn(x.shape).to(dtype))


@pytest.mark.parametrize("name", ["lif", "plif", "klif", "glif", "clif", "relu"])
def test_the_reference_agrees_with_itself(name: str) -> None:
    found = compared(neurons.layer(name, 5, 9, "reference").double(), torch.float64)
    assert (found.fault, found.different, found.gradient_error) == (None, 0, 0)
    assert found.neurons == 255
    assert found.undecided == 0
    assert compared(neurons.layer(name, 5, 9, "reference")).undecided <= 2


@pytest.mark.parametrize("dtype", BOUND)
def test_an_input_gradient_just_beyond_the_bound(dtype: torch.dtype) -> None:
    beyond, within = (wrong("lif", dtype, gradient_factor=1 + share * BOUND[dtype]) for share in (2, 0.5))
    assert "the input gradient is off by 2.0e" in (compared(beyond, dtype).fault or "")
    assert compared(within, dtype).fault is None


@pytest.mark.parametrize("name", ["gate_leak", "gate_reset", "linear_leak", "threshold", "conduct"])
def test_the_gradient_of_each_parameter_is_compared(name: str) -> None:
    # the bound is of the largest entry or of the rounding of a sum of 2,295 terms, 0.05, which all these exceed
    fault = compared(wrong("glif", wrong_parameter=name, parameter_factor=0.9)).fault
    assert fault is not None
    assert f"the gradient of {name} is off by" in fault
    assert compared(wrong("glif", wrong_parameter=name, parameter_factor=1 - 1e-5)).fault is None


@pytest.mark.parametrize("place", [(0, 0, 0), (8, 50, 4), (4, 25, 2)])
def test_one_wrong_spike(place: tuple[int, ...]) -> None:
    assert compared(wrong("lif", changed=place)).fault == "1 outputs differ from the reference"


def test_outputs_that_are_no_spikes() -> None:
    beyond, within = (wrong("relu", changed=(4, 25, 2), by=by) for by in (4e-4, 4e-5))
    assert compared(beyond).fault == "1 outputs differ from the reference"
    assert compared(within).fault is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite(value: float) -> None:
    for broken in (wrong("lif", gradient_factor=value), wrong(wrong_parameter="w", parameter_factor=value)):
        assert "NaN or Inf" in (compared(broken).fault or "")


@pytest.mark.parametrize(
    ("distance", "surrogate", "undecided"),
    [
        (1e-6, "rectangle", 1),
        (1e-5, "rectangle", 0),
        (0.5 + 1e-6, "rectangle", 1),  # the edge of the surrogate of width 1
        (-0.5 - 1e-6, "rectangle", 1),
        (0.5 + 1e-5, "rectangle", 0),
        (1 + 1e-6, "triangle", 1),
        (0.5, "triangle", 0),
        (0.5, "atan", 0),
    ],
)
def test_neurons_within_rounding_of_a_jump(distance: float, surrogate: str, undecided: int) -> None:
    """They are counted and left out, whatever they do; their neighbours are not."""
    layer = Wrong(neurons.get("lif")(1, surrogate=surrogate), None, "reference").double()
    x = torch.tensor([[[1 + distance, 0.3, 0.4]]], dtype=torch.float64).float()
    layer.float().changed = (0, 0, 0)
    found = compare(layer, x, torch.ones_like(x))
    assert (found.neurons, found.undecided, found.different) == (3, undecided, 1 - undecided)
    layer.changed = (0, 0, 1)
    assert compare(layer, x, torch.ones_like(x)).different == 1


def test_the_gate_refuses_and_lets_pass() -> None:
    refused = {
        "plif by reference does not conform: the gradient of w is off by 1.0e-01": {
            "wrong_parameter": "w",
            "parameter_factor": 0.9,
        },
        "plif by reference does not conform: the input gradient is off by 3.0e-04": {"gradient_factor": 1.0003},
        "plif by reference does not conform: 1 outputs differ": {"changed": (8, 50, 4)},
        "plif by reference does not conform: NaN or Inf": {"gradient_factor": float("nan")},
    }
    for message, attributes in refused.items():
        with pytest.raises(NotConformant, match=message):
            gate(lambda channels, timesteps, own=attributes: wrong("plif", **own))
    for attributes in ({}, {"gradient_factor": 1.00003}, {"wrong_parameter": "w", "parameter_factor": 1.00001}):
        gate(lambda channels, timesteps, own=attributes: wrong("plif", **own))


def test_the_gate_compares_something(neuron_file) -> None:
    """A neuron that is always at its threshold would pass whatever its kernel does."""
    body = "@register\nclass Edge(Neuron):\n    def step(self, x):\n        return (self.spike(x - x),)\n"
    neurons.load_file(neuron_file(body))
    with pytest.raises(
        NotConformant, match="edge by reference does not conform: 255 of 255 neurons come within rounding"
    ):
        gate(partial(neurons.layer, "edge", backend="reference"))


@pytest.mark.parametrize("protocol", ["controlled", "published"])
@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif", "glif", "clif", "relu"])
def test_the_gate_lets_the_kernels_pass(name: str, protocol: str) -> None:
    gate(partial(neurons.layer, name, backend="cpu", protocol=protocol))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif", "glif", "clif", "relu"])
def test_compile_conforms(name: str) -> None:
    torch.manual_seed(4)
    x = 0.7 + 0.6 * torch.randn(4, 51, 5)
    found = compare(neurons.layer(name, 5, 4, "compile"), x, torch.randn(x.shape))
    assert found.fault is None
    assert found.undecided <= 2


SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tau": 2.0}, {"tau": 4.0}),
    ({"v_th": 1.0}, {"v_th": 0.6}),
    ({"reset": "soft"}, {"reset": "hard", "v_reset": -0.2}),
    ({}, {"detach_reset": True}),
    ({"surrogate": "rectangle"}, {"surrogate": "atan"}),
    ({"surrogate_width": 1.0}, {"surrogate_width": 0.5}),
    ({"bptt_steps": None}, {"bptt_steps": 1}),
    ({"bptt_steps": 2}, {"bptt_steps": 3}),
]
CASES = [("cpu", pair) for pair in SETTINGS] + [
    pytest.param("compile", pair, marks=pytest.mark.slow) for pair in (SETTINGS[0], SETTINGS[6])
]


@pytest.mark.parametrize(("backend", "pair"), CASES, ids=str)
def test_two_layers_of_other_settings_at_once(backend: str, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Both made before either runs, and each run twice in turns: no cache may give one what the other computes."""
    layers = [neurons.layer("lif", None, 5, backend, **settings) for settings in pair]
    definitions = [neurons.layer("lif", None, 5, "reference", **settings).double() for settings in pair]
    torch.manual_seed(1)
    x = 0.4 + 0.6 * torch.randn(5, 40, 3)
    seen = []
    for layer, definition in [*zip(layers, definitions, strict=True)] * 2:
        results = []
        for module, dtype in ((layer, torch.float32), (definition, torch.float64)):
            values = x.to(dtype, copy=True).requires_grad_()
            output = module(values)
            output.sum().backward()
            results.append((output.detach(), values.grad))
        assert torch.equal(results[0][0].double(), results[1][0])
        assert torch.allclose(results[0][1].double(), results[1][1], atol=1e-5)
        seen.append(torch.stack([*results[0]]))
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_two_layers_by_hand() -> None:
    """tau 2: u = 0.8, 0.7, 0.75; tau 4: u = 0.8, 0.9, 1.075."""
    x = torch.tensor([0.8, 0.3, 0.4]).reshape(3, 1)
    for backend in ("reference", "cpu"):
        two, four = (neurons.layer("lif", backend=backend, tau=tau) for tau in (2.0, 4.0))
        assert two(x).flatten().tolist() == [0, 0, 0]
        assert four(x).flatten().tolist() == [0, 0, 1]


def test_a_registered_neuron_is_gone_after_its_test() -> None:
    """Of the tests themselves: nothing that another test registered is seen here."""
    assert not {"edge", "bad", "raiseslater"} & set(neurons.names())

    @register
    class Edge(Neuron):
        def step(self, x: Tensor) -> tuple[Tensor, ...]:
            return (x,)

    assert "edge" in neurons.names()

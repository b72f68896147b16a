"""Inputs, parameters and arguments that do not fit a layer are refused in one line, and those that do are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

import neurons
from neurons import BackendUnavailable, InvalidValue, NeuronLayer

T, N, C = 6, 3, 4
BACKENDS = ["auto", "reference"]
Use = Callable[[NeuronLayer, Tensor], Tensor]


def make(name: str = "glif", backend: str = "auto", **constants: Any) -> NeuronLayer:
    torch.manual_seed(1)
    return neurons.layer(name, C, T, backend, **constants)


@pytest.fixture
def x() -> Tensor:
    return 0.7 + 0.6 * torch.randn(T, N, C)


def meta_parameters(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer.to("meta")(x)


def meta_input(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer(x.to("meta"))


def missing_parameter(layer: NeuronLayer, x: Tensor) -> Tensor:
    layer.threshold = None
    return layer(x)


def short_parameter(layer: NeuronLayer, x: Tensor) -> Tensor:
    return functional_call(layer, {"threshold": torch.zeros(C - 1)}, (x,))


def freed_input(layer: NeuronLayer, x: Tensor) -> Tensor:
    x.untyped_storage().resize_(0)
    return layer(x)


MISFITS: dict[Use, str] = {
    meta_parameters: r"the input is on cpu, the layer's gate_leak on meta: layer\.to\('cpu'\)",
    meta_input: r"the input is on meta, the layer's gate_leak on cpu: layer\.to\('meta'\)",
    missing_parameter: r"the layer's threshold missing",
    lambda layer, x: layer(x.long()): r"not torch\.int64: use x\.float\(\)",
    lambda layer, x: layer(x > 0): r"not torch\.bool: use x\.float\(\)",
    lambda layer, x: layer(x.byte()): r"not torch\.uint8: use x\.float\(\)",
    lambda layer, x: layer(x.cfloat()): r"not torch\.complex64",
    lambda layer, x: layer(torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)): r"use x\.dequantize\(\)",
    lambda layer, x: layer(x.to_sparse()): r"dense, not torch\.sparse_coo: use x\.to_dense\(\)",
    lambda layer, x: layer(x.flatten(1).to_sparse_csr()): r"dense, not torch\.sparse_csr",
    lambda layer, x: layer(x.numpy()): r"a tensor \[T, N, \*features\], not ndarray",
    lambda layer, x: layer(x.tolist()): r"a tensor \[T, N, \*features\], not list",
    lambda layer, x: layer(x[0, 0]): r"the time first, not \[4\]",
    lambda layer, x: layer(x[:0]): r"\[0, 3, 4\] has no time step",
    lambda layer, x: layer(x[:4]): r"input has 4 time steps in dimension 0, the layer 6: a layer made without",
    lambda layer, x: layer(x.transpose(0, 1)): r"3 time steps .* the layer 6: the time goes .* x\.transpose\(0, 1\)",
    lambda layer, x: layer(x[:, :, :3]): r"input has 3 channels in dimension 2, the layer 4",
    lambda layer, x: layer(x.unsqueeze(2)): r"the channels go into dimension 2: x\.movedim\(-1, 2\)",
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("use", MISFITS, ids=[str(number) for number in range(len(MISFITS))])
def test_what_does_not_fit_is_refused_in_one_line(use: Use, backend: str, x: Tensor) -> None:
    with pytest.raises((InvalidValue, BackendUnavailable), match=MISFITS[use]) as caught:
        use(make(backend=backend), x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", ["auto"])
@pytest.mark.parametrize(
    ("use", "message"),
    [
        (short_parameter, r"needs a coefficient as 4 dense torch\.float32 on cpu, not \[3\] of torch\.float32"),
        (freed_input, "the input has no memory"),
    ],
)
def test_what_c_would_read_beyond_is_refused(use: Use, message: str, backend: str, x: Tensor) -> None:
    """Before, whatever lay in memory there."""
    with pytest.raises(InvalidValue, match=message):
        use(make(backend=backend), x)


@pytest.mark.parametrize("spoil", ["dtype", "count", "layout", "sign", "device"])
@pytest.mark.parametrize("which", ["gradient", "coefficient"])
def test_every_tensor_is_checked_before_its_address_is_taken(which: str, spoil: str, x: Tensor) -> None:
    layer = make()
    program = layer._runners["cpu"].programs[torch.float32]
    layer(x)
    shapes = {"layer": (), "channel": (C,), "step_channel": (T, C)}
    coefficients = [torch.ones(shapes[c.per]) for c in program.source.coefficients]
    grad, kernel = torch.ones_like(x), program._kernel(x)
    kernel.backward(grad, x, x.new_empty(0), coefficients, None)
    spoiled = {
        "dtype": lambda value: value.double(),
        "count": lambda value: value[:1].clone(),
        "layout": lambda value: torch.stack([value, value], -1)[..., 0],
        "sign": torch._neg_view,
        "device": lambda value: value.to("meta"),
    }[spoil]
    if which == "gradient":
        grad = spoiled(grad)
    else:
        coefficients[0] = spoiled(coefficients[0])
    with pytest.raises(InvalidValue, match="the kernel needs "):
        kernel.backward(grad, x, x.new_empty(0), coefficients, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": -1}, "channels must be at least 1, a whole number, not -1"),
        ({"channels": 0}, "channels must be at least 1"),
        ({"channels": 2.5}, "channels must be at least 1, a whole number, not 2.5"),
        ({"channels": "4"}, "channels must be at least 1, a whole number, not '4'"),
        ({"channels": True}, "channels must be at least 1, a whole number, not True"),
        ({"timesteps": 0}, "timesteps must be at least 1"),
        ({"timesteps": -3}, "timesteps must be at least 1"),
        ({"timesteps": 1.5}, "timesteps must be at least 1"),
        ({"bptt_steps": 0}, "bptt_steps must be at least 1"),
        ({"bptt_steps": 2.5}, "bptt_steps must be at least 1, a whole number, not 2.5"),
        ({"tau": "2"}, "tau must be a number, not '2'"),
        ({"tau": None}, "tau must be a number, not None"),
        ({"tau": float("nan")}, "tau must be a number, not nan"),
        ({"tau": 0.5}, "tau must be at least 1 step"),
        ({"tau": [2.0]}, r"tau must be a number, not \[2.0\]"),
        ({"tau": torch.ones(3)}, "tau must be a number, not tensor"),
        ({"v_th": float("nan")}, "v_th must be a number, not nan"),
        ({"v_th": 1j}, "v_th must be a number, not 1j"),
        ({"v_reset": "low"}, "v_reset must be a number, not 'low'"),
        ({"surrogate_width": 0}, "surrogate_width must be above 0"),
        ({"surrogate_width": float("nan")}, "surrogate_width must be a number"),
        ({"surrogate": 3}, "surrogate must be a word such as 'rectangle', not 3"),
        ({"detach_reset": "yes"}, "detach_reset must be True or False, not 'yes'"),
        ({"decay_input": 2}, "decay_input must be True or False, not 2"),
    ],
)
def test_arguments_are_checked_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as caught:
        neurons.layer("lif", **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("glif", {"channels": 4}, r"needs the number of steps: layer\(\.\.\., timesteps=8\)"),
        ("glif", {"timesteps": 4}, r"needs the number of channels: layer\(\.\.\., channels=64\)"),
        ("glif", {"channels": 4, "timesteps": 6, "leak": "much"}, "leak must be a number, not 'much'"),
        ("plif", {"tau": 1}, "plif needs tau above 1"),
        ("plif", {"w": float("nan")}, "w must be a number, not nan"),
    ],
)
def test_first_values_are_checked_in_one_line(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        neurons.layer(name, **arguments)


@pytest.mark.parametrize("scalar", [np.float32(3), np.float64(3), np.int64(3), torch.tensor(3.0), torch.tensor(3), 3])
def test_scalars_of_numpy_and_torch_are_numbers(scalar: Any, x: Tensor) -> None:
    layer = neurons.layer("lif", channels=np.int64(C), timesteps=np.int32(T), tau=scalar)
    assert type(layer.neuron.tau) in (int, float)
    assert torch.equal(layer(x), neurons.layer("lif", tau=3.0)(x))


def test_backend_and_truncation_can_be_changed_and_are_checked(x: Tensor) -> None:
    layer = make("lif", surrogate="atan")
    layer(x)
    layer.backend = "reference"
    assert "Stack" in type(layer(x.clone().requires_grad_()).grad_fn).__name__
    with pytest.raises(neurons.UnknownName, match="unknown backend 'nonsense'"):
        layer.backend = "nonsense"
    with pytest.raises(InvalidValue, match="bptt_steps must be at least 1"):
        layer.bptt_steps = -3
    layer.backend, layer.bptt_steps = "auto", 1
    x.requires_grad_()
    (grad,) = torch.autograd.grad(layer(x)[-1].sum(), x)
    assert grad[:-1].count_nonzero() == 0
    layer.bptt_steps = None
    (grad,) = torch.autograd.grad(layer(x)[-1].sum(), x)
    assert grad[0].count_nonzero() > 0


def test_a_first_value_that_constants_do_not_give() -> None:
    class Root(neurons.Neuron):
        name = "root"
        gain = neurons.Learnable(lambda neuron: (neuron.v_th - 2) ** 0.5 + 1 / (neuron.v_th - 3))

    with pytest.raises(InvalidValue, match=r"root: gain has no first value at tau=2.0, v_th=3.0, .* \(.*zero.*\)"):
        Root(v_th=3.0).initial_parameters(None)
    with pytest.raises(InvalidValue, match=r"root: gain has no first value at .* \(.*complex.*\)"):
        Root(4, v_th=1.0).initial_parameters(None)

"""One step with the state outside: T of them are one call of the same backend, and what has no step says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import neurons
from neurons import BackendUnavailable, InvalidValue, NeuronLayer
from neurons.stepping import LayerState

STEPS, SAMPLES, CHANNELS = 7, 3, 21
OVER_TIME = [name for name in neurons.names() if neurons.get(name).runs_over_time()]
NO_STEP = [name for name in neurons.names() if not neurons.get(name).runs_over_time()]
BACKENDS = ("cpu", "reference")


def inputs(layer: NeuronLayer, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    torch.manual_seed(4)
    x = layer.neuron.input_scale * (0.7 + torch.randn(STEPS, SAMPLES, CHANNELS))
    return x.to(dtype).requires_grad_(), torch.randn(x.shape).to(dtype)


def made(name: str, backend: str, **settings: object) -> NeuronLayer:
    torch.manual_seed(3)
    layer = neurons.layer(name, CHANNELS, STEPS, backend, **settings)
    for parameter in layer.parameters():
        with torch.no_grad():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    layer.project()
    return layer


def in_steps(layer: NeuronLayer, x: Tensor) -> tuple[Tensor, LayerState]:
    state, outputs = layer.initial_state(x[0]), []
    for x_t in x.unbind(0):
        output, state = layer.step(x_t, state)
        outputs.append(output)
    return torch.stack(outputs), state


def gradients(output: Tensor, gradient: Tensor, x: Tensor, layer: NeuronLayer) -> Sequence[Tensor]:
    if not output.requires_grad:
        return [torch.zeros_like(x)]
    return torch.autograd.grad(output, [x, *layer.parameters()], gradient, materialize_grads=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OVER_TIME)
def test_steps_are_one_call(name: str, backend: str) -> None:
    """Outputs and the gradient of the input to the last bit; parameters' gradients are sums in another order."""
    layer = made(name, backend)
    x, gradient = inputs(layer)
    whole, (outputs, _) = layer(x), in_steps(layer, x)
    assert torch.equal(whole, outputs)
    (of_x, *of_parameters), (own_of_x, *own) = (gradients(each, gradient, x, layer) for each in (whole, outputs))
    assert torch.equal(of_x, own_of_x)
    for found, expected in zip(own, of_parameters, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()) + 1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", ["lif", "clif", "glif", "relu"])
def test_steps_of_other_dtypes(name: str, dtype: torch.dtype) -> None:
    """The states of a 16-bit input are float32, as within a call."""
    layer = made(name, "cpu")
    x, gradient = inputs(layer, dtype)
    whole, (outputs, state) = layer(x), in_steps(layer, x)
    assert torch.equal(whole, outputs)
    assert {value.dtype for value in state.values} <= {torch.float64 if dtype == torch.float64 else torch.float32}
    assert torch.equal(*(gradients(each, gradient, x, layer)[0] for each in (whole, outputs)))


@pytest.mark.parametrize("name", OVER_TIME)
def test_gradients_of_one_fused_step_are_those_of_torch(name: str) -> None:
    """From the output and from each state after it, also where a gradient is missing, to all that goes in."""
    layer = made(name, "cpu")
    x, gradient = inputs(layer)
    before = layer.initial_state(x[0])
    with torch.no_grad():
        for t in range(3):
            _, before = layer.step(x[t], before)
    found = {}
    for backend in BACKENDS:
        layer.backend = backend
        states = tuple(value.clone().requires_grad_() for value in before.values)
        output, after = layer.step(x[3], LayerState(3, states))
        ends = [value for value in (output, *after.values[-1:]) if value.requires_grad]
        leaves = [x, *states, *layer.parameters()]
        found[backend] = torch.autograd.grad(ends, leaves, [*gradient[: len(ends)]], materialize_grads=True)
    for own, expected in zip(found["cpu"], found["reference"], strict=True):
        assert torch.allclose(own, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()) + 1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_gradient_goes_back_where_one_step_is_kept(backend: str) -> None:
    layer = made("clif", backend, bptt_steps=1)
    x, gradient = inputs(layer)
    whole, (outputs, _) = layer(x), in_steps(layer, x)
    assert torch.equal(*(gradients(each, gradient, x, layer)[0] for each in (whole, outputs)))
    layer.bptt_steps = 2
    with pytest.raises(BackendUnavailable, match="bptt_steps=2 needs the whole sequence in one call"):
        layer.step(x[0], layer.initial_state(x[0]))


@pytest.mark.parametrize("backend", ["compile", "spikingjelly"])
def test_a_backend_without_a_step(backend: str) -> None:
    layer = neurons.layer("lif", backend=backend)
    with pytest.raises(BackendUnavailable, match=f"backend {backend} has no single step: use reference, or cpu"):
        layer.initial_state(torch.zeros(2, 3))


@pytest.mark.parametrize("name", NO_STEP)
def test_a_model_without_a_step(name: str) -> None:
    with pytest.raises(BackendUnavailable, match=f"{name} has no step; call the layer on the whole sequence"):
        neurons.layer(name, CHANNELS, STEPS).initial_state(torch.zeros(SAMPLES, CHANNELS))


def test_a_state_of_another_shape_is_refused() -> None:
    layer, x = neurons.layer("clif"), torch.zeros(2, 3)
    for state in (layer.initial_state(torch.zeros(2, 4)), layer.initial_state(x.double())):
        with pytest.raises(InvalidValue, match=r"a state must be \[2, 3\] of torch.float32, as initial_state"):
            layer.step(x, state)


def test_a_changed_constant_holds_from_the_next_step() -> None:
    layer, x = neurons.layer("lif"), torch.full((1, 1), 0.9)
    _, state = layer.step(x, layer.initial_state(x))
    layer.neuron.v_th = 0.5
    output, _ = layer.step(x, state)
    assert output.item() == 1
    layer.neuron.v_th = 5.0
    assert layer.step(x, state)[0].item() == 0


def test_changed_parameters_hold_from_the_next_step() -> None:
    layer, x = neurons.layer("plif"), torch.full((1, 1), 0.8)
    _, state = layer.step(x, layer.initial_state(x))
    with torch.no_grad():
        layer.w.fill_(20)  # tau of 1 forgets all
    assert layer.step(x, state)[1].values[0].item() == pytest.approx(0.8)


def test_more_steps_than_parameters() -> None:
    layer = neurons.layer("glif", 3, 2)
    x = torch.zeros(2, 3)
    state = layer.initial_state(x)
    for _ in range(2):
        _, state = layer.step(x, state)
    with pytest.raises(InvalidValue, match="glif has parameters for 2 time steps, this is one more"):
        layer.step(x, state)


def test_what_the_fused_step_cannot_do_is_refused() -> None:
    layer, x = neurons.layer("lif"), torch.ones(2, 3, requires_grad=True)

    def one(x: Tensor) -> Tensor:
        return layer.step(x, layer.initial_state(x))[0]

    with pytest.raises(BackendUnavailable, match=r"one fused step of lif takes plain tensors"):
        torch.func.vmap(one)(x)
    (first,) = [layer.step(x, layer.initial_state(x))[1].values[0]]
    with pytest.raises(BackendUnavailable, match="differentiable once"):
        torch.autograd.grad(first.sum(), x, create_graph=True)


def test_threads_change_nothing(two_threads: int) -> None:
    layer = neurons.layer("glif", 64, 2, "cpu")
    x = torch.randn(2, 700, 64, requires_grad=True)
    outputs, _ = in_steps(layer, x)
    found = torch.autograd.grad(outputs, [x, *layer.parameters()], torch.ones_like(outputs))
    torch.set_num_threads(1)
    alone, _ = in_steps(layer, x)
    expected = torch.autograd.grad(alone, [x, *layer.parameters()], torch.ones_like(alone))
    assert torch.equal(outputs, alone)
    assert torch.equal(found[0], expected[0])
    for own, right in zip(found[1:], expected[1:], strict=True):
        assert torch.allclose(own, right, rtol=1e-4, atol=1e-3)

"""The Triton kernels in Triton's interpreter; run by test_triton.py in a process with TRITON_INTERPRET=1."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import Learnable, Neuron, NeuronLayer
from neurons.conformance import compare
from neurons.kernels.gpu.launch import TILES, TritonKernel
from neurons.kernels.source import source_of
from neurons.surrogate import SURROGATES
from tests.neurons.kernels.cases import MODELS, STANDARD, STEPS, agreement, assert_agrees, float32_cases

OTHERS = [name for name in MODELS if name not in STANDARD]


@pytest.mark.parametrize(("name", "steps", "elements", "protocol"), float32_cases(STEPS, [17]))
def test_float32(name: str, steps: int, elements: int, protocol: str) -> None:
    if steps == 128 and elements == 1023:
        elements = 300  # the interpreter is slow
    assert_agrees(agreement(name, "triton", steps, elements, protocol=protocol))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", STANDARD)
def test_half_precision_inputs(name: str, dtype: torch.dtype) -> None:
    assert_agrees(agreement(name, "triton", 9, 255, dtype))


@pytest.mark.parametrize("name", OTHERS)
def test_half_precision_inputs_of_others(name: str) -> None:
    assert_agrees(agreement(name, "triton", 9, 255, torch.bfloat16))


@pytest.mark.parametrize("kind", SURROGATES)
@pytest.mark.parametrize("name", [name for name in STANDARD if neurons.get(name).spiking])
def test_every_surrogate(name: str, kind: str) -> None:
    assert_agrees(agreement(name, "triton", 3, 255, surrogate=kind, surrogate_width=0.8))


@pytest.mark.parametrize("features", [(), (3,), (40,), (7, 7)])
@pytest.mark.parametrize("steps", [12, 17, 36])
def test_layouts_and_blocks(features: tuple[int, ...], steps: int) -> None:
    """Channels along columns and along rows; one block of steps, blocks with a rest, several blocks."""
    torch.manual_seed(0)
    layer = neurons.layer("glif", 6, steps, "triton")
    x = 0.7 + 0.6 * torch.randn(steps, 3, 6, *features)
    assert_agrees(compare(layer, x, torch.randn_like(x)))


def test_empty_batch() -> None:
    x = torch.zeros(4, 0, 5, requires_grad=True)
    neurons.layer("glif", 5, 4, "triton")(x).sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("features", [(), (40,)])
def test_every_tile_gives_the_same(tile: int, features: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    source = source_of(neurons.get("glif")(5))
    x = 0.7 + 0.6 * torch.randn(5, 3, 6, *features)
    parameters = [torch.rand(6) if name != "conduct" else torch.rand(5, 6) for name in source.parameters]
    coefficients = source.prologue([*parameters, torch.tensor(1.0)])
    results = []
    for size in (tile, TILES[0]):
        kernel = TritonKernel(source, size)
        output, checkpoints = kernel.forward(x, coefficients, True, None)
        grad_x, grads = kernel.backward(torch.ones_like(x), x, checkpoints, coefficients, None)
        results.append([output, grad_x, *grads])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", [(), (40,)])
@pytest.mark.parametrize("bptt_steps", [1, 3, 9])
@pytest.mark.parametrize("name", STANDARD)
def test_truncation_agrees_with_the_reference(name: str, bptt_steps: int, features: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    exact = neurons.layer(name, 6, 7, "reference", bptt_steps=bptt_steps)
    layer = neurons.layer(name, 6, 7, "triton", bptt_steps=bptt_steps)
    layer.load_state_dict(exact.state_dict())
    x = 0.7 + 0.6 * torch.randn(7, 5, 6, *features)
    gradient = torch.randn_like(x)
    grads = []
    for own in (exact, layer):
        inputs = x.clone().requires_grad_()
        own(inputs).backward(gradient)
        grads.append([inputs.grad, *(parameter.grad for parameter in own.parameters())])
    for one, other in zip(*grads, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_checkpoints_are_for_backward_alone() -> None:
    """40 steps in five blocks of eight: backward needs the states before all but the first."""
    layer = neurons.layer("lif", backend="triton")
    program, x = layer._runners["cpu"].programs[torch.float32], torch.rand(40, 2, 5)
    layer(x)
    values = [torch.ones(()) for _ in program.source.constants]
    assert program.forward(x, values, False)[1].numel() == 0
    assert program.forward(x, values, True)[1].shape == (4, 1, 2, 5)


class Least(Neuron):
    """The smaller and the larger of a coefficient, which is one number or one a channel, and a value of each neuron."""

    name, states = "least", ("u",)
    a, b = Learnable(0.3, per="layer"), Learnable(0.4, per="channel")

    def step(self, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, ...]:
        least = torch.minimum(self.a, 2 * u) + torch.minimum(x, self.b)
        most = torch.maximum(self.a, u) * torch.maximum(self.b, x)
        return self.spike(least + most + x - 1), torch.tanh(least * x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_coefficient_beside_a_value_of_each_neuron(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = NeuronLayer(Least(), 3, "triton")
    x = (0.7 + 0.6 * torch.randn(6, 12, 3)).to(dtype)
    assert_agrees(compare(layer, x, torch.randn(x.shape).to(dtype)))

"""What a fused call looks at once, shares between calls or leaves out changes no result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import neurons
from neurons import Learnable, Neuron, NeuronLayer
from neurons.kernels.programs import Program
from neurons.kernels.source import KernelSource, source_of

T, N, C = 5, 6, 4


class WidthAsGain(Neuron):
    """The width goes into the loop as it is, beside a parameter that does so too."""

    name, states = "width_as_gain", ("u",)
    gain = Learnable(0.9, per="channel")

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.decay * u + self.surrogate_width * x * self.gain
        spike = self.spike(u - self.v_th)
        return spike, u - spike


MAKERS: dict[str, Callable[[str], NeuronLayer]] = {
    "lif": lambda backend: neurons.layer("lif", backend=backend),
    "plif": lambda backend: neurons.layer("plif", backend=backend),
    "klif": lambda backend: neurons.layer("klif", backend=backend),
    "glif": lambda backend: neurons.layer("glif", C, T, backend),
    "width as gain": lambda backend: NeuronLayer(WidthAsGain(), C, backend),
}


def make(name: str, backend: str = "cpu") -> NeuronLayer:
    torch.manual_seed(1)
    return MAKERS[name](backend)


def drive() -> Tensor:
    return (0.7 + 0.6 * torch.randn(T, N, C, generator=torch.Generator().manual_seed(0))).requires_grad_()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_backward_takes_the_constants_of_its_forward(name: str, create_graph: bool) -> None:
    layer, x = make(name), drive()
    wanted = [x, *layer.parameters()]
    right = torch.autograd.grad(layer(x).sum(), wanted)
    output = layer(x).sum()
    layer.neuron.surrogate_width = 2.5
    for found, own in zip(torch.autograd.grad(output, wanted, create_graph=create_graph), right, strict=True):
        assert torch.equal(found, own)


@pytest.mark.parametrize("name", ["klif", "width as gain"])
def test_backward_reads_no_memory_that_a_parameter_has_given_up(name: str) -> None:
    layer, x = make(name), drive()
    (right,) = torch.autograd.grad(layer(x).sum(), x)
    output = layer(x).sum()
    for parameter in layer.parameters():
        parameter.data = torch.full_like(parameter, 7.0)
    (found,) = torch.autograd.grad(output, x)
    assert torch.equal(found, right)


Ask = Callable[[NeuronLayer, Tensor], Sequence[Tensor | None]]


def by_backward(layer: NeuronLayer, x: Tensor, inputs: list[Tensor] | None = None) -> list[Tensor | None]:
    layer.zero_grad()
    x.grad = None
    (layer(x) * x.detach()).sum().backward(inputs=inputs)
    return [x.grad, *(parameter.grad for parameter in layer.parameters())]


ASKED: dict[str, Ask] = {
    "x": lambda layer, x: torch.autograd.grad((layer(x) * x.detach()).sum(), x),
    "parameters": lambda layer, x: torch.autograd.grad((layer(x) * x.detach()).sum(), list(layer.parameters())),
    "last parameter": lambda layer, x: torch.autograd.grad(
        (layer(x) * x.detach()).sum(), [list(layer.parameters())[-1]]
    ),
    "backward": by_backward,
    "backward to x": lambda layer, x: by_backward(layer, x, [x]),
    "backward to the last parameter": lambda layer, x: by_backward(layer, x, [list(layer.parameters())[-1]]),
}
X_ALONE = ("x", "backward to x")


@pytest.mark.parametrize("name", ["plif", "glif"])
@pytest.mark.parametrize("order", [list(ASKED), list(ASKED)[::-1]], ids=["forth", "back"])
def test_each_gets_the_gradients_that_it_asks_for(name: str, order: list[str]) -> None:
    """On one layer one after the other."""
    layer, reference, x = make(name), make(name, "reference"), drive()
    for asked in order:
        found, right = ASKED[asked](layer, x), ASKED[asked](reference, x)
        assert [value is None for value in found] == [value is None for value in right], asked
        for one, other in zip(found, right, strict=True):
            assert one is None or torch.allclose(one, other, rtol=1e-4, atol=1e-5), asked


@pytest.mark.parametrize("asked", ASKED)
def test_gradients_of_parameters_are_left_out_where_only_that_of_x_is_asked_for(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = make("glif"), drive()
    layer(x)
    calls, epilogue = [], KernelSource.epilogue
    monkeypatch.setattr(KernelSource, "epilogue", lambda *given: calls.append(1) or epilogue(*given))
    ASKED[asked](layer, x)
    assert len(calls) == (asked not in X_ALONE)


def test_layers_of_one_source_keep_their_own_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [neurons.layer("lif", surrogate_width=width) for width in (0.5, 2.0)]
    right = [torch.autograd.grad(layer(x).sum(), x)[0] for layer in layers for x in [drive()]]
    assert layers[0]._runners["cpu"].programs[torch.float32].source.digest == (
        layers[1]._runners["cpu"].programs[torch.float32].source.digest
    )
    assert not torch.equal(*right)
    monkeypatch.setattr(KernelSource, "_computed", lambda *_: pytest.fail("nothing has changed"))
    for _ in range(2):
        for layer, own in zip(layers, right, strict=True):
            x = drive()
            assert torch.equal(torch.autograd.grad(layer(x).sum(), x)[0], own)


@pytest.mark.parametrize("name", MAKERS)
def test_inference_mode_under_a_mode_that_watches(name: str) -> None:
    """Constants of such a call are tensors whose changes torch does not count."""
    layer, x = make(name), drive()
    right, gradient = layer(x).detach(), torch.autograd.grad(layer(x).sum(), x)[0]
    other = make(name)
    with torch.inference_mode(), FlopCounterMode(display=False):
        assert torch.equal(other(x.detach()), right)
    assert torch.equal(torch.autograd.grad(other(x).sum(), x)[0], gradient)
    other.neuron.surrogate_width = 1.7
    layer.neuron.surrogate_width = 1.7
    with torch.inference_mode(), FlopCounterMode(display=False):
        assert torch.equal(other(x.detach()), layer(x.detach()))


def test_changes_that_torch_does_not_count_are_seen() -> None:
    source = source_of(neurons.get("lif")())
    with torch.inference_mode():
        width = torch.tensor(1.0)
        before = [value.clone() for value in source.prologue([width])]
        width.fill_(4.0)
        after = source.prologue([width])
    assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("features", [(3, 5), (7,), (2, 3, 2)])
@pytest.mark.parametrize("name", ["lif", "glif", "width as gain"])
def test_the_format_of_a_convolution_is_kept_without_a_copy(
    name: str, features: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels last in memory: so are output and gradient, with the values of the usual format."""
    plain = (0.7 + 0.6 * torch.randn(T, N, C, *features)).requires_grad_()
    x = plain.detach().movedim(2, -1).contiguous().movedim(-1, 2).requires_grad_()
    assert not x.is_contiguous()
    gradient = torch.randn(plain.shape)
    given: list[int] = []
    run = Program.forward_with

    def watched(program: Program, own: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        given.append(own.data_ptr())
        return run(program, own, *rest)

    monkeypatch.setattr(Program, "forward_with", watched)
    outputs, gradients = [], []
    for own in (plain, x):
        layer = make(name)
        outputs.append(layer(own))
        gradients.append(torch.autograd.grad(outputs[-1], [own, *layer.parameters()], gradient))
    assert given == [plain.data_ptr(), x.data_ptr()]
    assert outputs[1].movedim(2, -1).is_contiguous()
    assert gradients[1][0].movedim(2, -1).is_contiguous()
    assert torch.equal(*outputs)
    assert torch.equal(gradients[0][0], gradients[1][0])
    for one, other in zip(gradients[0][1:], gradients[1][1:], strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)

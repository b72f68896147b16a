"""Transforms, second derivatives, fakes and tracers: right, or refused in one line; never another number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.library import opcheck

import neurons
from neurons import BackendUnavailable, NeuronLayer
from neurons.kernels.fused_operations import fused_backward, fused_forward

T, N, C, BATCH = 6, 3, 4, 5
MODELS = ["relu", "lif", "plif", "glif"]
WEIGHTS = torch.linspace(-1, 2, T)[:, None, None]


def make(name: str, backend: str = "auto") -> NeuronLayer:
    torch.manual_seed(1)
    return neurons.layer(name, C, T, backend, surrogate="atan")


def drive(*batch: int) -> Tensor:
    return 0.7 + 0.6 * torch.randn(*batch, T, N, C)


def loss(layer: NeuronLayer) -> Callable[[Tensor], Tensor]:
    return lambda x: (layer(x) * WEIGHTS).sum()


def parameters_of(layer: NeuronLayer) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in layer.named_parameters()}


def gradient_of_parameters(layer: NeuronLayer, x: Tensor) -> Any:
    def of(parameters: dict[str, Tensor]) -> Tensor:
        return (functional_call(layer, parameters, (x,)) * WEIGHTS).sum()

    return grad(of)(parameters_of(layer))


def per_sample_gradients(layer: NeuronLayer, x: Tensor) -> Any:
    def of(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return (functional_call(layer, parameters, (sample,)) * WEIGHTS).sum()

    return vmap(grad(of), (None, 0))(parameters_of(layer), torch.stack([x, 0.5 * x, x + 0.1]))


def ensemble(layer: NeuronLayer, x: Tensor) -> Any:
    several = {name: torch.stack([value, value + 0.3, value - 0.2]) for name, value in parameters_of(layer).items()}
    if not several:
        return layer(x)
    return vmap(lambda parameters: functional_call(layer, parameters, (x,)))(several)


def under_dual_level(layer: NeuronLayer, x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return layer(x)


RIGHT: dict[str, Callable[[NeuronLayer, Tensor], Any]] = {
    "grad": lambda layer, x: grad(loss(layer))(x),
    "vjp": lambda layer, x: vjp(layer, x)[1](WEIGHTS.expand_as(x))[0],
    "jacrev": lambda layer, x: jacrev(layer)(x),
    "vmap": lambda layer, x: vmap(layer)(drive(BATCH)),
    "vmap of another dimension": lambda layer, x: vmap(layer, 2, 1)(drive(BATCH).movedim(0, 2)),
    "vmap of vmap": lambda layer, x: vmap(vmap(layer))(drive(2, 3)),
    "vmap of grad": lambda layer, x: vmap(grad(loss(layer)))(drive(BATCH)),
    "grad of parameters": gradient_of_parameters,
    "gradients per sample": per_sample_gradients,
    "ensemble": ensemble,
    "jacobian": torch.autograd.functional.jacobian,
    "make_fx": lambda layer, x: make_fx(layer)(torch.zeros_like(x))(x),
    "make_fx of grad": lambda layer, x: make_fx(grad(loss(layer)))(torch.zeros_like(x))(x),
    "make_fx before dispatch": lambda layer, x: make_fx(layer, pre_dispatch=True)(torch.zeros_like(x))(x),
    "export": lambda layer, x: torch.export.export(layer, (torch.zeros_like(x),)).module()(x),
    "no tangent under dual_level": under_dual_level,
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("use", RIGHT)
def test_as_the_reference(use: str, name: str) -> None:
    x = drive()
    results = []
    for backend in ("auto", "reference"):
        torch.manual_seed(2)
        results.append(torch.utils._pytree.tree_leaves(RIGHT[use](make(name, backend), x)))
    for one, other in zip(*results, strict=True):
        assert one.count_nonzero() > 0
        assert torch.allclose(one, other, atol=1e-4)


def penalty(layer: NeuronLayer, x: Tensor) -> Tensor:
    """A gradient penalty: before, its own gradient was left out without a word."""
    x = x.clone().requires_grad_()
    output = loss(layer)(x)
    (first,) = torch.autograd.grad(output, x, create_graph=True)
    (output + first.pow(2).sum()).backward()
    return x.grad


def penalty_of_parameters(layer: NeuronLayer, x: Tensor) -> Tensor:
    output = loss(layer)(x * next(iter(layer.parameters())))
    firsts = torch.autograd.grad(output, list(layer.parameters()), create_graph=True)
    sum(first.pow(2).sum() for first in firsts).backward()
    return next(iter(layer.parameters())).grad


def penalty_after_a_layer(layer: NeuronLayer, x: Tensor) -> Tensor:
    weight = torch.ones(C, requires_grad=True)
    (first,) = torch.autograd.grad(loss(layer)(x * weight), weight, create_graph=True)
    first.pow(2).sum().backward()
    return weight.grad


def batched_gradients(layer: NeuronLayer, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(layer(x), x, torch.ones(2, *x.shape), is_grads_batched=True)[0]


def dual_numbers(layer: NeuronLayer, x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(layer(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def dual_parameters(layer: NeuronLayer, x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        dual = {n: forward_ad.make_dual(v, torch.ones_like(v)) for n, v in parameters_of(layer).items()}
        return forward_ad.unpack_dual(functional_call(layer, dual, (x,))).tangent


REFUSED: dict[str, Callable[[NeuronLayer, Tensor], Any]] = {
    "gradient penalty": penalty,
    "gradient penalty of parameters": penalty_of_parameters,
    "gradient penalty through a weight": penalty_after_a_layer,
    "grad of grad": lambda layer, x: grad(lambda y: grad(loss(layer))(y).pow(2).sum())(x),
    "double vjp": lambda layer, x: torch.autograd.functional.hessian(loss(layer), x),
    "hessian": lambda layer, x: hessian(loss(layer))(x),
    "jvp": lambda layer, x: jvp(layer, (x,), (x,)),
    "jacfwd": lambda layer, x: jacfwd(layer)(x),
    "dual numbers": dual_numbers,
    "dual parameters": dual_parameters,
    "batched gradients": batched_gradients,
    "vectorized jacobian": lambda layer, x: torch.autograd.functional.jacobian(layer, x, vectorize=True),
}


REFUSED_CASES = [
    (use, name) for use in REFUSED for name in ("lif", "plif", "glif") if name != "lif" or "parameters" not in use
]


@pytest.mark.parametrize(("use", "name"), REFUSED_CASES)
def test_refused_in_one_line_that_names_a_way(use: str, name: str) -> None:
    with pytest.raises(BackendUnavailable, match=rf"kernel of {name} is .* once, .* backend='reference'") as caught:
        REFUSED[use](make(name), drive())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("use", "name"), REFUSED_CASES)
def test_the_reference_goes_that_way(use: str, name: str) -> None:
    """What the message names works."""
    result = REFUSED[use](make(name, "reference"), drive())
    assert all(leaf.isfinite().all() for leaf in torch.utils._pytree.tree_leaves(result))


def test_forward_derivatives_of_the_reference_are_those_of_the_surrogate() -> None:
    layer, x = make("plif", "reference"), drive()
    assert torch.allclose(jacfwd(layer)(x), jacrev(layer)(x), atol=1e-5)


def test_a_graph_of_the_gradient_that_nobody_differentiates_is_fine() -> None:
    x = drive().requires_grad_()
    found = [torch.autograd.grad(loss(make("lif"))(x), x, create_graph=graph)[0] for graph in (True, False)]
    assert torch.equal(found[0].detach(), found[1])


# What records, fakes or rewrites meets the operation, never numbers of the first input.


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_traced_graphs_hold_the_operation(mode: str, name: str) -> None:
    layer = make(name)
    held = parameters_of(layer)

    def run(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, parameters, (x,))

    traced = make_fx(run, tracing_mode=mode)(held, drive())
    assert [str(node.target) for node in traced.graph.nodes].count("neurons.fused_forward.default") == 1
    x = drive()
    assert torch.equal(traced(held, x), layer(x))


@pytest.mark.parametrize("name", MODELS)
def test_fake_and_meta_tensors_get_shapes(name: str) -> None:
    layer = make(name)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert type(layer(torch.empty(T, N, C))) is FakeTensor
        assert type(layer(drive().requires_grad_())) is FakeTensor
    found = make(name).to("meta")(torch.empty(T, N, C, device="meta", dtype=torch.bfloat16))
    assert (found.is_meta, found.shape, found.dtype) == (True, (T, N, C), torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", MODELS)
def test_the_fakes_agree_with_the_kernels(name: str, dtype: torch.dtype) -> None:
    """Shapes, dtypes and strides of outputs, also of inputs that are not contiguous; schema; no alias."""
    layer = make(name)
    real = torch.float64 if dtype == torch.float64 else torch.float32
    program = layer._runners["cpu"].programs[real]
    source, handle = program.source, program.handle
    sizes = {"layer": (), "channel": (C,), "step_channel": (T, C)}
    values = [torch.rand(sizes[per], dtype=real) for per in source.granularity]
    values += [torch.ones((), dtype=real) for _ in source.constants]
    x = drive().to(dtype)
    for current in (x, x.permute(2, 1, 0).contiguous().permute(2, 1, 0)):
        checks = ("test_schema", "test_faketensor")
        opcheck(fused_forward, (current, values, handle, True), test_utils=checks)
        found = fused_forward(current, values, handle, True)
        opcheck(fused_backward, (current, current, found[1], values, handle), test_utils=checks)
        mode = FakeTensorMode()
        fake = [mode.from_tensor(tensor) for tensor in (current, *values)]
        faked = fused_forward(fake[0], fake[1:], handle, True)
        for one, other in zip(faked, found, strict=True):
            assert (one.shape, one.dtype, one.stride()) == (other.shape, other.dtype, other.stride())


def test_an_exported_batch_is_free() -> None:
    layer = make("glif")
    batch = torch.export.Dim("batch", min=1, max=100)
    program = torch.export.export(layer, (drive(),), dynamic_shapes=({1: batch},)).module()
    x = 0.7 + 0.6 * torch.randn(T, 9, C)
    assert torch.equal(program(x), layer(x))

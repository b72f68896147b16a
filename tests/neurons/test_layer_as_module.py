"""A layer is a module as people use them: a table of uses, each held against the plain call or the reference."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize, prune
from torch.utils.checkpoint import checkpoint

import neurons
from neurons import NeuronLayer

T, N, C = 6, 3, 4
MODELS = ["lif", "plif", "glif", "clif"]
BACKENDS = ["auto", "reference"]
Use = Callable[[NeuronLayer, Tensor], Tensor]


def make(name: str = "glif", backend: str = "auto", **constants: Any) -> NeuronLayer:
    torch.manual_seed(1)
    return neurons.layer(name, C, T, backend, **constants)


@pytest.fixture
def x() -> Tensor:
    return 0.7 + 0.6 * torch.randn(T, N, C)


# Uses after which the layer computes what it did.


def replica(layer: NeuronLayer, x: Tensor) -> Tensor:
    """What `DataParallel` makes: a shallow copy whose parameters are plain attributes."""
    copied = layer._replicate_for_data_parallel()
    for name, value in layer.named_parameters():
        setattr(copied, name, value.clone())
    assert not list(copied.parameters())
    return copied(x)


def data_parallel(layer: NeuronLayer, x: Tensor) -> Tensor:
    return nn.DataParallel(layer, dim=1)(x)


def identity_parametrization(layer: NeuronLayer, x: Tensor) -> Tensor:
    for name, _ in [*layer.named_parameters()]:
        parametrize.register_parametrization(layer, name, nn.Identity())
    return layer(x)


def pruned_nowhere(layer: NeuronLayer, x: Tensor) -> Tensor:
    for name, value in [*layer.named_parameters()]:
        if value.ndim:
            prune.l1_unstructured(layer, name, amount=0)
    return layer(x)


def buffers(layer: NeuronLayer, x: Tensor) -> Tensor:
    for name, value in [*layer.named_parameters()]:
        delattr(layer, name)
        layer.register_buffer(name, value.detach())
    return layer(x)


def frozen(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer.requires_grad_(False)(x)


def deep_copy(layer: NeuronLayer, x: Tensor) -> Tensor:
    return copy.deepcopy(layer)(x)


def shallow_copy(layer: NeuronLayer, x: Tensor) -> Tensor:
    return copy.copy(layer)(x)


def pickled(layer: NeuronLayer, x: Tensor) -> Tensor:
    return pickle.loads(pickle.dumps(layer))(x)


def saved_whole(layer: NeuronLayer, x: Tensor) -> Tensor:
    file = io.BytesIO()
    torch.save(nn.Sequential(layer), file)
    file.seek(0)
    return torch.load(file, weights_only=False)(x)


def state_dict(layer: NeuronLayer, x: Tensor) -> Tensor:
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(layer)
    for parameter in other.parameters():
        nn.init.constant_(parameter, 0.123)
    other.load_state_dict(torch.load(file, weights_only=True))
    return other(x)


def made_on_meta(layer: NeuronLayer, x: Tensor) -> Tensor:
    with torch.device("meta"):
        other = neurons.layer(layer.neuron.name, C, T, layer.backend)
    other.to_empty(device="cpu").load_state_dict(layer.state_dict())
    return other(x)


def inference_mode(layer: NeuronLayer, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return layer(x).clone()


def shared_memory(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer.share_memory()(x)


def checkpointed(layer: NeuronLayer, x: Tensor) -> Tensor:
    return checkpoint(layer, x.requires_grad_(), use_reentrant=False)


def functional(layer: NeuronLayer, x: Tensor) -> Tensor:
    return functional_call(layer, {name: value.clone() for name, value in layer.named_parameters()}, (x,))


def averaged(layer: NeuronLayer, x: Tensor) -> Tensor:
    model = torch.optim.swa_utils.AveragedModel(layer)
    model.update_parameters(layer)
    return model(x)


def hooked(layer: NeuronLayer, x: Tensor) -> Tensor:
    seen: list[Tensor] = []
    layer.register_forward_hook(lambda module, arguments, output: seen.append(output))
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    layer(x.requires_grad_()).sum().backward()
    return seen[0]


def eval_mode(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer.eval()(x)


def not_contiguous(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer(x.permute(2, 1, 0).contiguous().permute(2, 1, 0))


def negative_view(layer: NeuronLayer, x: Tensor) -> Tensor:
    """A tensor whose numbers are stored with the other sign, as imaginary parts of conjugates are."""
    return layer(torch._neg_view(-x))


def subclass(layer: NeuronLayer, x: Tensor) -> Tensor:
    class Named(Tensor):
        pass

    found = layer(x.as_subclass(Named))
    assert type(found) is Named
    return found.as_subclass(Tensor)


def under_a_mode(layer: NeuronLayer, x: Tensor) -> Tensor:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False):
        return layer(x)


def saved_tensor_hooks(layer: NeuronLayer, x: Tensor) -> Tensor:
    with torch.autograd.graph.save_on_cpu():
        return layer(x.requires_grad_())


def threads(layer: NeuronLayer, x: Tensor) -> Tensor:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(layer, [x] * 8)]
    assert all(torch.equal(result, results[0]) for result in results)
    return results[0]


def moved_and_back(layer: NeuronLayer, x: Tensor) -> Tensor:
    return layer.double().float()(x)


SAME: list[Use] = [
    *(replica, data_parallel, identity_parametrization, pruned_nowhere, buffers, frozen, deep_copy, shallow_copy),
    *(pickled, saved_whole, state_dict, made_on_meta, inference_mode, shared_memory, checkpointed, functional),
    *(averaged, hooked, eval_mode, not_contiguous, negative_view, subclass, under_a_mode, saved_tensor_hooks),
    *(threads, moved_and_back),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("use", SAME)
def test_computes_the_same(use: Use, backend: str, x: Tensor) -> None:
    for name in MODELS:
        expected = make(name, backend)(x.clone())
        assert expected.count_nonzero() > 0
        found = use(make(name, backend), x.clone())
        assert torch.equal(found, expected), name


# Uses that change what the layer computes: it must follow.


def clamped(layer: NeuronLayer) -> None:
    class Clamp(nn.Module):
        def forward(self, value: Tensor) -> Tensor:
            return value.clamp(max=-0.5)

    parametrize.register_parametrization(layer, "gate_leak", Clamp())


def pruned(layer: NeuronLayer) -> None:
    prune.random_unstructured(layer, "linear_leak", amount=C)


def tied(layer: NeuronLayer) -> None:
    layer.linear_leak = layer.threshold


def replaced(layer: NeuronLayer) -> None:
    layer.threshold = nn.Parameter(torch.linspace(-2, 2, C))


@pytest.mark.parametrize("change", [clamped, pruned, tied, replaced])
def test_parameters_are_those_that_the_layer_has_now(change: Callable[[NeuronLayer], None], x: Tensor) -> None:
    """Values and gradients as the reference has them, after the same change."""
    layers = [make(backend=backend, surrogate="atan") for backend in ("auto", "reference")]
    before = layers[0](x).detach()
    results = []
    for layer in layers:
        torch.manual_seed(2)
        change(layer)
        output = layer(x)
        (output * torch.randn(x.shape)).sum().backward()
        results.append([output, *(parameter.grad for parameter in layer.parameters())])
    assert not torch.equal(results[0][0], before)
    assert len(results[0]) > 1
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_frozen_parameters_get_no_gradient(x: Tensor) -> None:
    layer = make()
    layer.threshold.requires_grad_(False)
    layer(x).sum().backward()
    assert layer.threshold.grad is None
    assert layer.gate_leak.grad is not None


@pytest.mark.parametrize("name", MODELS)
def test_autocast(name: str, x: Tensor) -> None:
    """A synapse in bfloat16, then the neuron, whose states are float32: as the reference of the same input."""
    torch.manual_seed(0)
    synapse = nn.Linear(C, C)
    layer = make(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        current = synapse(x)
        output = layer(current)
    assert output.dtype == current.dtype == torch.bfloat16
    assert torch.equal(output, make(name, "reference")(current.float()).bfloat16())
    output.float().sum().backward()
    assert synapse.weight.grad.isfinite().all()


class Currents(torch.utils.data.Dataset):
    """Samples that a layer in the data set makes."""

    def __init__(self, layer: NeuronLayer) -> None:
        self.layer = layer

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        torch.manual_seed(index)
        return self.layer(torch.randn(T, N, C)).detach()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_in_the_workers_of_a_data_loader(start: str) -> None:
    data = Currents(make("lif"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fork in a process with threads
        loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=1, multiprocessing_context=start)
        found = torch.stack([*loader])
    assert torch.equal(found, torch.stack([data[index] for index in range(4)]))

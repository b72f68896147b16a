"""A layer is a module as people use them: a table of uses, each held against the plain call or the reference."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize, prune
from torch.utils.checkpoint import checkpoint

import neurons
from neurons import BackendUnavailable, InvalidValue, NeuronLayer

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


# Parameters and inputs that do not fit: one line each.


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

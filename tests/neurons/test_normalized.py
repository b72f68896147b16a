"""A batch norm inside of the layer computes what it computes in front of it."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import neurons
from neurons import BackendUnavailable, InvalidValue, NeuronLayer
from neurons.normalized import NormalizedLayer, threshold_dependent

T, N, C = 5, 6, 7


def pair(name: str, norm: nn.Module, backend: str = "cpu", **constants: float) -> tuple[NormalizedLayer, nn.ModuleList]:
    """Joined, and a copy of both apart, in float64."""
    layer = neurons.layer(name, C, T, backend, **constants).double()
    if norm.weight is not None:
        nn.init.normal_(norm.weight, 1.0, 0.3)
        nn.init.normal_(norm.bias, 0.2, 0.3)
    norm = norm.double()
    return NormalizedLayer(layer, norm), nn.ModuleList([copy.deepcopy(norm), copy.deepcopy(layer)])


def results(module: nn.Module, output: Tensor, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, gradients of x and of each parameter by name, and the buffers."""
    parameters = [value for _, value in sorted(module.named_parameters(), key=lambda own: own[0].split(".", 1)[1])]
    grads = torch.autograd.grad(output, [x, *parameters], gradient, materialize_grads=True)
    return [output.detach(), *grads]


def assert_same(joined: NormalizedLayer, apart: nn.ModuleList, features: tuple[int, ...] = ()) -> None:
    norm, layer = apart
    for training in (True, True, False):
        joined.train(training)
        apart.train(training)
        x = 1 + 2 * torch.randn(T, N, C, *features, dtype=torch.float64)
        gradient, own, other = torch.randn_like(x), x.clone().requires_grad_(), x.clone().requires_grad_()
        found = results(joined, joined(own), own, gradient)
        right = results(apart, layer(norm(other.flatten(0, 1)).unflatten(0, x.shape[:2])), other, gradient)
        assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(found, right, strict=True))
        for (_, a), (_, b) in zip(joined.norm.named_buffers(), norm.named_buffers(), strict=True):
            assert torch.allclose(a.double(), b.double(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("name", ["lif", "plif", "glif", "clif", "relu"])
def test_the_same_as_apart(name: str, backend: str) -> None:
    assert_same(*pair(name, nn.BatchNorm2d(C), backend), (3, 2))


NORMS = {
    "no features": (nn.BatchNorm1d(C), ()),
    "volumes": (nn.BatchNorm3d(C), (2, 1, 2)),
    "no weights": (nn.BatchNorm1d(C, affine=False), (4,)),
    "no averages": (nn.BatchNorm2d(C, track_running_stats=False), (2, 2)),
    "average of all": (nn.BatchNorm2d(C, momentum=None), (2, 2)),
    "other numbers": (nn.BatchNorm2d(C, eps=0.3, momentum=0.7), (2, 2)),
}


@pytest.mark.parametrize("kind", NORMS)
def test_every_kind_of_norm(kind: str) -> None:
    norm, features = NORMS[kind]
    assert_same(*pair("lif", copy.deepcopy(norm)), features)


def test_tdbn_begins_at_the_threshold() -> None:
    norm = threshold_dependent(nn.BatchNorm2d(C), v_th=0.6, alpha=0.5)
    assert norm.weight.tolist() == pytest.approx([0.3] * C)
    joined = NormalizedLayer(NeuronLayer(neurons.get("lif")(), C, "cpu").double(), norm.double())
    assert_same(joined, nn.ModuleList([copy.deepcopy(norm), copy.deepcopy(joined.layer)]), (4, 4))


def test_inputs_of_sixteen_bits_are_normed_in_float32() -> None:
    torch.manual_seed(1)
    joined = NormalizedLayer(neurons.layer("lif", C, T, "cpu"), nn.BatchNorm1d(C))
    x = (1000 + torch.randn(T, 64, C)).bfloat16()
    scale, _ = joined._scale_and_shift(*joined._moments(x)[1:])
    own = x.double()
    right = torch.rsqrt(own.var((0, 1), correction=0) + 1e-5)
    assert scale.dtype == torch.float32
    assert torch.allclose(scale.double(), right, rtol=1e-3)
    assert joined(x).dtype == torch.bfloat16


def test_copies_and_changes() -> None:
    """A copy, a pickle, an annealed width and a changed threshold are those of the layer."""
    joined, _ = pair("lif", nn.BatchNorm1d(C))
    x = 1 + 2 * torch.randn(T, N, C, dtype=torch.float64)
    joined.eval()
    before = joined(x)
    assert torch.equal(copy.deepcopy(joined)(x), before)
    assert torch.equal(pickle.loads(pickle.dumps(joined))(x), before)

    def slope(layer: NormalizedLayer) -> Tensor:
        own = x.clone().requires_grad_()
        return torch.autograd.grad(layer(own).sum(), own)[0]

    narrow = slope(joined)
    joined.layer.neuron.surrogate_width = 5.0
    fresh, _ = pair("lif", nn.BatchNorm1d(C), surrogate_width=5.0)
    fresh.load_state_dict(joined.state_dict())
    assert torch.equal(slope(joined), slope(fresh.eval()))
    assert not torch.equal(slope(joined), narrow)
    joined.layer.neuron.v_th = 0.2
    assert not torch.equal(joined(x), before)


def test_what_is_refused() -> None:
    layer = neurons.layer("plif", C, T)
    with pytest.raises(InvalidValue, match=r"BatchNorm1d, 2d or 3d, not GroupNorm"):
        NormalizedLayer(layer, nn.GroupNorm(1, C))
    with pytest.raises(InvalidValue, match="the norm has 8 channels, the layer 7"):
        NormalizedLayer(layer, nn.BatchNorm1d(8))
    with pytest.raises(InvalidValue, match="psn is not a step over time"):
        NormalizedLayer(neurons.layer("psn", C, T), nn.BatchNorm1d(C))
    joined = NormalizedLayer(layer, nn.BatchNorm1d(C))
    with pytest.raises(InvalidValue, match=r"\[T, N, 7, \*features\]"):
        NormalizedLayer(neurons.layer("lif"), nn.BatchNorm1d(C))(torch.zeros(T, N, 3))
    with pytest.raises(InvalidValue, match="more than 1 value of each channel"):
        NormalizedLayer(neurons.layer("lif"), nn.BatchNorm1d(C))(torch.zeros(1, 1, C))
    joined.layer.backend = "spikingjelly"
    with pytest.raises(BackendUnavailable, match="spikingjelly takes no norm into its kernel"):
        joined(torch.zeros(T, N, C))

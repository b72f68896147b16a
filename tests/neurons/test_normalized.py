"""A batch norm inside of the layer computes what it computes in front of it."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import neurons
from neurons import BackendUnavailable, InvalidValue
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


def test_tdbn_is_the_published_formula() -> None:
    """y = λ·α·v_th·(x − E[x])/√(Var[x] + ε) + β over time, batch and space, its gradients, and the running averages."""
    torch.manual_seed(0)
    alpha, v_th, eps = 0.5, 0.6, 1e-5
    norm = threshold_dependent(nn.BatchNorm2d(C), v_th, alpha).double()
    factor = norm.parametrizations.weight.original
    assert factor.tolist() == [1.0] * C
    nn.init.normal_(factor, 1.0, 0.3)
    nn.init.normal_(norm.bias, 0.2, 0.3)
    x = (1 + 2 * torch.randn(T, N, C, 4, 3, dtype=torch.float64)).requires_grad_()

    def by_hand(mean: Tensor, variance: Tensor) -> Tensor:
        own = [value.reshape(C, 1, 1) for value in (mean, variance, factor, norm.bias)]
        return own[2] * alpha * v_th * (x - own[0]) / (own[1] + eps).sqrt() + own[3]

    count = T * N * 12
    mean = x.sum((0, 1, 3, 4)) / count
    variance = (x - mean.reshape(C, 1, 1)).square().sum((0, 1, 3, 4)) / count
    gradient = torch.randn_like(x)
    found, right = norm(x.flatten(0, 1)).unflatten(0, (T, N)), by_hand(mean, variance)
    assert torch.allclose(found, right, rtol=1e-12, atol=1e-12)
    of = [x, factor, norm.bias]
    both = [torch.autograd.grad(out, of, gradient, retain_graph=True) for out in (found, right)]
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(*both, strict=True))
    right = by_hand(0.1 * mean.detach(), 0.9 + 0.1 * variance.detach() * count / (count - 1))
    assert torch.allclose(norm.eval()(x.flatten(0, 1)).unflatten(0, (T, N)), right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("name", ["lif", "clif"])
def test_tdbn_the_same_as_apart(name: str, backend: str) -> None:
    assert_same(*pair(name, threshold_dependent(nn.BatchNorm2d(C), 0.6, 0.7), backend, v_th=0.6), (4, 4))


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
    with pytest.raises(InvalidValue, match=r"BatchNorm1d, 2d or 3d, not Own"):
        NormalizedLayer(layer, type("Own", (nn.BatchNorm1d,), {"forward": lambda self, x: x})(C))
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

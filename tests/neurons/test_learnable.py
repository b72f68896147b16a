"""Draws, bounds and levels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from neurons import Following, InvalidValue, Learnable, LogUniform, Neuron, NeuronLayer, Normal, Uniform
from neurons.levels import levels


def made(count: int = 4000, **learnables: Learnable) -> NeuronLayer:
    def step(self: Neuron, x: Tensor) -> tuple[Tensor, ...]:
        return (self.spike(x * self.a),)

    return NeuronLayer(type("Drawn", (Neuron,), {"name": "drawn", "step": step, **learnables})(6), count, "reference")


def test_uniform() -> None:
    a = made(a=Learnable(Uniform(5, 25), per="channel")).a.detach()
    assert 5 <= float(a.min()) < 5.1
    assert 24.9 < float(a.max()) <= 25
    assert float(a.mean()) == pytest.approx(15, abs=0.4)


def test_normal() -> None:
    a = made(a=Learnable(Normal(20, 5), per="channel")).a.detach()
    assert float(a.mean()) == pytest.approx(20, abs=0.4)
    assert float(a.std()) == pytest.approx(5, abs=0.3)


def test_log_uniform() -> None:
    a = made(a=Learnable(LogUniform(0.001, 0.1), per="channel")).a.detach()
    assert float(a.min()) >= 0.001
    assert float(a.max()) <= 0.1
    assert float(a.log10().mean()) == pytest.approx(-2, abs=0.05)  # the middle of −3 and −1


def test_a_draw_that_follows_another_and_a_function_of_the_neuron() -> None:
    layer = made(
        a=Learnable(lambda neuron: Uniform(0, neuron.timesteps), per="channel"),
        b=Learnable(Following("a", lambda a: 2 * a), per="channel"),
    )
    assert torch.equal(layer.b, 2 * layer.a)
    assert float(layer.a.detach().max()) > 5
    layer.a.data.fill_(0)
    assert float(layer.b.detach().abs().max()) > 0
    with pytest.raises(InvalidValue, match="follows 'b', which is not declared before it"):
        made(a=Learnable(Following("b", torch.exp), per="channel"), b=Learnable(1.0))


@pytest.mark.parametrize("per", ["layer", "channel", "step_channel"])
def test_every_granularity_is_drawn(per: str) -> None:
    a = made(3, a=Learnable(Uniform(0, 1), per=per)).a
    assert a.shape == {"layer": (), "channel": (3,), "step_channel": (6, 3)}[per]
    assert len(set(a.flatten().tolist())) == a.numel()


def test_a_given_value_replaces_the_draw_and_keeps_the_bounds() -> None:
    def step(self: Neuron, x: Tensor) -> tuple[Tensor, ...]:
        return (x * self.a,)

    cls = type("Given", (Neuron,), {"name": "given", "step": step, "spiking": False})
    cls.a = Learnable(Uniform(0, 1), per="channel", low=0, high=1)  # type: ignore[attr-defined]
    layer = NeuronLayer(cls(a=3.0), 2, "reference")
    assert layer.a.tolist() == [3, 3]
    assert layer(torch.ones(1, 1, 2)).tolist() == [[[1, 1]]]


class Bounded(Neuron):
    name = "bounded"
    spiking = False
    a = Learnable(0.5, per="channel", low=0.0, high=1.0)

    def step(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x * self.a,)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_bounds(backend: str) -> None:
    """Beyond them the step sees the nearest value and no gradient passes; `project` brings a parameter back."""
    layer = NeuronLayer(Bounded(), 4, backend)
    layer.a.data = torch.tensor([-0.5, 0.25, 1.0, 7.0])
    x = torch.full((2, 3, 4), 2.0)
    output = layer(x)
    assert torch.equal(output, torch.tensor([0.0, 0.5, 2.0, 2.0]).expand(2, 3, 4))
    output.sum().backward()
    assert layer.a.grad.tolist() == [0, 12, 12, 0]
    layer.project()
    assert layer.a.tolist() == [0, 0.25, 1, 1]


def test_levels_round_clip_and_pass_the_gradient() -> None:
    value = torch.tensor([-0.7, 0.0, 0.4, 0.5, 1.5, 2.5, 3.6, 4.0, 4.2], dtype=torch.float64, requires_grad=True)
    found = levels(value, 0, 4)
    assert found.tolist() == [0, 0, 0, 0, 2, 2, 4, 4, 4]  # halves go to the even neighbour
    (gradient,) = torch.autograd.grad(found.sum(), value)
    assert gradient.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 0]


class Graded(Neuron):
    name = "graded"
    states = ("u",)

    def step(self, x: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(u, x)
        output = self.levels(u, -2, 3)
        return output, u - output

    @property
    def events(self) -> int:
        return 3

    @property
    def bits(self) -> int:
        return 3


def test_levels_are_exact_and_fused() -> None:
    torch.manual_seed(0)
    x = 2 * torch.randn(40, 30, 5)
    for dtype in (torch.float32, torch.float64):
        results = []
        for backend in ("reference", "cpu"):
            own = x.to(dtype, copy=True).requires_grad_()
            output = NeuronLayer(Graded(), None, backend).to(dtype)(own)
            output.backward(torch.cos(torch.arange(output.numel()).view(output.shape)).to(dtype))
            results.append((output.detach(), own.grad))
        assert torch.equal(results[0][0], results[1][0])
        assert torch.allclose(results[0][1], results[1][1], atol=1e-6)
        assert set(results[0][0].unique().tolist()) == {-2, -1, 0, 1, 2, 3}


def test_levels_under_transforms() -> None:
    layer = NeuronLayer(Graded(), None, "reference")
    x = torch.randn(5, 3, dtype=torch.float64)
    forward = torch.func.jacfwd(layer)(x)
    backward = torch.func.jacrev(layer)(x)
    assert torch.allclose(forward, backward)
    assert float(forward.abs().max()) > 0
    assert math.isclose(float(torch.func.vmap(layer)(x.expand(2, 5, 3)).sum()), 2 * float(layer(x).sum()))


class LearnedStart(Neuron):
    name = "learned_start"
    states = ("d",)
    first = Learnable(0.4, per="channel")

    def step(self, x: Tensor, d: Tensor) -> tuple[Tensor, ...]:
        u = self.charge(self.first + d, x)
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike) - self.first


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_state_that_starts_at_a_learned_value(backend: str) -> None:
    # u starts at 0.4: 0.2 + 0.1 = 0.3, 0.15 + 0.9 = 1.05 fires; ∂s[1]/∂first = γ² = ¼, 0.3 being outside the surrogate
    layer = NeuronLayer(LearnedStart(), 1, backend)
    output = layer(torch.tensor([0.1, 0.9]).reshape(2, 1, 1))
    assert output.flatten().tolist() == [0, 1]
    output[1].sum().backward()
    assert layer.first.grad.item() == pytest.approx(0.25)

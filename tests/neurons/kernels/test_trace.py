"""From a step to its program: names, coefficients, costs, and what is refused."""

from __future__ import annotations

import pytest
import torch

import neurons
from neurons import Learnable, Neuron
from neurons.errors import NotFusable
from neurons.kernels import cost
from neurons.kernels.cpu.keep import split_adjoint
from neurons.kernels.trace import program_of


class Base(Neuron):
    name = "test"
    states = ("u",)


class Mean(Base):
    def step(self, x, u):
        u = u - (u + x).mean()
        return self.spike(u), u


class Matmul(Base):
    def step(self, x, u):
        u = x @ u
        return self.spike(u), u


class Branch(Base):
    def step(self, x, u):
        if (x > 0).any():
            u = u + x
        return self.spike(u), u


class Broken(Base):
    def step(self, x, u):
        raise ValueError("its own fault")


@pytest.mark.parametrize(
    ("cls", "line", "reason"),
    [
        (Mean, "u = u - (u + x).mean()", "the operation mean is not pointwise"),
        (Matmul, "u = x @ u", "not pointwise"),
        (Branch, "if (x > 0).any():", "the operation any is not pointwise"),
    ],
)
def test_refusal_names_operation_and_line(cls: type[Neuron], line: str, reason: str) -> None:
    with pytest.raises(NotFusable) as raised:
        program_of(cls())
    message = str(raised.value)
    assert line in message
    assert reason in message
    assert message.endswith("the backend reference remains")
    assert "\n" not in message


def test_error_of_the_step_shows_as_itself() -> None:
    with pytest.raises(ValueError, match="its own fault"):
        program_of(Broken())


def test_parameters_leave_the_loop_as_coefficients() -> None:
    glif = program_of(neurons.get("glif")(8))
    kinds = {coefficient.name: coefficient.per for coefficient in glif.coefficients}
    assert kinds["decay"] == "channel"
    assert kinds["gain"] == "step_channel"
    assert cost.operations(glif.forward)["transcendental"] == 0
    plif = program_of(neurons.get("plif")(8))
    found = [(coefficient.name, coefficient.per) for coefficient in plif.coefficients]
    assert found == [("decay", "layer"), ("mul_surrogate_width", "layer"), ("div_surrogate_width", "layer")]
    assert [total.per for total in plif.sums] == ["layer"]


def test_costs_by_hand() -> None:
    # LIF: ½·u, + x, − v_th, ≥ 0, v_th·s, − : 2 multiplications, 3 additions, 1 comparison
    lif = cost.operations(program_of(neurons.get("lif")()).forward)
    assert dict(lif) == {"multiply": 2, "add": 3, "compare": 1}
    lif = program_of(neurons.get("lif")())
    assert cost.kernel_operations(lif, "forward") == 6
    # ½·u, + x, − v_th, |·|, < w/2, where it holds; −g, ·v_th, + grad, · surrogate, + g, ·½: twelve, and forward again
    assert cost.kernel_operations(lif, "backward") == 18
    clif = cost.operations(program_of(neurons.get("clif")()).forward)
    assert clif["transcendental"] == 2


def test_backward_keeps_the_exponentials() -> None:
    adjoint = split_adjoint(program_of(neurons.get("clif")()))
    assert len(adjoint.kept) == 2
    assert cost.operations(adjoint.backward)["transcendental"] == 0
    assert split_adjoint(program_of(neurons.get("lif")())).kept == ()


class Mixture(Base):
    """Every kind of parameter in one coefficient, a constant tensor, and an operation of each class."""

    states = ("u", "v")
    a = Learnable(0.3)
    b = Learnable(0.2, per="channel", spread=0.1)
    c = Learnable(0.1, per="step_channel", spread=0.1)

    def step(self, x, u, v):
        rate = torch.sigmoid(self.a) * self.b + self.c
        u = torch.where(x > 0.5, u * rate + x, torch.tanh(u)).clamp(-3.0, 3.0)
        v = torch.maximum(v * 0.5, torch.exp(-u.abs())) + torch.tensor(0.25) * torch.log1p(u * u)
        v = torch.minimum(v, torch.sqrt(v * v + 1.0)) - torch.pow(u, 2) * 0.01 + torch.sin(u) * torch.cos(v)
        spike = self.spike(u - self.v_th + (v - 1.0).clamp(min=0))
        return spike, u - spike, v


def test_mixture_on_the_cpu() -> None:
    from neurons.conformance import compare

    torch.manual_seed(1)
    layer = neurons.NeuronLayer(Mixture(6), channels=5, backend="cpu")
    x = 0.7 + 0.6 * torch.randn(6, 20, 5)
    assert compare(layer, x, torch.randn_like(x)).fault is None
    layer = neurons.NeuronLayer(Mixture(6), channels=5, backend="cpu").double()
    assert compare(layer, x.double(), torch.randn_like(x).double()).fault is None

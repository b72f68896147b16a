"""A kernel is that of the step, however the step is written, wherever its numbers come from, whenever they change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import neurons
from neurons import BackendUnavailable, InvalidValue, Learnable, Neuron, NeuronLayer
from neurons.conformance import compare
from neurons.errors import NotFusable
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.trace import program_of
from neurons.reference import step_loop
from tests.neurons.kernels.steps_kept import KEPT
from tests.neurons.kernels.steps_refused import REFUSED

T, C = 6, 3


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_library, "FLAGS", tuple(flag.replace("-O3", "-O1") for flag in cpu_library.FLAGS))


def drive() -> torch.Tensor:
    return 0.7 + 0.6 * torch.randn(T, 20, C, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str, dtype: torch.dtype, quick_compiler: None) -> None:
    layer = NeuronLayer(KEPT[name](T), C, "cpu").to(dtype)
    x = drive().to(dtype)
    found = compare(layer, x, torch.randn_like(x))
    assert found.fault is None
    assert found.undecided <= 6
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    assert max([found.gradient_error, *found.parameter_errors.values()]) < tolerance
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad.abs().max() > 0


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_line_and_reason(name: str) -> None:
    cls, line, reason = REFUSED[name]
    with pytest.raises(NotFusable) as raised:
        program_of(cls(T))
    message = str(raised.value)
    assert line in message
    assert reason in message
    assert "\n" not in message
    with pytest.raises(BackendUnavailable):
        NeuronLayer(cls(T), C, "cpu")(drive())


def leaky(beta: float) -> type[Neuron]:
    class Leaky(Neuron):
        name, states = "leaky", ("u",)

        def step(self, x, u):
            u = beta * u + x
            spike = self.spike(u - self.v_th)
            return spike, u - spike

    return Leaky


class Attribute(Neuron):
    name, states = "attribute", ("u",)

    def __init__(self, timesteps=None, beta=0.9, **constants):
        super().__init__(timesteps, **constants)
        self.beta = beta

    def step(self, x, u):
        u = self.beta * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike


class Listed(Neuron):
    name, states, numbers = "listed", ("u",), {"leak": [0.1, 1.0]}

    def step(self, x, u):
        u = self.numbers["leak"][0] * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike


BETA = 0.1


class Global(Neuron):
    name, states = "global", ("u",)

    def step(self, x, u):
        u = BETA * u + x
        spike = self.spike(u - self.v_th)
        return spike, u - spike


def assert_as_reference(layer: NeuronLayer) -> torch.Tensor:
    x = drive().double()
    layer.double()
    output = layer(x)
    assert torch.equal(output, step_loop(layer.neuron, dict(layer.named_parameters()), x))
    return output


@pytest.mark.parametrize("backend", ["cpu", "compile"])
def test_two_that_share_everything_but_a_number(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made before either runs: a closure, an attribute of `__init__`, a module's constant, a constant of the layer."""
    layers = [NeuronLayer(leaky(beta)(), backend=backend) for beta in (0.1, 0.99)]
    layers += [NeuronLayer(Attribute(beta=beta), backend=backend) for beta in (0.1, 0.99)]
    layers += [neurons.layer("lif", backend=backend, tau=tau) for tau in (1.2, 20.0)]
    outputs = [assert_as_reference(layer) for layer in layers]
    for one, other in zip(outputs[::2], outputs[1::2], strict=True):
        assert not torch.equal(one, other)


def test_a_global_that_changed_before_the_layer_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    before = assert_as_reference(NeuronLayer(Global(), backend="cpu"))
    monkeypatch.setattr(sys.modules[__name__], "BETA", 0.99)
    assert not torch.equal(assert_as_reference(NeuronLayer(Global(), backend="cpu")), before)


CHANGES = {
    "attribute": lambda neuron: setattr(neuron, "beta", 0.99),
    "constant": lambda neuron: setattr(neuron, "v_th", 0.3),
    "class": lambda neuron: setattr(type(neuron), "v_th", 0.4),
    "base class": lambda neuron: setattr(Neuron, "v_th", 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("backend", ["cpu", "compile", "reference"])
def test_changed_after_creation(change: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Neuron, "v_th", 1.0)
    cls = type("Own", (Attribute,), {"name": "own"})
    layer = NeuronLayer(cls(beta=0.1), backend=backend)
    before = assert_as_reference(layer)
    CHANGES[change](layer.neuron)
    assert not torch.equal(assert_as_reference(layer), before)


OTHERS = {
    "class": lambda layer: setattr(type(layer.neuron), "v_th", 0.4),
    "list": lambda layer: layer.neuron.numbers["leak"].__setitem__(0, 0.99),
    "attribute": lambda layer: setattr(layer.neuron, "v_th", 0.3),
}


@pytest.mark.parametrize("change", OTHERS)
@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("backend", ["cpu", "compile"])
def test_what_changes_another_changes_nothing_here(backend: str, called: bool, change: str) -> None:
    """Two that compute the same when they are made, the first of which changes before or after the second is made."""
    made = []
    for _ in range(3):
        cls = type("Twin", (Listed,), {"name": "twin", "v_th": 1.0})
        layer = NeuronLayer(cls(), backend=backend)
        layer.neuron.numbers = {"leak": [0.1]}
        if called:
            assert_as_reference(layer)
        made.append(layer)
        OTHERS[change](made[0])
    outputs = [assert_as_reference(layer) for layer in made]
    assert torch.equal(outputs[1], outputs[2])
    assert not torch.equal(outputs[0], outputs[1])


def test_a_list_that_changed_inside() -> None:
    layer = NeuronLayer(Listed(), backend="cpu")
    before = assert_as_reference(layer)
    layer.neuron.numbers["leak"][0] = 0.99
    try:
        assert not torch.equal(assert_as_reference(layer), before)
    finally:
        layer.neuron.numbers["leak"][0] = 0.1


def test_backend_and_truncation_changed_after_creation() -> None:
    layer = neurons.layer("lif")
    with pytest.raises(neurons.UnknownName, match="nonsense"):
        layer.backend = "nonsense"
    with pytest.raises(InvalidValue):
        layer.bptt_steps = -3
    layer.bptt_steps = 1
    other = neurons.layer("lif", backend="reference", bptt_steps=1)
    grads = []
    for own in (layer, other):
        x = drive().requires_grad_()
        own(x).sum().backward()
        grads.append(x.grad)
    assert torch.allclose(*grads, atol=1e-6)


def test_a_learnable_is_not_set_on_the_neuron() -> None:
    with pytest.raises(InvalidValue, match="w of plif is learnable: change the parameter 'w' of the layer"):
        neurons.layer("plif").neuron.w = 0.3


@pytest.mark.parametrize("kind", ["rectangle", "triangle", "atan", "sigmoid"])
def test_annealing_compiles_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = neurons.layer("plif", surrogate=kind)
    layer(drive())
    compiled = []
    monkeypatch.setattr(cpu_library, "_compile", lambda *arguments: compiled.append(arguments))
    for width in (3.0, 1.5, 0.6):
        layer.neuron.surrogate_width = width
        assert compare(layer, drive(), torch.ones(T, 20, C)).fault is None
    assert compiled == []
    with pytest.raises(InvalidValue, match="surrogate_width must be above 0"):
        layer.neuron.surrogate_width = 0.0


def test_annealed_between_forward_and_backward() -> None:
    """The gradient is that of its forward."""
    layer, x = neurons.layer("lif"), drive().requires_grad_()
    (right,) = torch.autograd.grad(layer(x).sum(), x)
    output = layer(x).sum()
    layer.neuron.surrogate_width = 5.0
    (found,) = torch.autograd.grad(output, x)
    assert torch.equal(found, right)


class AsksForItsWidth(Neuron):
    name, states = "asks", ("u",)

    def step(self, x, u):
        u = self.charge(u, x)
        spike = self.spike(u - (0.5 if self.surrogate_width > 2 else 1.0))
        return spike, u - spike


def test_a_width_that_the_step_asks_for_is_part_of_its_kernel() -> None:
    layer = NeuronLayer(AsksForItsWidth(), backend="cpu")
    before = assert_as_reference(layer)
    layer.neuron.surrogate_width = 3.0
    assert not torch.equal(assert_as_reference(layer), before)


PROGRAM = """
import torch, neurons
from neurons import Neuron, register
from neurons.reference import step_loop
@register
class Mine(Neuron):
    states = ("u",)
    def step(self, x, u):
        u = {beta} * u + x
        spike = self.spike(u - 1)
        return spike, u - spike
x = 0.7 + 0.6 * torch.randn(6, 20, 3, generator=torch.Generator().manual_seed(0))
layer = neurons.layer("mine", backend="cpu")
print((layer(x) != step_loop(layer.neuron, {{}}, x)).sum().item(), layer(x).sum().item())
"""


@pytest.mark.parametrize("way", ["standard input", "command"])
def test_a_class_without_a_file(way: str, tmp_path: Path) -> None:
    """Twice with another number, one cache: no kernel of the first is the second's."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    told = []
    for beta in (0.1, 0.99):
        text = PROGRAM.format(beta=beta)
        command = [sys.executable, "-"] if way == "standard input" else [sys.executable, "-c", text]
        given = text if way == "standard input" else None
        done = subprocess.run(command, input=given, env=environment, capture_output=True, text=True, check=True)
        told.append(done.stdout.split())
    assert [differing for differing, _ in told] == ["0", "0"]
    assert told[0][1] != told[1][1]


def test_an_imported_helper_that_changed(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"}
    told = []
    for beta in (0.1, 0.99):
        (tmp_path / "helper.py").write_text(f"BETA = {beta}\n")
        text = "from helper import BETA\n" + PROGRAM.format(beta="BETA")
        command = [sys.executable, "-B", "-c", text]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        told.append(done.stdout.split())
    assert [differing for differing, _ in told] == ["0", "0"]
    assert told[0][1] != told[1][1]


def test_learnables_of_one_expression_in_one_name() -> None:
    """Coefficients that would have the same name."""
    cls = type(
        "Names",
        (Neuron,),
        {
            "name": "names",
            "states": ("mul", "mul_1"),
            "mul_2": Learnable(0.4),
            "sub_4": Learnable(0.3),
            "step": lambda self, x, mul, mul_1: (
                self.spike(mul * self.mul_2 * self.sub_4 + x - 1),
                mul * (self.mul_2 - self.sub_4) + x * 0.5,
                mul_1 * (self.mul_2 + self.sub_4) + mul,
            ),
        },
    )
    assert_as_reference(NeuronLayer(cls(), backend="cpu"))

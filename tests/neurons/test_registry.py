"""Discovery, names, and the refusal of wrong classes."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys

import pytest
import torch

import neurons
from neurons import BackendUnavailable, InvalidValue, Learnable, Neuron, NeuronError, UnknownName, registry


def test_all_models_are_found() -> None:
    assert {"lif", "plif", "glif", "clif", "klif", "relu"} <= set(neurons.names())


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown neuron 'cliff'; did you mean 'clif'"):
        neurons.layer("cliff")
    with pytest.raises(UnknownName, match="did you mean 'reference'"):
        neurons.layer("lif", backend="referenze")
    with pytest.raises(UnknownName, match="unknown parameter of lif 'taus'; did you mean 'tau'"):
        neurons.layer("lif", taus=2.0)
    with pytest.raises(UnknownName, match="did you mean 'rectangle'"):
        neurons.layer("lif", surrogate="rectangl")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"tau": 0.5}, "tau must be at least 1"), ({"surrogate_width": 0.0}, "surrogate_width must be above 0")],
)
def test_invalid_values(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        neurons.layer("lif", **settings)


FAULTS = {
    "no step": ("class Bad(Neuron):\n    states = ('u',)\n", "has no step"),
    "missing state": (
        "class Bad(Neuron):\n    states = ('u', 'm')\n    def step(self, x, u, m):\n        return self.spike(x), u\n",
        r"step returns 2 values, not 3",
    ),
    "argument missing": (
        "class Bad(Neuron):\n    states = ('u', 'm')\n    def step(self, x, u):\n        return x, u\n",
        r"step takes 2 tensors, but .* make 3",
    ),
    "in place": (
        "class Bad(Neuron):\n    states = ('u',)\n    def step(self, x, u):\n        u += x\n        return x, u\n",
        "in place",
    ),
    "no tuple": ("class Bad(Neuron):\n    def step(self, x):\n        return x\n", "must return a tuple"),
    "shape": ("class Bad(Neuron):\n    def step(self, x):\n        return (x.sum(),)\n", "pointwise"),
    "tags": (
        "class Bad(Neuron):\n    tags = 'adaptive'\n    def step(self, x):\n        return (x,)\n",
        "tags must be a tuple of words",
    ),
    "source": (
        "class Bad(Neuron):\n    source = 'a paper'\n    def forward(self, x):\n        return x\n",
        "source must be a neurons.Source",
    ),
    "granularity": (
        "class Bad(Neuron):\n    a = Learnable(1.0, per='neuron')\n    def step(self, x):\n        return (x,)\n",
        "learnable per 'neuron'",
    ),
    "state twice": (
        "class Bad(Neuron):\n    states = ('u', 'u')\n    def step(self, x, *u):\n        return (x, *u)\n",
        "the state 'u' is declared twice",
    ),
    "states as text": (
        "class Bad(Neuron):\n    states = 'u'\n    def step(self, x, u):\n        return (x, u)\n",
        "states must be a tuple of names",
    ),
    **{
        f"learnable {name}": (
            f"class Bad(Neuron):\n    {name} = Learnable(0.5)\n    def step(self, x):\n        return (x,)\n",
            f"a learnable cannot be called '{name}'",
        )
        for name in (
            "channels",
            "neuron",
            "training",
            "register_buffer",
            "double",
            "backend",
            "charge",
            "decay",
        )
    },
    "name is no text": (
        "class Bad(Neuron):\n    name = Learnable(0.5)\n    def step(self, x):\n        return (x,)\n",
        "name must be a text",
    ),
    "step is no method": (
        "class Bad(Neuron):\n    step = Learnable(0.5)\n",
        "step must be a plain method",
    ),
    "duplicate": (
        "class LIF(Neuron):\n    def step(self, x):\n        return (x,)\n",
        "the name 'lif' is taken by LIF in",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_class_is_refused_in_one_line(fault: str, neuron_file) -> None:
    body, message = FAULTS[fault]
    path = neuron_file("@register\n" + body)
    with pytest.raises(NeuronError, match=message) as raised:
        neurons.load_file(path)
    text = str(raised.value)
    assert str(path) in text
    assert re.search("class (Bad|LIF):", text)
    assert "\n" not in text


def test_step_that_raises_is_left_to_the_run(neuron_file) -> None:
    path = neuron_file(
        "@register\nclass RaisesLater(Neuron):\n    def step(self, x):\n        raise ValueError('no')\n"
    )
    assert neurons.load_file(path) == ["raiseslater"]
    with pytest.raises(ValueError, match="no"):
        neurons.layer("raiseslater", backend="reference")(torch.rand(2, 3))


def test_file_without_neuron(neuron_file) -> None:
    with pytest.raises(NeuronError, match="registers no neuron"):
        neurons.load_file(neuron_file("x = 1\n"))


def test_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed(Neuron):
        def step(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (x,)

    class Entry:
        @staticmethod
        def load() -> type[Neuron]:
            return Installed

    asked = []

    def entry_points(group: str) -> list[type[Entry]]:
        asked.append(group)
        return [Entry]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(registry, "_discover", registry._discover.__wrapped__)
    assert "installed" in neurons.names()
    assert asked == ["neuron_suite.neurons"]


def test_shapes_are_checked() -> None:
    layer = neurons.layer("glif", channels=3, timesteps=4)
    with pytest.raises(InvalidValue, match="input has 2 channels in dimension 2, the layer 3"):
        layer(torch.rand(4, 5, 2))
    with pytest.raises(InvalidValue, match="input has 6 time steps"):
        layer(torch.rand(6, 5, 3))
    with pytest.raises(InvalidValue, match="needs the number of channels"):
        neurons.layer("glif", timesteps=4)


def test_model_with_its_own_forward_runs_by_reference_only() -> None:
    class Parallel(Neuron):
        name = "parallel"

        gain = Learnable(3.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gain * x.cumsum(0)

    x = torch.ones(3, 2)
    assert torch.equal(neurons.NeuronLayer(Parallel(), backend="reference")(x), 3 * x.cumsum(0))
    with pytest.raises(BackendUnavailable, match="not a step over time"):
        neurons.NeuronLayer(Parallel(), backend="compile")(x)


def test_what_takes_long_to_import_waits_until_it_is_used() -> None:
    """Importing the package, and a layer's first call, need no compiler of torch."""
    use = "import sys, torch, neurons; neurons.layer('lif')(torch.ones(2, 3, 4)); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", use], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]

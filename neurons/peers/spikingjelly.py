"""spikingjelly's neurons (multi-step mode, its torch backend) as a backend."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from neurons.backends import Backend, Runner
from neurons.errors import BackendUnavailable
from neurons.model import Neuron

WANTED = "2.0"
ParameterMap = Mapping[str, str]
"""The peer's parameter of each of the model's."""

GLIF_PARAMETERS = {
    "gate_leak": "alpha",
    "gate_input": "beta",
    "gate_reset": "gamma",
    "leak": "tau",
    "linear_leak": "linear_decay",
    "v_subtract": "v_subreset",
    "threshold": "v_threshold",
    "conduct": "conduct",
}


def _surrogate(neuron: Neuron) -> Any:
    """spikingjelly's function with the derivative of the model's surrogate."""
    from spikingjelly.activation_based import surrogate

    width = neuron.surrogate_width
    made: dict[str, Callable[[], Any]] = {
        "rectangle": lambda: surrogate.Rect(alpha=1 / width),
        "atan": lambda: surrogate.ATan(alpha=2 / width),
        "sigmoid": lambda: surrogate.Sigmoid(alpha=4 / width),
    }
    return made[neuron.surrogate]()


def _usual(neuron: Neuron) -> dict[str, Any]:
    return {
        "decay_input": neuron.decay_input,
        "v_threshold": neuron.v_th,
        "v_reset": None if neuron.reset == "soft" else neuron.v_reset,
        "surrogate_function": _surrogate(neuron),
        "detach_reset": neuron.detach_reset,
        "step_mode": "m",
    }


def _lif(neuron: Neuron, channels: int) -> Any:
    from spikingjelly.activation_based.neuron import LIFNode

    return LIFNode(tau=float(neuron.tau), **_usual(neuron))


def _plif(neuron: Neuron, channels: int) -> Any:
    from spikingjelly.activation_based.neuron import ParametricLIFNode

    return ParametricLIFNode(init_tau=float(neuron.tau), **_usual(neuron))


def _klif(neuron: Neuron, channels: int) -> Any:
    from spikingjelly.activation_based.neuron import KLIFNode

    return KLIFNode(tau=float(neuron.tau), **_usual(neuron))


def _clif(neuron: Neuron, channels: int) -> Any:
    from spikingjelly.activation_based.neuron import ComplementaryLIFNode

    return ComplementaryLIFNode(
        tau=float(neuron.tau), v_threshold=neuron.v_th, surrogate_function=_surrogate(neuron), step_mode="m"
    )


def _glif(neuron: Neuron, channels: int) -> Any:
    from spikingjelly.activation_based.neuron import GatedLIFNode

    return GatedLIFNode(T=neuron.timesteps or 1, inplane=channels, surrogate_function=_surrogate(neuron))


MODELS: dict[str, tuple[Callable[[Neuron, int], Any], ParameterMap]] = {
    "lif": (_lif, {}),
    "plif": (_plif, {"w": "w"}),
    "klif": (_klif, {"k": "k"}),
    "clif": (_clif, {}),
    "glif": (_glif, GLIF_PARAMETERS),
}


class _Run:
    """Runs one peer's node with our parameters; its state is cleared after each call."""

    def __init__(self, neuron: Neuron) -> None:
        self.neuron = neuron
        self.build, self.names = MODELS[neuron.name]
        self.node: torch.nn.Module | None = None

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        if self.node is None:
            self.node = self.build(self.neuron, x.shape[2] if x.ndim > 2 else 1).to(x.device)
        shape = x.shape
        if self.neuron.name == "glif" and x.ndim != 5:
            x = x.reshape(*shape[:3], -1, 1)  # its parameters broadcast over [T, N, C, H, W]
        mapped = {self.names[name]: value.to(x.dtype) for name, value in parameters.items()}
        output = torch.func.functional_call(self.node, mapped, (x,))
        self.node.reset()  # type: ignore[operator]
        return output.reshape(shape)


class SpikingJelly(Backend):
    """spikingjelly's own implementation of the model."""

    name = "spikingjelly"
    description = "spikingjelly's implementation of the model, multi-step"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if importlib.util.find_spec("spikingjelly") is None:
            return f"the package spikingjelly is not installed: pip install 'spikingjelly>={WANTED}'"
        version = importlib.metadata.version("spikingjelly")
        if tuple(map(int, version.split(".")[:1])) < tuple(map(int, WANTED.split(".")[:1])):
            return f"spikingjelly {version} is too old: pip install 'spikingjelly>={WANTED}'"
        if neuron.name not in MODELS:
            return f"spikingjelly has no {neuron.name} that computes the same"
        if neuron.surrogate == "triangle":
            return "spikingjelly has no triangle surrogate of this form"
        if neuron.name == "clif" and (neuron.reset, neuron.decay_input, neuron.detach_reset) != ("soft", False, False):
            return "spikingjelly's ComplementaryLIFNode resets softly, without input decay, in the gradient"
        return None

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        if bptt_steps is not None:
            raise BackendUnavailable("spikingjelly cannot truncate (bptt_steps); use reference, compile or cpu")
        return _Run(neuron)

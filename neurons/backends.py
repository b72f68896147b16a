"""How a model is run. `reference` defines what is right; every other backend is compared with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from functools import partial

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, UnknownName
from neurons.model import Neuron


class Backend(ABC):
    """Runs a model over time. `run` is differentiable in `x` and in the parameters."""

    name: str
    description: str

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        """Why this backend cannot run `neuron` on `device`, or None if it can."""
        return None

    @abstractmethod
    def run(self, neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs of the shape and dtype of `x` [T, N, *features], from states that start at zero."""


class Reference(Backend):
    """The step in a Python loop: slow, any floating dtype, the definition of correct."""

    name = "reference"
    description = "the step in a Python loop; the definition of correct"

    def run(self, neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        if not neuron.runs_over_time():
            return neuron.forward(x, parameters)  # type: ignore[attr-defined]
        return step_loop(neuron, parameters, x)


class Compile(Backend):
    """`torch.compile` of the reference loop, one graph for each model and input shape."""

    name = "compile"
    description = "torch.compile of the reference loop"

    def __init__(self) -> None:
        self._loops: dict[Hashable, Callable[[Mapping[str, Tensor], Tensor], Tensor]] = {}

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        return _no_step(self.name, neuron)

    def run(self, neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        key = neuron.signature()
        if key not in self._loops:
            self._loops[key] = torch.compile(partial(step_loop, neuron), fullgraph=True, dynamic=False)
        return self._loops[key](parameters, x)


def step_loop(neuron: Neuron, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Run `neuron.step` over the first dimension of `x`, from zero states; returns the stacked outputs."""
    per_step = {name for name, declared in neuron.learnables().items() if declared.per == "step_channel"}
    shaped = {name: _broadcastable(value, x, name in per_step) for name, value in parameters.items()}
    states = [torch.zeros_like(x[0])] * len(neuron.states)
    outputs = []
    for t, x_t in enumerate(x.unbind(0)):
        bound = neuron.bind({name: value[t] if name in per_step else value for name, value in shaped.items()})
        output, *states = bound.step(x_t, *states)
        outputs.append(output)
    return torch.stack(outputs) if outputs else torch.empty_like(x)


def _broadcastable(parameter: Tensor, x: Tensor, per_step: bool) -> Tensor:
    """Shape [C] or [T, C] so that its channels line up with dimension 1 of one step of `x` [N, C, *spatial]."""
    if parameter.ndim == 0:
        return parameter.to(x.dtype)
    lead = parameter.shape[:1] if per_step else ()
    return parameter.to(x.dtype).reshape(*lead, parameter.shape[-1], *[1] * (x.ndim - 3))


def _no_step(backend: str, neuron: Neuron) -> str | None:
    if neuron.runs_over_time():
        return None
    return f"{neuron.name} is not a step over time, so only its own forward can run it: use reference, not {backend}"


BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (Reference(), Compile())}


def names() -> list[str]:
    """All known backends, whether or not they can run here."""
    return list(BACKENDS)


def get_backend(name: str) -> Backend:
    """The backend of that name; UnknownName with the nearest name otherwise."""
    if name not in BACKENDS:
        raise UnknownName("backend", name, [*BACKENDS, "auto"])
    return BACKENDS[name]


def resolve(name: str, neuron: type[Neuron] | Neuron, device: torch.device) -> str:
    """The backend's name; "auto" is the fused backend of the device, or the model's own forward."""
    return "reference" if name == "auto" else get_backend(name).name


def backend_for(name: str, neuron: Neuron, device: torch.device) -> Backend:
    """The backend that runs `neuron` on `device` under that name, "auto" resolved.

    Raises:
        BackendUnavailable: it cannot run here.
    """
    backend = get_backend(resolve(name, neuron, device))
    reason = backend.unavailable(neuron, device)
    if reason is not None:
        raise BackendUnavailable(reason)
    return backend

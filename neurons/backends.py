"""How a model is run. `reference` defines what is right; every other backend is compared with it."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from functools import partial

import torch
from torch import Tensor

from neurons.errors import BackendUnavailable, UnknownName
from neurons.kernels.cpu import no_compiler
from neurons.kernels.fused import FusedRunner
from neurons.kernels.trace import NotFusable, program_of
from neurons.model import Neuron

Runner = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""Runs one model over time: from its parameters and x [T, N, *features] to outputs of x's shape and dtype,
differentiable in both, from states that start at zero."""


class Backend(ABC):
    """A way to run models."""

    name: str
    description: str

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        """Why this backend cannot run `neuron` on `device`, or None if it can."""
        return None

    @abstractmethod
    def prepare(self, neuron: Neuron) -> Runner:
        """What runs `neuron`, traced and compiled as far as possible before the first input."""


class Reference(Backend):
    """The step in a Python loop: slow, any floating dtype, the definition of correct."""

    name = "reference"
    description = "the step in a Python loop; the definition of correct"

    def prepare(self, neuron: Neuron) -> Runner:
        if not neuron.runs_over_time():
            return lambda parameters, x: neuron.forward(x, parameters)  # type: ignore[attr-defined]
        return partial(step_loop, neuron)


class Compile(Backend):
    """`torch.compile` of the reference loop, one graph for each model and input shape."""

    name = "compile"
    description = "torch.compile of the reference loop"

    def __init__(self) -> None:
        self._loops: dict[Hashable, Runner] = {}

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        return _no_step(self.name, neuron)

    def prepare(self, neuron: Neuron) -> Runner:
        key = neuron.signature()
        if key not in self._loops:
            self._loops[key] = torch.compile(partial(step_loop, neuron), fullgraph=True, dynamic=False)
        return self._loops[key]


class Cpu(Backend):
    """The fused C kernel, made from the step."""

    name = "cpu"
    description = "fused C kernel, made from the step"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if device.type != "cpu":
            return f"the cpu backend runs on the CPU, not on {device}; use triton"
        return _no_step(self.name, neuron) or no_compiler() or _not_fusable(neuron)

    def prepare(self, neuron: Neuron) -> Runner:
        return FusedRunner(program_of(neuron), "cpu")


class Triton(Backend):
    """The fused GPU kernel, made from the step."""

    name = "triton"
    description = "fused Triton kernel for CUDA and ROCm, made from the step"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if importlib.util.find_spec("triton") is None:
            return "the triton backend needs the package triton, which this platform has not: use reference or compile"
        from neurons.kernels import triton_launch

        return _no_step(self.name, neuron) or triton_launch.unavailable(device) or _not_fusable(neuron)

    def prepare(self, neuron: Neuron) -> Runner:
        return FusedRunner(program_of(neuron), "triton")


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
    return torch.stack(outputs)


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


def _not_fusable(neuron: Neuron) -> str | None:
    try:
        program_of(neuron)
    except NotFusable as error:
        return str(error)
    return None


BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (Reference(), Compile(), Cpu(), Triton())}
FUSED = {"cpu": "cpu", "cuda": "triton"}
"""The fused backend of each type of device."""


def names() -> list[str]:
    """All known backends, whether or not they can run here."""
    return list(BACKENDS)


def get_backend(name: str) -> Backend:
    """The backend of that name; UnknownName with the nearest name otherwise."""
    if name not in BACKENDS:
        raise UnknownName("backend", name, [*BACKENDS, "auto"])
    return BACKENDS[name]


def resolve(name: str, neuron: type[Neuron] | Neuron, device: torch.device) -> str:
    """The backend's name; "auto" is the fused backend of the device, or for a model without a step its own forward.

    Raises:
        BackendUnavailable: "auto" on a device that has no fused backend.
    """
    if name != "auto":
        return get_backend(name).name
    if not neuron.runs_over_time():
        return "reference"
    if device.type not in FUSED:
        raise BackendUnavailable(f"there is no fused backend for {device.type}; use reference or compile")
    return FUSED[device.type]


def runner_for(name: str, neuron: Neuron, device: torch.device) -> Runner:
    """What runs `neuron` on `device` under that name of a backend, "auto" resolved.

    Raises:
        BackendUnavailable: it cannot run here.
    """
    backend = get_backend(resolve(name, neuron, device))
    reason = backend.unavailable(neuron, device)
    if reason is not None:
        raise BackendUnavailable(reason)
    return backend.prepare(neuron)

"""How a model is run. `reference` defines what is right; every other backend is compared with it."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from functools import cache

import torch
from torch import Tensor

from neurons import parallel, peers
from neurons.errors import BackendUnavailable, NotFusable, UnknownName
from neurons.kernels.cpu import kernel as cpu
from neurons.kernels.fused import FusedRunner
from neurons.kernels.source import source_of
from neurons.model import Neuron
from neurons.peers.peer import Peer, missing
from neurons.reference import step_loop
from neurons.stepping import PlainStep, Stepper
from neurons.truncation import reference_loop, truncated_loop

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
    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        """What runs `neuron`, traced and compiled as far as possible before the first input.

        Args:
            bptt_steps: time steps that a gradient may go back (see `neurons.truncation`); None for all.

        Raises:
            BackendUnavailable: the backend cannot truncate.
        """

    def prepare_step(self, neuron: Neuron) -> Stepper:
        """What runs one time step of `neuron`.

        Raises:
            BackendUnavailable: the backend has none.
        """
        raise BackendUnavailable(f"backend {self.name} has no single step: use reference, or cpu on the CPU")


class Reference(Backend):
    """The step in a Python loop: slow, any floating dtype, the definition of correct."""

    name = "reference"
    description = "the step in a Python loop; the definition of correct"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        return f"{neuron.name} is run by {neuron.package} alone" if isinstance(neuron, Peer) else None

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        if not neuron.runs_over_time():
            if bptt_steps is not None:
                raise BackendUnavailable(f"{neuron.name} is not a step over time: its gradient cannot be truncated")
            return neuron.run
        return reference_loop(neuron, bptt_steps)

    def prepare_step(self, neuron: Neuron) -> Stepper:
        return PlainStep(neuron)


class Compile(Backend):
    """`torch.compile` of the reference loop, one graph for each model and input shape; of a peer, of its package's."""

    name = "compile"
    description = "torch.compile of the reference loop"

    def __init__(self) -> None:
        self._loops: dict[Hashable, Runner] = {}
        self._count = 0

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if isinstance(neuron, Peer):
            return Package(neuron.package).unavailable(neuron, device)
        return _no_step(self.name, neuron)

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        if isinstance(neuron, Peer):
            _refuse_truncation(neuron.package, bptt_steps)
            return torch.compile(lambda parameters, x: neuron.trace(x, parameters)[0], dynamic=False)
        computed = _computed_by(neuron)
        if computed is None:
            return self._compiled(neuron, bptt_steps)
        # Of one class: a loop reads what its step reads beside the model when it is traced, which may be later.
        key = type(neuron), computed, bptt_steps
        if key not in self._loops:
            self._loops[key] = self._compiled(neuron, bptt_steps)
        return self._loops[key]

    def _compiled(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        neuron = neuron.snapshot()  # as it is now; a change of it makes another runner

        def loop(parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
            if bptt_steps is None:
                return step_loop(neuron, parameters, x)
            return truncated_loop(neuron, bptt_steps, parameters, x)

        # A copy of the code for each model: torch.compile allows eight graphs a code object, not a function.
        self._count += 1
        loop.__code__ = loop.__code__.replace(co_name=f"{neuron.name}_loop_{self._count}")
        return torch.compile(loop, fullgraph=True, dynamic=False)


class Cpu(Backend):
    """The fused C kernel, made from the step."""

    name = "cpu"
    description = "fused C kernel, made from the step"
    devices: tuple[str, ...] = ("cpu", "meta")
    """Kinds of device whose tensors it takes."""

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if device.type not in self.devices:
            return f"the cpu backend runs on the CPU, not on {device}; use triton"
        return _no_step(self.name, neuron) or _not_fusable(neuron) or cpu.unavailable(source_of(neuron))

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        return FusedRunner(neuron, "cpu", bptt_steps)

    def prepare_step(self, neuron: Neuron) -> Stepper:
        from neurons.kernels.fused_step import FusedStep  # imports Dynamo, which takes a second

        return FusedStep(neuron)


class Triton(Backend):
    """The fused GPU kernel, made from the step."""

    name = "triton"
    description = "fused Triton kernel for CUDA and ROCm, made from the step"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        if importlib.util.find_spec("triton") is None:
            return "the triton backend needs the package triton, which this platform has not: use reference or compile"
        from neurons.kernels.gpu import launch as triton_launch

        return _no_step(self.name, neuron) or triton_launch.unavailable(device) or _not_fusable(neuron)

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        return FusedRunner(neuron, "triton", bptt_steps)


class InParallel(Backend):
    """A neuron that is linear in its input, for all time steps at once (see `neurons.parallel`)."""

    def __init__(self, name: str, description: str, potentials: Callable[[Tensor, float], Tensor]) -> None:
        self.name = name
        self.description = description
        self._potentials = potentials

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        reason = _no_step(self.name, neuron)
        if reason is not None:
            return reason
        found = parallel.linear_step(neuron)
        return found if isinstance(found, str) else None

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        if bptt_steps is not None:
            raise BackendUnavailable(f"{self.name} cannot truncate (bptt_steps); use reference, compile or cpu")
        step = parallel.linear_step(neuron)
        assert isinstance(step, parallel.Linear)
        return lambda parameters, x: parallel.run(neuron, step, self._potentials, x)


def _no_step(backend: str, neuron: Neuron) -> str | None:
    if neuron.runs_over_time():
        return None
    return f"{neuron.name} is not a step over time, so only its own forward can run it: use reference, not {backend}"


def _refuse_truncation(package: str, bptt_steps: int | None) -> None:
    if bptt_steps is not None:
        raise BackendUnavailable(f"{package} cannot truncate (bptt_steps); use reference, compile or cpu")


def _computed_by(neuron: Neuron) -> Hashable | None:
    """What a step computes: its traced program and the constants given to it; None if it cannot be traced."""
    try:
        source = source_of(neuron)
    except NotFusable:
        return None
    return source.program, source.parameters, tuple(getattr(neuron, name) for name in source.constants)


def _not_fusable(neuron: Neuron) -> str | None:
    try:
        source_of(neuron)
    except NotFusable as error:
        return str(error)
    return None


class Package(Backend):
    """Another package's implementation of the model, where it has one that computes the same."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.description = f"{name}'s implementation of the model"

    def unavailable(self, neuron: Neuron, device: torch.device) -> str | None:
        return missing(self.name, peers.PACKAGES[self.name]) or self._unlike(neuron)

    def prepare(self, neuron: Neuron, bptt_steps: int | None) -> Runner:
        _refuse_truncation(self.name, bptt_steps)
        peer = neuron if isinstance(neuron, Peer) else self._fitting(neuron)[0].of(neuron)
        return peer.run

    def _fitting(self, neuron: Neuron) -> list[type[Peer]]:
        known = peers.counterparts(self.name, neuron.name)
        return [peer for peer in known if peer.unlike(neuron) is None]

    def _unlike(self, neuron: Neuron) -> str | None:
        if isinstance(neuron, Peer):
            elsewhere = f"{neuron.name} is run by {neuron.package} alone"
            return elsewhere if neuron.package != self.name else neuron.unlike(neuron.like)
        if self._fitting(neuron):
            return None
        known = peers.counterparts(self.name, neuron.name)
        if known:
            return known[0].unlike(neuron)
        others = (peer for peer in peers.peers().values() if (peer.package, peer.model) == (self.name, neuron.name))
        nearest = next((f": of {peer.name}, {peer.departs}" for peer in others), "")
        return f"{self.name} has no {neuron.name} that computes the same{nearest}"


OWN: tuple[Backend, ...] = (
    *(Reference(), Compile(), Cpu(), Triton()),
    InParallel("convolution", "a causal convolution over time, of neurons without a reset", parallel.convolution),
    InParallel("scan", "an associative scan over time, of neurons without a reset", parallel.scan),
)
FUSED = {"cpu": "cpu", "cuda": "triton", "meta": "cpu"}
"""The fused backend of each type of device; on meta tensors it tells the shapes."""


def names() -> list[str]:
    """All known backends, whether or not they can run here."""
    return [backend.name for backend in OWN] + list(peers.PACKAGES)


@cache
def get_backend(name: str) -> Backend:
    """The backend of that name; UnknownName with the nearest name otherwise."""
    if name in peers.PACKAGES:
        return Package(name)
    for backend in OWN:
        if backend.name == name:
            return backend
    raise UnknownName("backend", name, [*names(), "auto"])


def resolve(name: str, neuron: type[Neuron] | Neuron, device: torch.device) -> str:
    """The backend's name; "auto" is the fused backend of the device.

    For a model without a step it is what runs its own forward: the package of a peer, else reference.

    Raises:
        BackendUnavailable: "auto" on a device that has no fused backend.
    """
    if name != "auto":
        return get_backend(name).name
    if not neuron.runs_over_time():
        return getattr(neuron, "package", "reference")
    if device.type not in FUSED:
        raise BackendUnavailable(f"there is no fused backend for {device.type}; use reference or compile")
    return FUSED[device.type]


def runner_for(name: str, neuron: Neuron, device: torch.device, bptt_steps: int | None = None) -> Runner:
    """What runs `neuron` on `device` under that name of a backend, "auto" resolved.

    Raises:
        BackendUnavailable: it cannot run here.
    """
    backend = get_backend(resolve(name, neuron, device))
    reason = backend.unavailable(neuron, device)
    if reason is not None:
        raise BackendUnavailable(reason)
    return backend.prepare(neuron, bptt_steps)


def stepper_for(name: str, neuron: Neuron, device: torch.device) -> Stepper:
    """What runs one time step of `neuron` under that name of a backend; "auto" is `cpu` on the CPU, else `reference`.

    Raises:
        BackendUnavailable: the model is no step over time, or the backend cannot run here or has no single step.
    """
    if not neuron.runs_over_time():
        raise BackendUnavailable(f"{neuron.name} has no step; call the layer on the whole sequence")
    if name == "auto":
        name = "cpu" if device.type == "cpu" else "reference"
    backend = get_backend(name)
    reason = backend.unavailable(neuron, device)
    if reason is not None:
        raise BackendUnavailable(reason)
    return backend.prepare_step(neuron)

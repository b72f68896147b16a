"""What a peer is: another package's neuron, presented as a layer [T, N, *features] → spikes of the same shape."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurons import registry
from neurons.errors import BackendUnavailable, InvalidValue, NeuronError, UnknownName
from neurons.learnable import Learnable
from neurons.model import CONSTANTS, Neuron

Trace = tuple[Tensor, Tensor | None]
"""Spikes, and the membrane potential after each step where the package shows it."""


_NOT_ITS_FAULT = (BackendUnavailable, InvalidValue, NeuronError, UnknownName, MemoryError, torch.OutOfMemoryError)
"""Errors that say nothing of a package."""


@dataclass(frozen=True)
class Card:
    """How a package computes its neuron, in words, for people who move between packages.

    Attributes:
        charge: how input and leak make the new potential.
        fire: when it spikes.
        reset: what a spike takes away, and at which step.
        gradient: what the gradient of the reset and of the spike is.
    """

    charge: str
    fire: str
    reset: str
    gradient: str


class _OfModel:
    """The constants of a published protocol: those of the model that a peer is held against."""

    def __get__(self, instance: object, owner: type[Peer]) -> Mapping[str, Any]:
        return registry.get(owner.model).published


class Peer(Neuron):
    """Another package's neuron, held against a model of the suite.

    It has no step of its own: `run` runs the package. State begins at zero at each call and none is left.

    Attributes:
        package, class_name: where it comes from.
        model, constants: the suite's model that it is held against, with the constants that bring it nearest.
        departs: where and why it is another model; empty if it computes the same.
        takes: the common constants that it can be given; of the others it has those of its model and no other.
        card: its semantics.
        kernel_on_cards: the package has a kernel of all its time steps for GPUs.
        usual: the one of its model that the package's users take, which stands for it where packages are compared.
        call: how its class is called, in words.
        apart: the package may not be loaded into a process that times torch; it runs in one of its own.
    """

    package: ClassVar[str]
    class_name: ClassVar[str]
    model: ClassVar[str]
    constants_of_model: ClassVar[Mapping[str, Any]] = {}
    departs: ClassVar[str] = ""
    takes: ClassVar[Collection[str]] = CONSTANTS
    published = _OfModel()
    card: ClassVar[Card]
    kernel_on_cards: ClassVar[bool] = False
    usual: ClassVar[bool] = False
    call: ClassVar[str] = "a loop over its single steps"
    apart: ClassVar[bool] = False

    def __init__(self, timesteps: int | None = None, **overrides: Any) -> None:
        like = registry.get(self.model)(timesteps, **{**self.constants_of_model, **overrides})
        vars(self).update(vars(like))
        self.like = like
        for name in CONSTANTS:
            setattr(self, name, getattr(like, name))

    @classmethod
    def of(cls, model: Neuron) -> Peer:
        """The peer with the constants of `model`."""
        constants = {name: getattr(model, name) for name in type(model).constants()}
        return cls(model.timesteps, **constants)

    @classmethod
    def constants(cls) -> list[str]:
        return registry.get(cls.model).constants()

    @classmethod
    def learnables(cls) -> dict[str, Learnable]:
        """Those of the model, if it computes the same."""
        return {} if cls.departs else registry.get(cls.model).learnables()

    def initial_parameters(self, channels: int | None) -> dict[str, Tensor]:
        return {} if self.departs else self.like.initial_parameters(channels)

    @classmethod
    def unlike(cls, model: Neuron) -> str | None:
        """Why the package cannot compute `model` with these constants; None if it can."""
        usual = cls().like
        for name in CONSTANTS:
            asked, has = getattr(model, name), getattr(usual, name)
            if name not in cls.takes and asked != has:
                return f"{cls.class_name} has {name}={has!r} and no other, not {asked!r}"
        return None

    @classmethod
    def runs_over_time(cls) -> bool:
        return False

    def run(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return self.checked_trace(x, parameters)[0]

    def checked_trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        """`trace`, held to its contract.

        Raises:
            BackendUnavailable: the package cannot be imported, is not as it was, or gives outputs of another shape.
        """
        try:
            spikes, potentials = self.trace(x, parameters)
        except _NOT_ITS_FAULT:
            raise
        except Exception as error:
            told = str(error).strip().partition("\n")[0]
            raise BackendUnavailable(f"{versioned(self.package)} fails: {type(error).__name__}: {told}") from error
        if spikes.shape != x.shape:
            shapes = f"{list(spikes.shape)} for an input {list(x.shape)}"
            raise BackendUnavailable(f"{versioned(self.package)}: {self.class_name} gives outputs {shapes}")
        return spikes, potentials

    @abstractmethod
    def trace(self, x: Tensor, parameters: Mapping[str, Tensor]) -> Trace:
        """Run the package's neuron over x [T, N, *features] from zero states."""


def missing(package: str, wanted: str) -> str | None:
    """Why a package cannot be used: it is not there, or older than `wanted`; None if it can."""
    if importlib.util.find_spec(package) is None:
        return f"the package {package} is not installed: pip install '{package}>={wanted}'"
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"the package {package} has no version: it was not installed by pip; pip install '{package}>={wanted}'"
    if _numbers(version) < _numbers(wanted):
        return f"{package} {version} is too old: pip install '{package}>={wanted}'"
    return None


def refuse_apart(neuron: Neuron) -> None:
    """Refuse a neuron that runs in a process of its own, where times are taken in this one.

    Raises:
        BackendUnavailable: it does; the message says which task measures it.
    """
    if isinstance(neuron, Peer) and neuron.apart:
        raise BackendUnavailable(f"{neuron.name} runs in a process of its own, where only linear_neuron takes times")


def versioned(package: str) -> str:
    """A package with its version, where it has one."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2] if part.isdigit()]


def stack_trace(steps: Sequence[tuple[Tensor, Tensor]]) -> Trace:
    """From (spikes, potential) of each step to a trace."""
    spikes, potentials = zip(*steps, strict=True)
    return torch.stack(spikes), torch.stack(potentials)

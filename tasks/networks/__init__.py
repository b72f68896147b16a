"""The networks in which neurons are compared. All are time-first and differ in nothing but their neurons.

A family of networks is a module with `ARCHITECTURES`: found by being here, in a file of a user (`load_file`), or named
by an installed package as an entry point of the group `neuron_suite.networks`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from neurons import InvalidValue, NeuronError, NeuronLayer, UnknownName, layer
from neurons.user_file import import_user_file
from tasks import contract
from tasks.contract import ENTRY_POINTS
from tasks.networks.network import Architecture, EachStep, MakeNeuron, SpikingNetwork

ARCHITECTURES: dict[str, Architecture] = {}
"""All networks by name."""
_files: dict[str, Path] = {}


def load_file(path: str | Path) -> list[str]:
    """Import a user's Python file and return the names of the networks in its `ARCHITECTURES`.

    Raises:
        NeuronError: one line with the file, the network and what is wrong with it.
    """
    wanted = "ARCHITECTURES = {name: tasks.networks.Architecture(...)}"
    module = import_user_file(path, f"--network-file takes a Python file with {wanted}")
    found = getattr(module, "ARCHITECTURES", None)
    if not isinstance(found, dict) or not found or not all(isinstance(own, Architecture) for own in found.values()):
        raise NeuronError(f"{module.__file__}: has no {wanted}")
    for name, architecture in found.items():
        others = {known for known in ARCHITECTURES if ARCHITECTURES[known] is not architecture}
        fault = contract.fault_of_name(name, others) or contract.fault_of_architecture(
            architecture,
            lambda features, steps, width, own=architecture: own.build(
                lambda channels: layer("lif", channels, steps, "reference"), features, 3, steps, width
            ),
        )
        if fault is not None:
            raise NeuronError(f"{module.__file__}: network {name}: {fault}")
    _add(module)
    return list(found)


def source_file(name: str) -> Path:
    """The file that defines a network."""
    return _files[name]


def _add(module: ModuleType) -> None:
    found: dict[str, Architecture] = getattr(module, "ARCHITECTURES", {})
    ARCHITECTURES.update(found)
    _files.update(dict.fromkeys(found, Path(module.__file__ or "<interactive>")))


def _discover() -> None:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    modules += [entry.load() for entry in importlib.metadata.entry_points(group=f"{ENTRY_POINTS}.networks")]
    for module in modules:
        _add(module)


_discover()


def build(
    name: str,
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int | None,
) -> SpikingNetwork:
    """The network `name`, its weights drawn from torch's global generator and its neurons apart from it.

    Networks of one seed (`torch.manual_seed`) have equal weights whatever their neurons.

    Raises:
        UnknownName: no such network, with the nearest name.
        InvalidValue: it does not take samples of this shape.
    """
    if name not in ARCHITECTURES:
        raise UnknownName("network", name, ARCHITECTURES)
    architecture = ARCHITECTURES[name]
    refusal = architecture.refusal(name, features, "the data")
    if refusal is not None:
        raise InvalidValue(refusal)
    own_width = architecture.width if width is None else width
    network = architecture.build(_drawn_apart(make_neuron), features, classes, timesteps, own_width)
    network.features = tuple(features)
    return network


def _drawn_apart(make_neuron: MakeNeuron) -> MakeNeuron:
    """Neurons that draw from a generator of their own, by the seed and the number of the layer."""
    seed, layers = torch.initial_seed(), count()

    def make(channels: int) -> NeuronLayer:
        (own,) = np.random.SeedSequence([seed, next(layers)]).generate_state(1, np.uint64)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(own))
            return make_neuron(channels)

    return make


__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "EachStep",
    "MakeNeuron",
    "SpikingNetwork",
    "build",
    "load_file",
    "source_file",
]

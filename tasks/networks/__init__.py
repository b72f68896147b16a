"""The networks in which neurons are compared. All are time-first and differ in nothing but their neurons.

A family of networks is a module with `ARCHITECTURES`: found by being here, in a file of a user (`load_file`), or named
by an installed package as an entry point of the group `neuron_suite.networks`.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import torch

from neurons import InvalidValue, NeuronLayer, UnknownName, layer
from tasks import contract
from tasks.families import Families
from tasks.networks.network import (
    Architecture,
    EachStep,
    Forgetful,
    MakeNeuron,
    Neurons,
    RecurrentNeurons,
    SpikingNetwork,
    neurons_of,
)
from tasks.networks.norms import NORMS, set_norm

_families = Families("network", "ARCHITECTURES", Architecture, "tasks.networks.Architecture(...)", "--network-file")
ARCHITECTURES: dict[str, Architecture] = _families.entries
"""All networks by name."""


def load_file(path: str | Path) -> list[str]:
    """Import a user's Python file and return the names of the networks in its `ARCHITECTURES`.

    Raises:
        NeuronError: one line with the file, the network and what is wrong with it.
    """
    return _families.load_file(path, _fault_of)


def _fault_of(architecture: Architecture) -> str | None:
    def narrow(features: tuple[int, ...], steps: int, width: int) -> SpikingNetwork:
        def lif(channels: int) -> NeuronLayer:
            return layer("lif", channels, steps, "reference")

        return architecture.build(lif, features, 3, steps, width)

    return contract.fault_of_architecture(architecture, narrow)


def source_file(name: str) -> Path:
    """The file that defines a network."""
    return _families.files[name]


_families.discover(__name__, __path__, "networks")


def build(
    name: str,
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int | None,
    norm: str = "batch",
) -> SpikingNetwork:
    """The network `name`, its weights drawn from torch's global generator and its neurons apart from it.

    Networks of one seed (`torch.manual_seed`) have equal weights whatever their neurons.

    Raises:
        UnknownName: no such network, with the nearest name.
        InvalidValue: it does not take samples of this shape, or has no place for such a norm.
    """
    if name not in ARCHITECTURES:
        raise UnknownName("network", name, ARCHITECTURES)
    architecture = ARCHITECTURES[name]
    refusal = architecture.refusal(name, features, "the data")
    if refusal is not None:
        raise InvalidValue(refusal)
    own_width = architecture.width if width is None else width
    network = architecture.build(_drawn_apart(make_neuron), features, classes, timesteps, own_width)
    set_norm(network, norm, name)
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
    "NORMS",
    "Architecture",
    "EachStep",
    "Forgetful",
    "MakeNeuron",
    "Neurons",
    "RecurrentNeurons",
    "SpikingNetwork",
    "build",
    "load_file",
    "neurons_of",
    "source_file",
]

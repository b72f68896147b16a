"""The networks in which neurons are compared. All are time-first and differ in nothing but their neurons.

A family of networks is a module with `ARCHITECTURES`, found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
from itertools import count

import numpy as np
import torch

from neurons import InvalidValue, NeuronLayer, UnknownName
from tasks.networks.network import Architecture, EachStep, MakeNeuron, SpikingNetwork


def _found() -> dict[str, Architecture]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {name: own for module in modules for name, own in getattr(module, "ARCHITECTURES", {}).items()}


ARCHITECTURES: dict[str, Architecture] = _found()
"""All networks by name."""


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


__all__ = ["ARCHITECTURES", "Architecture", "EachStep", "MakeNeuron", "SpikingNetwork", "build"]

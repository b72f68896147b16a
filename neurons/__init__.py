"""Spiking neuron models and how they run.

>>> import neurons, torch
>>> layer = neurons.layer("clif", channels=64, timesteps=8)
>>> spikes = layer(torch.randn(8, 16, 64))
"""

from neurons.errors import BackendUnavailable, InvalidValue, NeuronError, UnknownName
from neurons.learnable import Following, Learnable, LogUniform, Normal, Uniform
from neurons.model import Neuron
from neurons.registry import get, load_file, names, register
from neurons.selection import select
from neurons.source import Source
from neurons.span import Span

from neurons.layer import NeuronLayer, layer  # isort: skip (needs the registry)
from neurons.replacement import replace, reset  # isort: skip

__all__ = [
    "BackendUnavailable",
    "Following",
    "InvalidValue",
    "Learnable",
    "LogUniform",
    "Neuron",
    "NeuronError",
    "NeuronLayer",
    "Normal",
    "Source",
    "Span",
    "Uniform",
    "UnknownName",
    "get",
    "layer",
    "load_file",
    "names",
    "register",
    "replace",
    "reset",
    "select",
]

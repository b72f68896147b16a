"""Fully connected networks whose layers hear their own outputs of the step before, with any neuron."""

from __future__ import annotations

import torch
from torch import nn

from tasks.networks.network import Architecture, MakeNeuron, RecurrentNeurons, SpikingNetwork


def recurrent(
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int,
    depth: int = 2,
) -> SpikingNetwork:
    """The network `mlp` with learned weights from the outputs of each hidden layer to its next input."""
    sizes = [torch.Size(features).numel(), *[width] * (depth - 1)]
    synapses = [
        nn.Sequential(nn.Flatten(), nn.Linear(fan_in, width, bias=False), nn.BatchNorm1d(width)) for fan_in in sizes
    ]
    layers = [RecurrentNeurons(make_neuron(width), width) for _ in sizes]
    return SpikingNetwork(synapses, layers, nn.Linear(width, classes), timesteps)


ARCHITECTURES = {
    "recurrent": Architecture("2 hidden layers that hear their outputs of the step before, any input", recurrent, 128),
}

"""Fully connected networks, for any input."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from tasks.networks.network import Architecture, MakeNeuron, SpikingNetwork


def mlp(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int, depth: int = 2
) -> SpikingNetwork:
    """`depth` hidden layers of `width` neurons, batch-normalised."""
    sizes = [torch.Size(features).numel(), *[width] * (depth - 1)]
    synapses = [
        nn.Sequential(nn.Flatten(), nn.Linear(fan_in, width, bias=False), nn.BatchNorm1d(width)) for fan_in in sizes
    ]
    return SpikingNetwork(synapses, [make_neuron(width) for _ in sizes], nn.Linear(width, classes), timesteps)


ARCHITECTURES = {
    "mlp": Architecture("2 hidden layers, any input", mlp, 128),
    "mlp8": Architecture("8 hidden layers, any input", partial(mlp, depth=8), 64),
}

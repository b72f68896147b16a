"""The networks in which neurons are compared. All are time-first and differ in nothing but their neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurons import NeuronLayer, UnknownName

MakeNeuron = Callable[[int], NeuronLayer]
"""A layer of neurons for a number of channels."""


class EachStep(nn.Sequential):
    """Applies its modules to each time step, by folding the time into the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class SpikingNetwork(nn.Module):
    """Alternating synapses (stateless layers) and neurons, and a linear readout at each step.

    Args:
        synapses: one stack of stateless modules before each layer of neurons.
        neurons: the layers of neurons, as many as `synapses`.
        readout: from the last spikes to class scores.
        timesteps: how often a static input is shown; None if the input comes as a sequence.
    """

    def __init__(
        self,
        synapses: Iterable[nn.Sequential],
        neurons: Iterable[NeuronLayer],
        readout: nn.Module,
        timesteps: int | None,
    ) -> None:
        super().__init__()
        self.synapses = nn.ModuleList(EachStep(*synapse) for synapse in synapses)
        self.neurons = nn.ModuleList(neurons)
        self.readout = EachStep(nn.Flatten(), readout)
        self.timesteps = timesteps

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes] for a static input [N, *features] or a sequence [N, T, *features].

        A static input passes the first synapse once, and its current is repeated at each step.
        """
        x = x.unsqueeze(0) if self.timesteps is not None else x.transpose(0, 1)
        for index, (synapse, neuron) in enumerate(zip(self.synapses, self.neurons, strict=True)):
            current = synapse(x)
            if index == 0 and self.timesteps is not None:
                current = current.expand(self.timesteps, *current.shape[1:])
            x = neuron(current)
        return self.readout(x)


def mlp(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """Two hidden layers of `width` neurons, batch-normalised."""
    inputs = torch.Size(features).numel()
    synapses = [
        nn.Sequential(nn.Flatten(), nn.Linear(fan_in, width, bias=False), nn.BatchNorm1d(width))
        for fan_in in (inputs, width)
    ]
    return SpikingNetwork(synapses, [make_neuron(width), make_neuron(width)], nn.Linear(width, classes), timesteps)


def conv5(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """Four convolutions and a linear readout, the depth of the network in Figure 2 of the CLIF paper."""
    channels = [features[0], width, width, 2 * width, 2 * width]
    synapses = []
    for index in range(4):
        fan_in, fan_out = channels[index : index + 2]
        pool = [nn.AvgPool2d(2)] if index in (1, 2) else []
        convolution = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False)
        synapses.append(nn.Sequential(*pool, convolution, nn.BatchNorm2d(fan_out)))
    side = tuple(size // 4 for size in features[1:])
    readout = nn.Linear(2 * width * side[0] * side[1], classes)
    return SpikingNetwork(synapses, [make_neuron(count) for count in channels[1:]], readout, timesteps)


@dataclass(frozen=True)
class Architecture:
    """A network by name, with the width that it has unless a setting changes it."""

    description: str
    build: Callable[[MakeNeuron, tuple[int, ...], int, int | None, int], SpikingNetwork]
    width: int


ARCHITECTURES = {
    "mlp": Architecture("2 hidden layers, any input", mlp, 128),
    "conv5": Architecture("4 convolutions + readout, image input", conv5, 32),
}


def build(
    name: str,
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int | None,
) -> SpikingNetwork:
    """The network `name`; UnknownName with the nearest name otherwise."""
    if name not in ARCHITECTURES:
        raise UnknownName("network", name, ARCHITECTURES)
    architecture = ARCHITECTURES[name]
    return architecture.build(make_neuron, features, classes, timesteps, width or architecture.width)

"""Plain convolutional networks, for images."""

from __future__ import annotations

from torch import nn

from tasks.networks.network import Architecture, MakeNeuron, SpikingNetwork


def conv5(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """Four convolutions of 3×3 with average pooling between them, and a linear readout."""
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


SNN5_LAYERS = ((1, 3, 1), (4, 5, 2), (8, 5, 2), (16, 5, 4), (16, 3, 2))
"""Channels in units of the width, kernel and stride of each convolution."""


def snn5(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """Five strided convolutions without pooling: the network of Figure 2 in the CLIF paper (`snn5_noAP` of its code).

    Without the biases that the batch norm behind them takes out again.
    """
    synapses, channels, side = [], [features[0]], list(features[1:])
    for factor, kernel, stride in SNN5_LAYERS:
        channels.append(factor * width)
        convolution = nn.Conv2d(channels[-2], channels[-1], kernel, stride, padding=1, bias=False)
        synapses.append(nn.Sequential(convolution, nn.BatchNorm2d(channels[-1])))
        side = [(size + 2 - kernel) // stride + 1 for size in side]
    readout = nn.Linear(channels[-1] * side[0] * side[1], classes)
    return SpikingNetwork(synapses, [make_neuron(count) for count in channels[1:]], readout, timesteps)


ARCHITECTURES = {
    "conv5": Architecture("4 convolutions + readout, image input", conv5, 32, images=True),
    "snn5": Architecture(
        "5 strided convolutions + readout, Figure 2 of the CLIF paper, image input", snn5, 16, images=True
    ),
}

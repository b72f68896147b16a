"""VGG (Simonyan and Zisserman 2015) with batch normalisation and average pooling, for images and frames of events."""

from __future__ import annotations

from functools import partial

from torch import nn

from tasks.networks.network import Architecture, MakeNeuron, SpikingNetwork

STAGES = {
    "vgg11": ((1,), (2,), (4, 4), (8, 8), (8, 8)),
    "vgg13": ((1, 1), (2, 2), (4, 4), (8, 8), (8, 8)),
    "vggsnn": ((1, 2), (4, 4), (8, 8), (8, 8)),
}
"""Channels of each convolution in units of the width, by the stage that a pooling ends."""
AREA = 7
"""Side to which VGG-11 and VGG-13 bring the last maps, larger or smaller, before the readout."""


def vgg(
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int,
    stages: tuple[tuple[int, ...], ...],
    area: int | None = AREA,
) -> SpikingNetwork:
    """Convolutions of 3×3 with biases, batch-normalised, and a linear readout, as in the CLIF paper's code.

    Maps of one pixel are not pooled further, so that small images pass as well.

    Args:
        area: side of the maps that the readout sees; as they come if None.
    """
    synapses, channels, sides, pools = [], [features[0]], list(features[1:]), nn.Sequential()
    for stage in stages:
        for factor in stage:
            channels.append(factor * width)
            convolution = nn.Conv2d(channels[-2], channels[-1], 3, padding=1)
            synapses.append(nn.Sequential(*pools, convolution, nn.BatchNorm2d(channels[-1])))
            pools = nn.Sequential()
        if min(sides) > 1:
            pools, sides = nn.Sequential(nn.AvgPool2d(2)), [side // 2 for side in sides]
    if area is not None:
        pools, sides = nn.Sequential(*pools, nn.AdaptiveAvgPool2d(area)), [area, area]
    readout = nn.Sequential(*pools, nn.Flatten(), nn.Linear(channels[-1] * sides[0] * sides[1], classes))
    return SpikingNetwork(synapses, [make_neuron(count) for count in channels[1:]], readout, timesteps)


def _architecture(name: str, layers: int, told: str, area: int | None = AREA) -> Architecture:
    build = partial(vgg, stages=STAGES[name], area=area)
    return Architecture(f"{layers} convolutions + readout, {told}, image input", build, 64, images=True)


ARCHITECTURES = {
    "vgg11": _architecture("vgg11", 8, "the CLIF paper's for events"),
    "vgg13": _architecture("vgg13", 10, "the CLIF paper's for Tiny-ImageNet"),
    "vggsnn": _architecture("vggsnn", 8, "VGGSNN of the CLIF paper's code, for CIFAR10-DVS", None),
}

"""Residual networks with 18 layers, for images and frames of events, by where their neurons stand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from neurons import NeuronLayer
from tasks.networks.network import Architecture, EachStep, MakeNeuron, SpikingNetwork

MakeBlock = Callable[[MakeNeuron, int, int, int], nn.Module]
"""A block of neurons, channels in, channels out and stride."""


def _shortcut(fan_in: int, fan_out: int, stride: int, *, normalised: bool, bias: bool) -> EachStep:
    """What a block adds: its input as it is, or a convolution of 1×1 where the shape changes."""
    if stride == 1 and fan_in == fan_out:
        return EachStep(nn.Identity())
    norm = [nn.BatchNorm2d(fan_out)] if normalised else []
    return EachStep(nn.Conv2d(fan_in, fan_out, 1, stride, bias=bias), *norm)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, neurons after the first and after the sum, as in ResNet-18."""

    summands = ("second", "shortcut")

    def __init__(self, make_neuron: MakeNeuron, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.first = EachStep(nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        self.between = make_neuron(fan_out)
        self.second = EachStep(nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        self.shortcut = _shortcut(fan_in, fan_out, stride, normalised=True, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The current of the block's output neurons."""
        return self.second(self.between(self.first(x))) + self.shortcut(x)


class PreActivationBlock(nn.Module):
    """The block of the CLIF paper's code, PreAct-ResNet (He et al. 2016) whose shortcut begins at the spikes.

    Convolutions have biases, and batch normalisation stands before neurons alone: the last one here is that of the
    next block's first neurons.
    """

    def __init__(self, make_neuron: MakeNeuron, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.first = EachStep(nn.Conv2d(fan_in, fan_out, 3, stride, padding=1), nn.BatchNorm2d(fan_out))
        self.between = make_neuron(fan_out)
        self.second = EachStep(nn.Conv2d(fan_out, fan_out, 3, padding=1))
        self.shortcut = _shortcut(fan_in, fan_out, stride, normalised=False, bias=True)
        self.after = EachStep(nn.BatchNorm2d(fan_out))

    def forward(self, x: Tensor) -> Tensor:
        """The current of the next neurons, from spikes."""
        return self.after(self.second(self.between(self.first(x))) + self.shortcut(x))


def resnet18(
    make_neuron: MakeNeuron,
    features: tuple[int, ...],
    classes: int,
    timesteps: int | None,
    width: int,
    block: MakeBlock = ResidualBlock,
) -> SpikingNetwork:
    """ResNet-18 with a 3×3 stem and no first pooling, as used for CIFAR (CLIF paper, Table 1)."""
    stem = nn.Sequential(nn.Conv2d(features[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    synapses: list[nn.Module] = [EachStep(*stem)]
    outputs = [width]
    for fan_out, stride in stages(width):
        synapses.append(block(make_neuron, outputs[-1], fan_out, stride))
        outputs.append(fan_out)
    readout = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(outputs[-1], classes))
    return SpikingNetwork(synapses, [make_neuron(count) for count in outputs], readout, timesteps)


def stages(width: int) -> list[tuple[int, int]]:
    """Channels and stride of the eight blocks."""
    return [(width * 2**stage, 2 if stage and not block else 1) for stage in range(4) for block in range(2)]


class MembraneBlock(nn.Module):
    """The block of MS-ResNet (Hu et al. 2021, arXiv 2112.08954): currents are passed on and added to, never spikes."""

    summands = ("second", "shortcut")

    def __init__(self, make_neuron: MakeNeuron, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.before = make_neuron(fan_in)
        self.first = EachStep(nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        self.between = make_neuron(fan_out)
        self.second = EachStep(nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        self.shortcut = _shortcut(fan_in, fan_out, stride, normalised=True, bias=False)

    def forward(self, current: Tensor) -> Tensor:
        return self.second(self.between(self.first(self.before(current)))) + self.shortcut(current)


class MembraneNetwork(SpikingNetwork):
    """Blocks that pass on currents, from the stem's to that of the last neurons."""

    def __init__(self, stem: nn.Module, blocks: nn.Module, last: NeuronLayer, readout: nn.Module, steps: int | None):
        super().__init__([stem], [last], readout, steps)
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes], for inputs as those of `SpikingNetwork`."""
        return self.readout(self.dropout(self.neurons[0](self.blocks(self.first_current(x)))))


def ms_resnet18(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> MembraneNetwork:
    """MS-ResNet-18 with the stem and stages of `resnet18`."""
    stem = nn.Sequential(nn.Conv2d(features[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    blocks, fan_in = nn.Sequential(), width
    for fan_out, stride in stages(width):
        blocks.append(MembraneBlock(make_neuron, fan_in, fan_out, stride))
        fan_in = fan_out
    readout = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(fan_in, classes))
    return MembraneNetwork(stem, blocks, make_neuron(fan_in), readout, timesteps)


ARCHITECTURES = {
    "resnet18": Architecture("spiking ResNet-18 with the CIFAR stem, image input", resnet18, 64, images=True),
    "resnet18_preact": Architecture(
        "the CLIF paper's ResNet-18: pre-activation, convolutions with biases, image input",
        partial(resnet18, block=PreActivationBlock),
        64,
        images=True,
    ),
    "ms_resnet18": Architecture("MS-ResNet-18, shortcuts between membranes, image input", ms_resnet18, 64, images=True),
}

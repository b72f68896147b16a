"""The networks in which neurons are compared. All are time-first and differ in nothing but their neurons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

from neurons import InvalidValue, NeuronLayer, UnknownName

MakeNeuron = Callable[[int], NeuronLayer]
"""A layer of neurons for a number of channels."""


Make = Callable[[int | None, int | None], NeuronLayer]
"""A layer of neurons for channels and time steps."""


class EachStep(nn.Sequential):
    """Applies its modules to each time step, by folding the time into the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class SpikingNetwork(nn.Module):
    """Alternating synapses (stateless layers) and neurons, and a linear readout at each step.

    Args:
        synapses: one stack of stateless modules (or a residual block) before each layer of neurons.
        neurons: the layers of neurons, as many as `synapses`.
        readout: from the last spikes to class scores.
        timesteps: how often a static input is shown; None if the input comes as a sequence.

    Attributes:
        features: shape of one sample at one time step, where it is known; other inputs are then refused.
    """

    features: tuple[int, ...] | None = None

    def __init__(
        self,
        synapses: Iterable[nn.Module],
        neurons: Iterable[NeuronLayer],
        readout: nn.Module,
        timesteps: int | None,
    ) -> None:
        super().__init__()
        self.synapses = nn.ModuleList(
            EachStep(*synapse) if type(synapse) is nn.Sequential else synapse for synapse in synapses
        )
        self.neurons = nn.ModuleList(neurons)
        self.readout = EachStep(nn.Flatten(), readout) if isinstance(readout, nn.Linear) else EachStep(readout)
        self.timesteps = timesteps

    def exchange_neurons(self, make: Make) -> None:
        """Put other neurons in place of each layer; synapses, and what an optimiser knows of them, stay.

        Raises:
            InvalidValue: the old or the new neurons have trainable parameters, which an optimiser would lose.
        """
        for name, old in [*self.named_modules()]:
            if not isinstance(old, NeuronLayer):
                continue
            new = make(old.channels, old.neuron.timesteps)
            if list(old.parameters()) or list(new.parameters()):
                names = f"{old.neuron.name} and {new.neuron.name}"
                raise InvalidValue(f"{names}: only neurons without trainable parameters can be exchanged")
            self.set_submodule(name, new)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes] for a static input [N, *features] or a sequence [N, T, *features].

        A static input passes the first synapse once, and its current is repeated at each step.

        Raises:
            InvalidValue: kind or shape of the input do not fit the network.
        """
        self._check_input(x)
        x = x.unsqueeze(0) if self.timesteps is not None else x.transpose(0, 1)
        for index, (synapse, neuron) in enumerate(zip(self.synapses, self.neurons, strict=True)):
            current = synapse(x)
            if index == 0 and self.timesteps is not None:
                current = current.expand(self.timesteps, *current.shape[1:])
            x = neuron(current)
        return self.readout(x)

    def _check_input(self, x: Tensor) -> None:
        """Networks take the batch first; layers of neurons, which take the time first, cannot tell the two apart."""
        own = next((parameter.dtype for parameter in self.parameters()), x.dtype)
        if not x.is_floating_point():
            raise InvalidValue(f"the network takes floating-point inputs, not {x.dtype}: use x.float()")
        if x.dtype != own and not torch.is_autocast_enabled(x.device.type):
            raise InvalidValue(f"the input is {x.dtype}, the network's weights {own}: use x.to({own})")
        if self.features is None:
            return
        features, shape = list(self.features), list(x.shape)
        wanted = f"[{', '.join(['N', *(['T'] if self.timesteps is None else []), *map(str, features)])}]"
        if (
            len(shape) != len(features) + (2 if self.timesteps is None else 1)
            or shape[len(shape) - len(features) :] != features
        ):
            raise InvalidValue(f"the network takes {wanted}, the batch first, not {shape}")
        steps = next((layer.neuron.timesteps for layer in self.modules() if isinstance(layer, NeuronLayer)), None)
        if self.timesteps is None and steps is not None and shape[1] != steps:
            way = "the batch goes first, x.transpose(0, 1)" if shape[0] == steps else "dimension 1 is the time"
            raise InvalidValue(f"the network takes {wanted} with T = {steps}, not {shape}: {way}")


def mlp(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int, depth: int = 2
) -> SpikingNetwork:
    """`depth` hidden layers of `width` neurons, batch-normalised."""
    sizes = [torch.Size(features).numel(), *[width] * (depth - 1)]
    synapses = [
        nn.Sequential(nn.Flatten(), nn.Linear(fan_in, width, bias=False), nn.BatchNorm1d(width)) for fan_in in sizes
    ]
    return SpikingNetwork(synapses, [make_neuron(width) for _ in sizes], nn.Linear(width, classes), timesteps)


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


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, neurons after the first and after the sum, as in ResNet-18."""

    def __init__(self, make_neuron: MakeNeuron, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.first = EachStep(nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        self.between = make_neuron(fan_out)
        self.second = EachStep(nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False), nn.BatchNorm2d(fan_out))
        same = stride == 1 and fan_in == fan_out
        shortcut = nn.Sequential(nn.Conv2d(fan_in, fan_out, 1, stride, bias=False), nn.BatchNorm2d(fan_out))
        self.shortcut = EachStep(nn.Identity()) if same else EachStep(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """The current of the block's output neurons."""
        return self.second(self.between(self.first(x))) + self.shortcut(x)


def resnet18(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """ResNet-18 with a 3×3 stem and no first pooling, as used for CIFAR (CLIF paper, Table 1)."""
    stem = nn.Sequential(nn.Conv2d(features[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    synapses: list[nn.Module] = [EachStep(*stem)]
    outputs = [width]
    for stage in range(4):
        for block in range(2):
            fan_out = width * 2**stage
            stride = 2 if stage > 0 and block == 0 else 1
            synapses.append(ResidualBlock(make_neuron, outputs[-1], fan_out, stride))
            outputs.append(fan_out)
    readout = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(outputs[-1], classes))
    return SpikingNetwork(synapses, [make_neuron(count) for count in outputs], readout, timesteps)


class RecurrentNetwork(SpikingNetwork):
    """Two layers of GRU units (Cho et al. 2014) and a linear readout at each step, without neurons.

    The baseline of sequences: it has no spikes, and a memory of its own.
    """

    def __init__(self, features: int, classes: int, timesteps: int | None, width: int) -> None:
        super().__init__([], [], nn.Linear(width, classes), timesteps)
        self.units = nn.GRU(features, width, num_layers=2)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [T, N, classes], for inputs as those of `SpikingNetwork`."""
        self._check_input(x)
        x = x.transpose(0, 1) if self.timesteps is None else x.expand(self.timesteps, *x.shape)
        return self.readout(self.units(x.flatten(2))[0])


def gru(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> RecurrentNetwork:
    """Two layers of `width` GRU units.

    Raises:
        InvalidValue: for a spiking neuron, which would have no part in the result.
    """
    neuron = make_neuron(width).neuron
    if neuron.spiking:
        raise InvalidValue(f"network gru has units of its own and no place for {neuron.name}; run it with relu")
    return RecurrentNetwork(torch.Size(features).numel(), classes, timesteps, width)


@dataclass(frozen=True)
class Architecture:
    """A network by name, with the width that it has unless a setting changes it."""

    description: str
    build: Callable[[MakeNeuron, tuple[int, ...], int, int | None, int], SpikingNetwork]
    width: int
    images: bool = False

    def refusal(self, name: str, features: tuple[int, ...], data: str) -> str | None:
        """Why samples of shape `features` are no input of this network, or None."""
        if self.images and len(features) != 3:
            return f"{name} needs images [C, H, W], {data} has {features}; mlp takes any input"
        return None


ARCHITECTURES = {
    "mlp": Architecture("2 hidden layers, any input", mlp, 128),
    "mlp8": Architecture("8 hidden layers, any input", partial(mlp, depth=8), 64),
    "resnet18": Architecture("spiking ResNet-18 with the CIFAR stem, image input", resnet18, 64, images=True),
    "gru": Architecture("2 layers of GRU units, the baseline for sequences; neuron relu alone", gru, 64),
    "snn5": Architecture(
        "5 strided convolutions + readout, Figure 2 of the CLIF paper, image input", snn5, 16, images=True
    ),
    "conv5": Architecture("4 convolutions + readout, image input", conv5, 32, images=True),
}


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

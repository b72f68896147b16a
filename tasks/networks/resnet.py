"""Residual networks, for images."""

from __future__ import annotations

from torch import Tensor, nn

from tasks.networks.network import Architecture, EachStep, MakeNeuron, SpikingNetwork


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


ARCHITECTURES = {
    "resnet18": Architecture("spiking ResNet-18 with the CIFAR stem, image input", resnet18, 64, images=True),
}

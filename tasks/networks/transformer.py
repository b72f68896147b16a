"""A small spiking transformer, for images and frames of events."""

from __future__ import annotations

from torch import Tensor, nn

from tasks.networks.network import Architecture, EachStep, MakeNeuron, SpikingNetwork

BLOCKS, EXPANSION = 2, 2


def _mixed(fan_in: int, fan_out: int) -> EachStep:
    """A linear map of each token's channels, batch-normalised; tokens are pixels of a map."""
    return EachStep(nn.Conv2d(fan_in, fan_out, 1, bias=False), nn.BatchNorm2d(fan_out))


class SpikeDrivenBlock(nn.Module):
    """Self-attention and two layers, on currents [T, N, C, H, W] that are passed on and added to.

    Spike-driven self-attention (Yao et al., NeurIPS 2023, arXiv 2307.01694, version 1): where queries and keys fire
    together, summed over all tokens, a channel's neuron fires, and lets the values of that channel pass. Of spikes
    alone, it needs neither multiplications nor a softmax. The sum is batch-normalised here, as the current of every
    other neuron is, so that it lies where a surrogate gradient is not zero.
    """

    summands = ("project", "narrow")

    def __init__(self, make_neuron: MakeNeuron, channels: int) -> None:
        super().__init__()
        self.before = make_neuron(channels)
        self.mix = nn.ModuleDict({name: _mixed(channels, channels) for name in ("query", "key", "value")})
        self.spikes = nn.ModuleDict({name: make_neuron(channels) for name in self.mix})
        self.meet = EachStep(nn.BatchNorm2d(channels))
        self.gate = make_neuron(channels)
        self.project = _mixed(channels, channels)
        self.between = make_neuron(channels)
        self.widen = _mixed(channels, EXPANSION * channels)
        self.wide = make_neuron(EXPANSION * channels)
        self.narrow = _mixed(EXPANSION * channels, channels)

    def forward(self, current: Tensor) -> Tensor:
        spikes = self.before(current)
        query, key, value = (self.spikes[name](self.mix[name](spikes)) for name in self.mix)
        gate = self.gate(self.meet((query * key).sum((-2, -1), keepdim=True)))
        current = current + self.project(gate * value)
        return current + self.narrow(self.wide(self.widen(self.between(current))))


class Encoder(nn.Module):
    """From spikes of the first layer to the current of the last: the second embedding and the blocks."""

    def __init__(self, make_neuron: MakeNeuron, fan_in: int, channels: int, pooled: bool) -> None:
        super().__init__()
        pool = [nn.MaxPool2d(2)] if pooled else []
        convolution = nn.Conv2d(fan_in, channels, 3, padding=1, bias=False)
        self.embed = EachStep(*pool, convolution, nn.BatchNorm2d(channels))
        self.blocks = nn.Sequential(*(SpikeDrivenBlock(make_neuron, channels) for _ in range(BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.embed(x))


def transformer(
    make_neuron: MakeNeuron, features: tuple[int, ...], classes: int, timesteps: int | None, width: int
) -> SpikingNetwork:
    """Two convolutions that make a token of each 4×4 pixels, two blocks of `width` channels, and a mean over tokens."""
    half = max(1, width // 2)
    large = min(features[1:]) >= 4
    pool = [nn.MaxPool2d(2)] if large else []
    first = nn.Sequential(nn.Conv2d(features[0], half, 3, padding=1, bias=False), nn.BatchNorm2d(half), *pool)
    encoder = Encoder(make_neuron, half, width, large)
    readout = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
    return SpikingNetwork([first, encoder], [make_neuron(half), make_neuron(width)], readout, timesteps)


ARCHITECTURES = {
    "transformer": Architecture("spike-driven transformer, 2 blocks, image input", transformer, 64, images=True),
}

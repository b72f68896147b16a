"""The networks as tables of sizes, and their forward pass by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import neurons
from neurons import BackendUnavailable, InvalidValue, Neuron, NeuronLayer, UnknownName
from tasks import networks
from tasks.measuring.size import size_of
from tasks.networks import EachStep, SpikingNetwork
from tasks.networks.network import Dropout
from tasks.networks.resnet import MembraneBlock, PreActivationBlock, ResidualBlock
from tasks.networks.transformer import SpikeDrivenBlock


class Count(Neuron):
    """Its output is its input and the number of steps so far: it tells the order of the steps."""

    name = "count_steps"
    states = ("n",)

    def step(self, x: Tensor, n: Tensor) -> tuple[Tensor, ...]:
        return x + n, n + 1


class Same(Neuron):
    name = "same_in_networks"

    def step(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x,)


def same(channels: int | None = None) -> NeuronLayer:
    return NeuronLayer(Same(), channels, backend="reference")


def lif(channels: int) -> NeuronLayer:
    return neurons.layer("lif", channels, backend="reference")


TABLE = {
    # name: input, default width, channels of the layers of neurons, size of their maps, weights of synapses and readout
    "mlp": ((8, 8), 128, [128, 128], None, 64 * 128 + 128 * 128 + 128 * 10),
    "mlp8": ((8, 8), 64, [64] * 8, None, 64 * 64 + 7 * 64 * 64 + 64 * 10),
    "conv5": (
        (1, 28, 28),
        32,
        [32, 32, 64, 64],
        [28, 14, 7, 7],
        9 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 64 * 7 * 7 * 10,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_table_of_networks(name: str) -> None:
    features, width, channels, maps, weights = TABLE[name]
    network = networks.build(name, lif, features, 10, 4, None)
    assert networks.ARCHITECTURES[name].width == width
    assert [layer.channels for layer in network.neurons] == channels
    assert len(network.synapses) == len(network.neurons)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert len(linear) == len(channels) + 1
    assert sum(module.weight.numel() for module in linear) == weights
    assert [module.bias is not None for module in linear] == [False] * len(channels) + [True]
    normalised = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [module.num_features for module in normalised] == channels
    shapes = []
    for layer in network.neurons:
        layer.register_forward_pre_hook(lambda module, arguments: shapes.append(tuple(arguments[0].shape)))
    assert network(torch.rand(3, *features)).shape == (4, 3, 10)
    sizes = [()] * len(channels) if maps is None else [(side, side) for side in maps]
    assert shapes == [(4, 3, count, *size) for count, size in zip(channels, sizes, strict=True)]


def test_resnet18_in_small() -> None:
    """A stem and four stages of two blocks; the first of the last three halves the map."""
    network = networks.build("resnet18", lif, (3, 32, 32), 10, 2, 4)
    shapes = []
    for layer in network.neurons:
        layer.register_forward_pre_hook(lambda module, arguments: shapes.append(tuple(arguments[0].shape[2:])))
    assert network(torch.rand(1, 3, 32, 32)).shape == (2, 1, 10)
    sizes = {4: 32, 8: 16, 16: 8, 32: 4}
    expected = [4, 4, 4, 8, 8, 16, 16, 32, 32]
    assert shapes == [(channels, sizes[channels], sizes[channels]) for channels in expected]
    assert sum(isinstance(module, NeuronLayer) for module in network.modules()) == 17
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 20
    assert networks.ARCHITECTURES["resnet18"].width == 64


def test_a_static_image_is_shown_at_each_step() -> None:
    """It passes the first synapse once, the others at each step; scores are those of each step."""
    first, second, readout = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)
    network = SpikingNetwork(
        [nn.Sequential(first), nn.Sequential(second)],
        [NeuronLayer(Count(4), backend="reference"), same()],
        readout,
        timesteps=4,
    )
    seen: list[int] = []
    for module in (first, second, readout):
        module.register_forward_hook(lambda module, arguments, output: seen.append(len(output)))
    x = torch.randn(5, 2)
    expected = torch.stack([readout(second(first(x) + step)) for step in range(4)])
    seen.clear()
    assert torch.allclose(network(x), expected, atol=1e-6)
    assert seen == [5, 20, 20]


def test_a_sequence_is_read_with_its_samples_first() -> None:
    synapse, readout = nn.Linear(2, 3), nn.Linear(3, 2)
    network = SpikingNetwork(
        [nn.Sequential(synapse)], [NeuronLayer(Count(7), backend="reference")], readout, timesteps=None
    )
    x = torch.randn(5, 7, 2)
    expected = torch.stack([readout(synapse(x[:, step]) + step) for step in range(7)])
    assert torch.allclose(network(x), expected, atol=1e-6)


def test_each_step_applies_its_modules_in_order() -> None:
    x = torch.randn(3, 4, 1, 6, 6)
    modules = nn.Conv2d(1, 2, 3), nn.AvgPool2d(2)
    expected = torch.stack([modules[1](modules[0](step)) for step in x])
    assert torch.allclose(EachStep(*modules)(x), expected, atol=1e-6)


@pytest.mark.parametrize(("fan_in", "fan_out", "stride"), [(4, 4, 1), (4, 8, 2), (4, 8, 1), (4, 4, 2)])
def test_residual_block_by_hand(fan_in: int, fan_out: int, stride: int) -> None:
    block = ResidualBlock(lambda channels: same(), fan_in, fan_out, stride).eval()
    x = torch.randn(2, 3, fan_in, 8, 8)
    scale = 1 / (1 + 1e-5) ** 0.5  # of batch normalisation that has seen nothing
    for step, found in zip(x, block(x), strict=True):
        first = F.conv2d(step, block.first[0].weight, stride=stride, padding=1) * scale
        second = F.conv2d(first, block.second[0].weight, padding=1) * scale
        same_shape = stride == 1 and fan_in == fan_out
        short = step if same_shape else F.conv2d(step, block.shortcut[0].weight, stride=stride) * scale
        assert torch.allclose(found, second + short, atol=1e-5)


def test_exchange_keeps_the_synapses() -> None:
    network = networks.build("resnet18", lif, (3, 8, 8), 10, 2, 2)
    weights = {name: parameter.data_ptr() for name, parameter in network.named_parameters()}
    channels = {name: layer.channels for name, layer in network.named_modules() if isinstance(layer, NeuronLayer)}
    asked: list[tuple[int | None, int | None]] = []

    def clif(channels: int | None, timesteps: int | None) -> NeuronLayer:
        asked.append((channels, timesteps))
        return neurons.layer("clif", channels, timesteps, "reference")

    network.exchange_neurons(clif)
    found = {name: layer for name, layer in network.named_modules() if isinstance(layer, NeuronLayer)}
    assert {layer.neuron.name for layer in found.values()} == {"clif"}
    assert {name: layer.channels for name, layer in found.items()} == channels
    assert sorted(count for count, _ in asked if count) == sorted(channels.values())
    assert {name: parameter.data_ptr() for name, parameter in network.named_parameters()} == weights


@pytest.mark.parametrize(("old", "new"), [("lif", "plif"), ("plif", "lif")])
def test_neurons_with_parameters_stay(old: str, new: str) -> None:
    network = networks.build("mlp", lambda width: neurons.layer(old), (4,), 2, 2, 8)
    with pytest.raises(InvalidValue, match=f"{old} and {new}: only neurons without trainable parameters"):
        network.exchange_neurons(lambda channels, timesteps: neurons.layer(new))
    assert [layer.neuron.name for layer in network.neurons] == [old] * 2


def test_unknown_network() -> None:
    with pytest.raises(UnknownName, match="unknown network 'conv'; did you mean 'conv5'"):
        networks.build("conv", lif, (4,), 2, 2, None)


@pytest.mark.parametrize("name", ["mlp", "conv5", "resnet18"])
def test_width_of_a_setting(name: str) -> None:
    network = networks.build(name, lif, (1, 8, 8), 3, 1, 6)
    assert network.neurons[0].channels == 6
    assert network(torch.rand(2, 1, 8, 8)).shape == (1, 2, 3)


SPREAD = """@register
class Drawn(Neuron):
    states = ("u",)
    slope = Learnable(0.0, spread=0.5, per="channel")
    def step(self, x, u):
        return self.spike(u + x + self.slope), u
"""


@pytest.mark.parametrize("name", [name for name in networks.ARCHITECTURES if name != "gru"])
def test_networks_of_one_seed_start_equal_whatever_their_neurons(name: str, neuron_file) -> None:
    neurons.load_file(neuron_file(SPREAD))
    models = [*neurons.names(), "snntorch.leaky", "spikingjelly.glif", "spikingjelly.psn"]
    assert {"lif", "glif", "drawn"} <= set(models)

    def start(model: str, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """What is no neuron's, what is, and what is drawn next."""
        torch.manual_seed(seed)
        network = networks.build(name, lambda c: neurons.layer(model, c, 4, "reference"), (1, 8, 8), 10, 4, 4)
        layers = [key for key, module in network.named_modules() if isinstance(module, NeuronLayer)]
        state = {key: value.clone() for key, value in network.state_dict().items()}
        own = {key: state[key] for key in state if key.rpartition(".")[0] in layers}
        return {key: state[key] for key in state if key not in own}, own, torch.rand(3)

    weights, _, following = start("lif", 0)
    assert len(weights) > 3
    for model in models:
        others, own, next_drawn = start(model, 0)
        assert set(others) == set(weights)
        assert all(torch.equal(others[key], weights[key]) for key in weights), model
        assert torch.equal(next_drawn, following)
        again, other_seed = start(model, 0)[1], start(model, 1)[1]
        assert all(torch.equal(own[key], again[key]) for key in own)
        if model == "drawn":
            drawn = list(own.values())
            assert not torch.equal(drawn[0], next(iter(other_seed.values())))
            assert not torch.equal(drawn[0], drawn[1])  # each layer draws its own


OF_THE_PAPER = [
    # network, input, classes; parameters and MACs in millions as its Table 6 prints them
    ("resnet18_preact", (3, 32, 32), 10, 11.2, 557.65),
    ("resnet18_preact", (3, 32, 32), 100, 11.2, 557.70),
    ("vgg13", (3, 64, 64), 200, 14.4, 922.56),
    ("vgg11", (2, 128, 128), 11, 9.5, None),
    ("vgg11", (2, 48, 48), 10, 9.5, None),
]


@pytest.mark.parametrize(("name", "features", "classes", "parameters", "macs"), OF_THE_PAPER)
def test_sizes_are_those_of_the_paper(
    name: str, features: tuple[int, ...], classes: int, parameters: float, macs: float | None
) -> None:
    size = size_of(name, features, classes)
    assert size.parameters / 1e6 == pytest.approx(parameters, rel=0.01)
    if macs is not None:
        assert size.macs_as_paper is not None
        assert round(size.macs_as_paper / 1e6, 2) == macs


def test_both_counts_of_macs() -> None:
    """Without batch norm, biases and pools as the suite counts; with them as the paper does. A small VGG by hand."""
    assert size_of("resnet18_preact", (3, 32, 32), 10).macs == 555_422_720
    small = size_of("vgg11", (1, 2, 2), 3, width=1)
    channels, maps = [1, 1, 2, 4, 4, 8, 8, 8, 8], [4, 1, 1, 1, 1, 1, 1, 1]
    products = [9 * a * b * area for a, b, area in zip(channels, channels[1:], maps, strict=False)]
    assert small.macs == sum(products) + 8 * 49 * 3
    assert small.normalised == small.biased == sum(b * area for b, area in zip(channels[1:], maps, strict=True))
    assert small.pooled == 4
    assert size_of("gru", (5,), 3).macs is None


CONVOLUTIONAL = [name for name, found in networks.ARCHITECTURES.items() if found.images and name != "snn5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in networks.ARCHITECTURES if name != "gru"])
def test_every_neuron_learns_in_every_network(name: str) -> None:
    """Forward and backward on a tiny input: scores of each step, and a gradient for every parameter.

    A sequence model has no single step that could hear itself; `recurrent` refuses it.
    """
    torch.manual_seed(0)
    features = (1, 28, 28) if name == "snn5" else (1, 4, 4)
    wrong = {}
    for model in neurons.names():
        make = partial(neurons.layer, model, timesteps=2, backend="reference")
        network = networks.build(name, make, features, 3, 2, 2)
        if name == "recurrent" and not neurons.get(model).runs_over_time():
            with pytest.raises(BackendUnavailable):
                network(torch.zeros(3, *features))
            continue
        scores = network(2 * torch.randn(3, *features))
        assert scores.shape == (2, 3, 3), model
        scores.square().sum().backward()
        missing = [key for key, own in network.named_parameters() if own.grad is None or not own.grad.isfinite().all()]
        wrong |= {model: missing} if missing else {}
    assert not wrong


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_gradients_reach_every_parameter(name: str) -> None:
    """On a batch that is large enough, not one is zero everywhere: nothing of a network is dead by its wiring."""
    torch.manual_seed(3)
    network = networks.build(name, lambda channels: neurons.layer("lif", channels, 4, "reference"), (3, 8, 8), 5, 4, 16)
    network(2 * torch.randn(8, 3, 8, 8)).square().sum().backward()
    assert not [key for key, own in network.named_parameters() if not own.grad.any()]


def test_pre_activation_block_by_hand() -> None:
    """The shortcut begins at the spikes, convolutions have biases, and the last normalisation is the next neurons'."""
    block = PreActivationBlock(lambda channels: same(), 4, 8, 2).eval()
    x = torch.randn(2, 3, 4, 8, 8)
    scale = 1 / (1 + 1e-5) ** 0.5
    for step, found in zip(x, block(x), strict=True):
        first = F.conv2d(step, block.first[0].weight, block.first[0].bias, stride=2, padding=1) * scale
        second = F.conv2d(first, block.second[0].weight, block.second[0].bias, padding=1)
        short = F.conv2d(step, block.shortcut[0].weight, block.shortcut[0].bias, stride=2)
        assert torch.allclose(found, (second + short) * scale, atol=1e-5)


def test_membrane_block_by_hand() -> None:
    """With neurons that do nothing it is what a residual block is, and its identity passes currents, not spikes."""
    block = MembraneBlock(lambda channels: neurons.layer("lif", channels, 2, "reference"), 4, 4, 1).eval()
    x = 0.1 * torch.randn(2, 3, 4, 8, 8)  # below the threshold: no neuron fires, and the input passes as it is
    assert torch.allclose(block(x), x, atol=1e-6)
    through = MembraneBlock(lambda channels: same(), 4, 8, 2).eval()
    scale = 1 / (1 + 1e-5) ** 0.5
    first = F.conv2d(x[0], through.first[0].weight, stride=2, padding=1) * scale
    second = F.conv2d(first, through.second[0].weight, padding=1) * scale
    short = F.conv2d(x[0], through.shortcut[0].weight, stride=2) * scale
    assert torch.allclose(through(x)[0], second + short, atol=1e-5)


def test_spike_driven_attention_by_hand() -> None:
    """A channel's values pass where queries and keys of it met often enough, summed over all tokens."""
    block = SpikeDrivenBlock(lambda channels: neurons.layer("lif", channels, 1, "reference"), 3).eval()
    current = 2 * torch.randn(1, 2, 3, 4, 4)
    fires = lambda u: (u >= 1).float()  # noqa: E731
    scale = 1 / (1 + 1e-5) ** 0.5
    mixed = lambda own, x: F.conv2d(x, own[0].weight) * scale  # noqa: E731
    spikes = fires(current[0])
    query, key, value = (fires(mixed(block.mix[name], spikes)) for name in ("query", "key", "value"))
    gate = fires((query * key).sum((2, 3), keepdim=True) * scale)
    after = current[0] + mixed(block.project, gate * value)
    after = after + mixed(block.narrow, fires(mixed(block.widen, fires(after))))
    assert torch.allclose(block(current)[0], after, atol=1e-5)


def test_dropout_silences_an_output_for_all_steps_of_a_sample() -> None:
    dropout = Dropout(0.25)
    x = torch.ones(5, 40, 50)
    out = dropout(x)
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert all(torch.equal(step, out[0]) for step in out)
    assert (out[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(dropout.eval()(x), x)
    assert torch.equal(Dropout()(x), x)


@pytest.mark.parametrize("size", [28, 32])
def test_snn5_is_the_network_of_figure_2(size: int) -> None:
    """Five convolutions of 16 to 256 channels, 5×5 from the second to the fourth, strided down to one pixel."""
    network = networks.build("snn5", lambda channels: neurons.layer("lif", channels, 4), (3, size, size), 10, 4, None)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [module.out_channels for module in convolutions] == [16, 64, 128, 256, 256]
    assert [(own.kernel_size[0], own.stride[0]) for own in convolutions] == [(3, 1), (5, 2), (5, 2), (5, 4), (3, 2)]
    assert network(torch.rand(2, 3, size, size)).shape == (4, 2, 10)
    assert network.readout[1].in_features == 256


def test_the_recurrent_baseline() -> None:
    """It remembers what a ReLU cannot: its scores depend on earlier steps. No spiking neuron runs under its name."""
    torch.manual_seed(0)
    network = networks.build("gru", lambda channels: neurons.layer("relu", channels, 7), (5,), 3, None, 8)
    x = torch.rand(2, 7, 5)
    other = x.clone()
    other[:, 0] += 1
    scores, changed = network(x), network(other)
    assert scores.shape == (7, 2, 3)
    assert not torch.allclose(scores[-1], changed[-1])
    with pytest.raises(InvalidValue, match="no place for lif; run it with relu"):
        networks.build("gru", lambda channels: neurons.layer("lif", channels, 7), (5,), 3, None, 8)

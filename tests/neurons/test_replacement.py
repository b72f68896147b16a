"""A registry neuron in networks of other packages: called as they call theirs, and right."""

import copy

import pytest
import torch
from torch import nn

import neurons
from neurons.reference import step_loop

snntorch = pytest.importorskip("snntorch")
norse = pytest.importorskip("norse.torch")
spikingjelly = pytest.importorskip("spikingjelly.activation_based")
from spikingjelly.activation_based import functional, layer, surrogate  # noqa: E402
from spikingjelly.activation_based import neuron as sj  # noqa: E402
from spikingjelly.activation_based.model import spiking_resnet  # noqa: E402

PUBLISHED_LIF = {"decay_input": True, "reset": "hard", "surrogate": "atan"}
"""What spikingjelly's LIFNode() computes."""


def resnet() -> nn.Module:
    torch.manual_seed(0)
    network = spiking_resnet.spiking_resnet18(
        spiking_neuron=sj.LIFNode, surrogate_function=surrogate.ATan(), detach_reset=False, num_classes=4
    )
    return network.eval()


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_spikingjelly_resnet_of_the_same_neuron_computes_the_same(mode):
    network, x = resnet(), torch.rand(3, 2, 3, 32, 32)
    functional.set_step_mode(network, mode)

    def run() -> torch.Tensor:
        functional.reset_net(network)
        return network(x) if mode == "m" else torch.stack([network(x_t) for x_t in x])

    expected = run()
    report = neurons.replace(network, "lif", **PUBLISHED_LIF)
    assert len(report.replaced) == 17
    assert not report.kept
    torch.testing.assert_close(run(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(run(), expected, atol=1e-5, rtol=1e-5)  # nothing is left over after reset_net


@pytest.mark.parametrize("name", ["clif", "glif", "plif"])
def test_other_neurons_train_in_a_spikingjelly_network(name):
    network = nn.Sequential(layer.Linear(6, 5), sj.LIFNode(), layer.Linear(5, 2))
    functional.set_step_mode(network, "m")
    x = torch.rand(4, 3, 6)
    neurons.replace(network, name, example=x, timesteps=4)
    network(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network[1].layer.neuron.name == name
    assert torch.equal(network[1](x[..., :5]), network[1].layer(x[..., :5]))


class Tutorial(nn.Module):
    """The network of snnTorch's first tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(7, 5), snntorch.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=False)
        self.fc2, self.lif2 = nn.Linear(5, 3), snntorch.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.init_leaky()
        spikes, potentials = [], []
        for x_t in x:
            spike, mem1 = self.lif1(self.fc1(x_t), mem1)
            spike, mem2 = self.lif2(self.fc2(spike), mem2)
            spikes.append(spike)
            potentials.append(mem2)
        return torch.stack(spikes), torch.stack(potentials)


@pytest.mark.parametrize("name", ["lif", "clif"])
def test_an_snntorch_tutorial_network(name):
    network, x = Tutorial(), 8 * torch.randn(6, 4, 7)
    report = neurons.replace(network, name)
    assert set(report.replaced) == {"lif1", "lif2"}
    spikes, potentials = network(x)
    first = step_loop(neurons.get(name)(), {}, network.fc1(x))
    assert torch.equal(spikes, step_loop(neurons.get(name)(), {}, network.fc2(first)))
    assert spikes.any()
    assert len(potentials) == 6
    spikes.sum().backward()
    assert network.fc1.weight.grad.abs().sum() > 0


def test_norse_cells_and_layers():
    network = norse.SequentialState(nn.Linear(7, 5), norse.LIFBoxCell(), nn.Linear(5, 3), norse.LIFCell())
    assert len(neurons.replace(network, "clif").replaced) == 2
    x, state, spikes = 3 * torch.randn(6, 4, 7), None, []
    for x_t in x:
        spike, state = network(x_t, state)
        spikes.append(spike)
    first = step_loop(neurons.get("clif")(), {}, network[0](x))
    assert torch.equal(torch.stack(spikes), step_loop(neurons.get("clif")(), {}, network[2](first)))
    sequence = norse.LIF()
    spikes, _ = neurons.replace(sequence, "lif").model(x)
    assert torch.equal(spikes, step_loop(neurons.get("lif")(), {}, x))


def test_a_relu_becomes_a_neuron_that_is_reset():
    network = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2))
    neurons.replace(network, "lif")
    x = 3 * torch.randn(4, 7)
    once = [network(x) for _ in range(3)]
    assert not torch.equal(once[0], once[1])
    neurons.reset(network)
    assert torch.equal(network(x), once[0])


class Residual(nn.Module):
    """One ReLU for two places, as torchvision's residual blocks have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(5, 5), nn.Linear(5, 5), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.second(self.relu(self.first(x))))


def test_one_relu_of_two_places_is_refused():
    network = nn.Sequential(Residual())
    neurons.replace(network, "lif")
    for _ in range(2):  # the network is none the worse for the first failure
        with pytest.raises(neurons.InvalidValue, match=r"0\.relu is called more than once .* a ReLU of its own"):
            network(torch.randn(2, 5))
    part = network[0].relu  # outside of the network's forward nobody can say what a time step is
    assert part(torch.ones(2, 5)).shape == part(torch.ones(2, 5)).shape == (2, 5)


class OverTime(nn.Module):
    """A network whose forward goes over time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.relu = nn.Linear(7, 5), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.relu(self.linear(x_t)) for x_t in x])


def test_a_network_that_goes_over_time_itself():
    network, x = OverTime(), 3 * torch.randn(6, 4, 7)
    neurons.replace(network, "clif", time_inside=True)
    assert torch.equal(network(x), step_loop(neurons.get("clif")(), {}, network.linear(x)))


def test_every_name_of_a_shared_relu_has_a_state_of_its_own():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(7, 5), relu, nn.Linear(5, 5), relu)
    assert set(neurons.replace(network, "lif").replaced) == {"1", "3"}
    x = 3 * torch.randn(6, 4, 7)
    first = step_loop(neurons.get("lif")(), {}, network[0](x))
    expected = step_loop(neurons.get("lif")(), {}, network[2](first))
    copied = copy.deepcopy(network)
    for one in (network, copied):
        assert torch.equal(torch.stack([one(x_t) for x_t in x]), expected)


def test_a_neuron_of_two_names_stays_one():
    shared = sj.LIFNode(step_mode="m")
    network = nn.Sequential(shared, nn.Identity(), shared)
    report = neurons.replace(network, "plif")
    assert set(report.replaced) == {"0", "2"}
    assert network[0] is network[2]
    assert len(list(network.parameters())) == 1


def test_what_cannot_be_replaced_stays_and_is_named():
    network = nn.ModuleDict({"a": snntorch.Synaptic(0.5, 0.5), "b": snntorch.Leaky(0.5), "c": nn.Linear(2, 2)})
    network["d"] = snntorch.Leaky(0.5, init_hidden=True)
    report = neurons.replace(network, "lif")
    assert set(report.replaced) == {"b"}
    assert set(report.kept) == {"a", "d"}
    assert "a: kept, Synaptic is called in a way of its own" in str(report)
    assert "init_hidden" in report.kept["d"]
    with pytest.raises(neurons.InvalidValue, match="it has none"):
        neurons.replace(nn.Linear(2, 2), "lif")
    with pytest.raises(neurons.InvalidValue, match="parameters per time step"):
        neurons.replace(nn.Sequential(nn.ReLU()), "glif", example=torch.ones(2, 3), timesteps=3)


def test_a_state_of_somebody_else_is_refused():
    stand_in = neurons.replace(nn.Sequential(snntorch.Leaky(0.5)), "lif").model[0]
    with pytest.raises(neurons.InvalidValue, match="what the step before returned"):
        stand_in(torch.ones(2, 3), torch.ones(2, 3))


@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif", "clif", "glif", "relu"])
def test_steps_equal_the_whole_sequence(name):
    own = neurons.layer(name, channels=5, timesteps=7, backend="reference")
    x = torch.randn(7, 3, 5)
    state, outputs = own.initial_state(x[0]), []
    for x_t in x:
        output, state = own.step(x_t, state)
        outputs.append(output)
    assert torch.equal(torch.stack(outputs), own(x))
    assert state.time == 7
    if name == "glif":
        with pytest.raises(neurons.InvalidValue, match="7 time steps"):
            own.step(x[0], state)

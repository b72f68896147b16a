"""Counts of operations on networks worked out by hand, for batches of more than one sample."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import neurons
from neurons import InvalidValue
from tasks import networks
from tasks.energy import OperationCounter, count_synapse


def test_linear_by_hand() -> None:
    # two samples, three inputs, five outputs; 1 + 2 spikes reach five outputs each
    module = nn.Linear(3, 5)
    spikes = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    assert count_synapse(module, spikes, module(spikes)) == {"macs": 0, "acs": 15}
    analog = spikes * 0.5
    assert count_synapse(module, analog, module(analog)) == {"macs": 2 * 3 * 5, "acs": 0}


def test_convolution_by_hand() -> None:
    # 3×3 kernel with padding on 3×3: the centre reaches 9 outputs, an edge 6, a corner 4, each in 2 channels
    module = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    x = torch.zeros(2, 1, 3, 3)
    x[0, 0, 1, 1] = x[0, 0, 0, 0] = x[1, 0, 0, 1] = 1
    assert count_synapse(module, x, module(x)) == {"macs": 0, "acs": 2 * (9 + 4 + 6)}
    analog = x + 0.5
    assert count_synapse(module, analog, module(analog))["macs"] == 2 * (2 * 9) * 9


def test_strided_convolution_by_hand() -> None:
    # stride 2 without padding on 4×4 with a 2×2 kernel: every input reaches one output of each of 3 channels
    module = nn.Conv2d(1, 3, 2, stride=2, bias=False)
    x = torch.ones(1, 1, 4, 4)
    assert count_synapse(module, x, module(x))["acs"] == 16 * 3


def test_neurons_by_hand() -> None:
    """CLIF: ½·u, u/2, m·σ, s·(…): 4 multiplications; + x, − v_th, ≥ 0, + s, v_th + σ, u − …: 6; two exponentials."""
    layer = neurons.layer("clif", backend="reference")
    with OperationCounter(layer) as counter:
        layer(torch.rand(5, 3, 7))
    count = 5 * 3 * 7
    assert counter.totals["neuron_multiplications"] == 4 * count
    assert counter.totals["neuron_additions"] == 6 * count
    assert counter.totals["neuron_exponentials"] == 2 * count
    assert counter.totals["state_reads"] == counter.totals["state_writes"] == 2 * count


def test_static_input_passes_the_first_synapse_once() -> None:
    network = networks.build("mlp", lambda width: neurons.layer("lif"), (10,), 4, 6, 8).eval()
    with OperationCounter(network) as counter, torch.no_grad():
        network(torch.rand(3, 10) + 0.1)
    assert counter.layers["synapses.0.1"]["macs"] == 3 * 10 * 8
    assert counter.layers["synapses.1.1"]["macs"] == 0


@pytest.mark.slow
def test_resnet18_of_the_paper() -> None:
    """Table 6: 557.65 million MACs and 11.2 million parameters for the ReLU network on 32×32 images."""
    network = networks.build("resnet18", lambda channels: neurons.layer("relu"), (3, 32, 32), 10, 1, None).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(11.2e6, rel=0.01)
    with OperationCounter(network) as counter, torch.no_grad():
        network(torch.rand(2, 3, 32, 32) + 0.1)
    macs = counter.totals["macs"] / 2
    assert macs == 555_422_720
    # the table adds biases of all convolutions but the first, two operations a batch norm and one a rectifier, and the
    # images of 4×4 that are pooled before the readout
    assert macs + 548_864 + 2 * 557_056 + 557_056 + 512 * 4 * 4 == 557_650_944


def test_agrees_with_spikingjellys_counters() -> None:
    """MACs of a dense network, and ACs of binary inputs, where both define the same thing."""
    from spikingjelly.activation_based.op_counter import ACCounter, DispatchCounterMode, MACCounter

    torch.manual_seed(0)
    dense = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 4, 3, stride=2, bias=False),
        nn.Flatten(),
        nn.Linear(36, 5, bias=False),
    )
    cases = [
        (dense, torch.rand(2, 3, 8, 8) + 0.1, MACCounter, "macs"),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), (torch.rand(2, 3, 8, 8) < 0.3).float(), ACCounter, "acs"),
        (nn.Linear(20, 7, bias=False), (torch.rand(3, 20) < 0.4).float(), ACCounter, "acs"),
    ]
    for module, x, make, metric in cases:
        theirs = make()
        with torch.no_grad(), DispatchCounterMode([theirs]):
            module(x)
        with torch.no_grad(), OperationCounter(module) as ours:
            module(x)
        assert ours.totals[metric] == theirs.get_total() > 0


FORMS = [
    (nn.Linear, (6, 5), {}, (6,)),
    (nn.Linear, (6, 5), {}, (3, 6)),
    (nn.Conv1d, (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (4, 7)),
    (nn.Conv2d, (4, 8, 3), {"groups": 2}, (4, 6, 5)),
    (nn.Conv2d, (4, 4, 3), {"groups": 4, "padding": 1}, (4, 5, 5)),
    (nn.Conv2d, (2, 3, 3), {"dilation": 2, "padding": 2}, (2, 6, 6)),
    (nn.Conv2d, (2, 3, (3, 2)), {"stride": (1, 2), "padding": "valid"}, (2, 5, 6)),
    (nn.Conv2d, (2, 3, (3, 5)), {"padding": "same"}, (2, 5, 6)),
    *[
        (nn.Conv2d, (2, 3, 3), {"padding": 2, "padding_mode": mode}, (2, 5, 5))
        for mode in ("circular", "reflect", "replicate")
    ],
    (nn.Conv3d, (2, 2, 2), {"padding": 1}, (2, 3, 3, 3)),
    (nn.ConvTranspose1d, (4, 6, 3), {"groups": 2, "stride": 2}, (4, 5)),
    (nn.ConvTranspose2d, (2, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 4, 4)),
]


def reached(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """How often each input of one frame reaches an output: the columns of the Jacobian under weights of one."""
    ones = copy.deepcopy(module).double()
    for parameter in ones.parameters():
        nn.init.ones_(parameter)
    jacobian = torch.func.jacrev(lambda frame: ones(frame[None])[0])(x.double())
    return jacobian.flatten(0, jacobian.ndim - x.ndim - 1).sum(0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kind", "sizes", "form", "features"), FORMS)
def test_events_of_any_form_by_brute_force(kind: Any, sizes: Any, form: Any, features: Any, bias: bool) -> None:
    """−1 and +1 are an AC for each output they reach, any other event a MAC; zeros cost nothing."""
    module = kind(*sizes, bias=bias, **form)
    x = torch.randint(-1, 3, (3, *features)).float()
    connections = torch.stack([reached(module, frame) for frame in x])
    found = count_synapse(module, x, module(x), events=True)
    assert found == {"acs": connections[x.abs() == 1].sum(), "macs": connections[x == 2].sum()}
    assert found["acs"] > 0
    assert found["macs"] > 0
    silent = count_synapse(module, 0 * x, module(0 * x), events=True)
    assert silent == {"acs": 0, "macs": 0}


@pytest.mark.parametrize(("kind", "sizes", "form", "features"), FORMS)
def test_analog_input_costs_the_same_whatever_its_values(kind: Any, sizes: Any, form: Any, features: Any) -> None:
    module = kind(*sizes, **form)
    x = torch.rand(3, *features)
    dense = count_synapse(module, x, module(x), events=False)
    assert dense["acs"] == 0
    for other in (0 * x, (x > 0.5).float()):
        assert count_synapse(module, other, module(other), events=False) == dense
    weights_of_each = module.weight[0].numel()
    each = x if kind in (nn.ConvTranspose1d, nn.ConvTranspose2d) else module(x)
    assert dense["macs"] == each.numel() * weights_of_each


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_convolution_by_brute_force(data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 3))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = data.draw(pair), data.draw(pair), data.draw(pair)
    mode = data.draw(st.sampled_from(["zeros", "circular", "replicate"]))
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    module = nn.Conv2d(
        groups * data.draw(st.integers(1, 2)),
        groups * data.draw(st.integers(1, 2)),
        kernel,
        stride,
        padding,
        dilation,
        groups,
        padding_mode=mode,
    )
    seed = data.draw(st.integers(0, 99))
    x = torch.randint(-1, 2, (1, module.in_channels, 7, 8), generator=torch.Generator().manual_seed(seed)).float()
    connections = reached(module, x[0])
    assert count_synapse(module, x, module(x), events=True)["acs"] == connections[x[0] != 0].sum()


@pytest.mark.parametrize("module", [nn.Bilinear(2, 3, 4), nn.Embedding(4, 2), nn.LSTM(2, 3), nn.PReLU()])
def test_what_is_not_counted_is_refused(module: nn.Module) -> None:
    with pytest.raises(InvalidValue, match=rf"1: operations of {type(module).__name__} are not counted"):
        OperationCounter(nn.Sequential(nn.Linear(2, 2), module))


def test_products_outside_of_layers_are_refused() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ x.mT

    with (
        OperationCounter(Attention()),
        pytest.raises(InvalidValue, match=r"matmul.* outside of a layer is not counted"),
    ):
        Attention()(torch.ones(2, 3, 3))


TERNARY = """
@register
class Signed(Neuron):
    states = ("u",)
    def step(self, x, u):
        u = self.charge(u, x)
        spike = self.spike(u - self.v_th) - self.spike(-u - self.v_th)
        return spike, u - spike * self.v_th
"""


def test_signed_spikes_do_not_cancel(neuron_file: Any) -> None:
    neurons.load_file(neuron_file(TERNARY))
    network = nn.Sequential(neurons.layer("signed", backend="reference"), nn.Linear(3, 5))
    x = torch.tensor([[[1.5, -1.5, 0.2]], [[0.0, -1.5, -1.0]]])  # +, −, 0; u = 0.25, 0.25, 0.1: 0, −, 0
    with OperationCounter(network) as counter:
        network(x)
    assert counter.layers["0"]["spikes"] == 3
    assert (counter.layers["1"]["acs"], counter.layers["1"]["macs"]) == (15, 0)


@pytest.mark.parametrize(
    ("between", "acs", "macs"),
    [
        ([nn.Flatten(2)], True, False),
        ([nn.Dropout(0.5), nn.Identity(), nn.Flatten(2)], True, False),
        ([nn.MaxPool1d(1), nn.Flatten(2)], True, False),
        ([nn.AvgPool1d(1), nn.Flatten(2)], True, False),
        ([nn.AdaptiveAvgPool1d(8), nn.Flatten(2)], True, False),
        ([nn.AdaptiveAvgPool1d(4), nn.Upsample(8), nn.Flatten(2)], False, True),
        ([nn.ReLU(), nn.Flatten(2)], False, True),
    ],
)
def test_only_spikes_that_arrive_as_they_left_are_events(between: list[nn.Module], acs: bool, macs: bool) -> None:
    network = nn.Sequential(neurons.layer("lif", backend="reference"), *between, nn.Linear(8, 5)).eval()
    with OperationCounter(network) as counter:
        network(2 * torch.rand(3, 2, 8))
    counts = counter.layers[str(len(network) - 1)]
    assert (counts["acs"] > 0, counts["macs"] > 0) == (acs, macs)


@pytest.mark.parametrize("name", ["relu", "lif"])
def test_silent_layers_by_kind(name: str) -> None:
    """A ReLU that is dead costs what a dense machine computes; spikes that do not come cost nothing."""
    network = nn.Sequential(neurons.layer(name, backend="reference"), nn.Linear(4, 5))
    with OperationCounter(network) as counter:
        network(torch.zeros(3, 2, 4))
    assert dict(counter.layers["1"])["macs"] == (3 * 2 * 4 * 5 if name == "relu" else 0)
    assert dict(counter.layers["1"])["acs"] == 0


@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.AvgPool2d((3, 2)), nn.AdaptiveAvgPool2d(2), nn.AvgPool2d(3, 1)])
def test_each_event_of_a_pooled_window_is_accumulated(pool: nn.Module) -> None:
    """Spike by spike: those windows that hold it, and of each the outputs that its value reaches."""
    layer = networks.EachStep(pool, nn.Conv2d(2, 3, 3, padding=1))
    network = nn.Sequential(neurons.layer("lif", backend="reference"), layer)
    x = 2 * torch.rand(2, 1, 2, 6, 6)
    with OperationCounter(network) as counter:
        network(x)
    spikes = neurons.layer("lif", backend="reference")(x)
    ones = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    ones.weight.data.fill_(1)
    side = pool(torch.zeros(1, 1, 6, 6)).shape[2:]
    expected = 0.0
    for spike in spikes.nonzero():
        at = torch.zeros(1, 1, 6, 6)
        at[0, 0, spike[3], spike[4]] = 1
        expected += 3 * float(ones((pool(at) > 0).float()).sum())
    assert counter.layers["1.1"]["acs"] == expected > 0
    assert counter.layers["1.1"]["macs"] == 0
    assert side != (6, 6)


def test_a_pool_of_uneven_windows_is_dense() -> None:
    """As that of VGG, which brings maps of 2×2 to 7×7: its values are no numbers of events."""
    layer = networks.EachStep(nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(98, 5))
    network = nn.Sequential(neurons.layer("lif", backend="reference"), layer)
    with OperationCounter(network) as counter:
        network(2 * torch.rand(2, 1, 2, 2, 2))
    assert (counter.layers["1.2"]["acs"], counter.layers["1.2"]["macs"]) == (0, 2 * 98 * 5)


def test_a_kernel_that_is_no_square_counts_as_the_square_of_its_size() -> None:
    module = nn.Conv2d(1, 2, (2, 8), (1, 4))
    with OperationCounter(module) as counter:
        module(torch.ones(1, 1, 9, 9))
    assert (counter.shapes[""]["kernel"], counter.shapes[""]["stride"]) == (4, 2)


def test_a_level_is_as_many_events() -> None:
    # three inputs of 2, −3 and 0 events into five outputs: 5·(2 + 3) accumulations; half an event needs five MACs
    module = nn.Linear(3, 5)
    levels = torch.tensor([[2.0, -3.0, 0.0]])
    assert count_synapse(module, levels, module(levels), True, 3) == {"macs": 0, "acs": 25}
    mixed = torch.tensor([[2.0, 0.5, 1.0]])
    assert count_synapse(module, mixed, module(mixed), True, 2) == {"macs": 5, "acs": 15}
    assert count_synapse(module, mixed, module(mixed), True) == {"macs": 10, "acs": 5}  # of a neuron of single spikes


def test_levels_reach_their_synapse_as_events() -> None:
    network = nn.Sequential(neurons.layer("i_lif", backend="reference"), nn.Linear(1, 10, bias=False))
    with OperationCounter(network) as counter:
        network(torch.tensor([[[2.2]], [[0.1]], [[3.8]]]))
    # u = 2.2 fires 2, leaves 0.2; 0.2 fires none; 0.1 + 3.8 = 3.9 fires 4
    assert counter.totals["acs"] == 60
    assert counter.totals["macs"] == 0
    assert (counter.totals["spikes"], counter.totals["events"]) == (2, 6)


def test_a_model_without_a_step_is_counted_by_its_own_operations() -> None:
    # PSN at T = 6: six multiplications and additions for a row of W, one addition of the bias, one comparison
    counter = OperationCounter(layer := neurons.layer("psn", 4, 6, "reference"))
    with counter:
        layer(torch.randn(6, 10, 4))
    per = {name: count / 240 for name, count in counter.totals.items()}
    assert per["neuron_multiplications"] == 6
    assert per["neuron_additions"] == pytest.approx(6 + 1, abs=1)
    assert counter.totals["state_reads"] == 0

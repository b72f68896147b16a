"""Counts of operations on networks worked out by hand, for batches of more than one sample."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import neurons
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
    assert counter.totals["macs"] / 2 == pytest.approx(557.65e6, rel=0.01)


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

"""Counts of operations and events as a run writes them: rows, samples, and what feeds what."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import neurons
import tasks
from tasks import data, networks
from tasks.energy import OperationCounter


@pytest.mark.parametrize("events", [None, False])
def test_counts_of_a_batch_are_those_of_its_samples(events: bool | None) -> None:
    torch.manual_seed(0)
    network = networks.build(
        "conv5", lambda _: neurons.layer("if", v_th=0.1, backend="reference"), (1, 8, 8), 3, 4, 4
    ).eval()
    x = 9 * torch.rand(4, 1, 8, 8)
    x[1] = (x[1] > 0.5).float()  # a sample that looks like events

    def totals(batch: torch.Tensor) -> dict[str, float]:
        with OperationCounter(network, events) as counter:
            network(batch)
        return dict(counter.totals)

    alone = [totals(sample[None]) for sample in x]
    together = totals(x)
    assert together == {metric: pytest.approx(sum(one[metric] for one in alone)) for metric in together}
    assert together["acs"] > 0


@pytest.mark.parametrize("samples", [1, 5, 128])
def test_state_accesses_of_a_sample(samples: int) -> None:
    """LIF reads and writes one state a neuron and step: 2 layers of 16 neurons, 4 steps, whatever the batch."""
    chosen = {**tasks.get("energy").settings, "width": 16, "epochs": 1, "train_samples": 8, "samples": samples}
    values = list(tasks.get("energy").run(tasks.Cell("energy", "lif", "reference", 0, chosen)))
    total = {value.metric: value.value for value in values if value.layer is None}
    assert total["state_reads"] == total["state_writes"] == 2 * 16 * 4


def test_all_rows_of_a_run() -> None:
    """Two layers of 16 neurons over 4 steps of 64 pixels: the first synapse sees an image once, the others spikes."""
    chosen = {**tasks.get("energy").settings, "width": 16, "epochs": 2, "samples": 5}
    values = list(tasks.get("energy").run(tasks.Cell("energy", "lif", "reference", 0, chosen)))
    rows = {(value.layer, value.metric): value.value for value in values}
    assert len(rows) == len(values)
    sizes = ("weights", "outputs_per_step", "channels_out", "kernel", "stride")
    for layer, fan_in, fan_out in (("synapses.0.1", 64, 16), ("synapses.1.1", 16, 16), ("readout.1", 16, 10)):
        assert [rows[layer, size] for size in sizes] == [fan_in * fan_out, fan_out, fan_out, 1, 1]
        assert rows[layer, "outputs"] == fan_out * (1 if fan_in == 64 else 4)
    feeds = {value.layer: value.detail for value in values if value.metric == "feeds"}
    assert feeds == {"synapses.0.1": "neurons.0", "synapses.1.1": "neurons.1", "readout.1": ""}
    assert rows["synapses.0.1", "macs"] == rows[None, "macs"] == 64 * 16
    for spikes, synapse in (("neurons.0", "synapses.1.1"), ("neurons.1", "readout.1")):
        assert rows[synapse, "input_spikes"] == rows[spikes, "spikes"] == rows[spikes, "events"] > 0
        assert rows[synapse, "acs"] == pytest.approx(rows[spikes, "spikes"] * rows[synapse, "channels_out"])
    assert rows[None, "acs"] == pytest.approx(rows["synapses.1.1", "acs"] + rows["readout.1", "acs"])
    assert rows[None, "parameters"] == 64 * 16 + 2 * 16 + 16 * 16 + 2 * 16 + 16 * 10 + 10


def test_the_samples_are_the_first_of_the_test_set_and_the_network_is_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trained first; counted as it is used, when batch norm no longer depends on the batch."""
    seen: list[tuple[bool, torch.Tensor]] = []
    count = OperationCounter.__enter__

    def entered(self: OperationCounter) -> OperationCounter:
        self.network.register_forward_pre_hook(lambda module, given: seen.append((module.training, given[0])))  # type: ignore[attr-defined]
        return count(self)

    init = OperationCounter.__init__

    def made(self: OperationCounter, network: nn.Module, events: bool | None = None) -> None:
        self.network = network  # type: ignore[attr-defined]
        init(self, network, events)

    monkeypatch.setattr(OperationCounter, "__init__", made)
    monkeypatch.setattr(OperationCounter, "__enter__", entered)
    chosen = {**tasks.get("energy").settings, "width": 4, "epochs": 1, "train_samples": 8, "samples": 5}
    list(tasks.get("energy").run(tasks.Cell("energy", "lif", "reference", 0, chosen)))
    ((training, inputs),) = seen
    assert not training
    assert torch.equal(inputs, data.load("digits").part("test")[0][:5])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlp", {"synapses.0.1": {"neurons.0"}, "synapses.1.1": {"neurons.1"}, "readout.1": set()}),
        (
            "resnet18",
            {
                "synapses.0.0": {"neurons.0"},
                "synapses.1.first.0": {"synapses.1.between"},
                "synapses.1.second.0": {"neurons.1"},
                "synapses.3.shortcut.0": {"neurons.3"},
                "synapses.3.second.0": {"neurons.3"},
                "readout.0.2": set(),
            },
        ),
    ],
)
def test_each_synapse_feeds_the_neurons_behind_it(name: str, expected: dict[str, set[str]]) -> None:
    network = networks.build(name, lambda _: neurons.layer("lif", backend="reference"), (1, 8, 8), 3, 2, 4).eval()
    with OperationCounter(network) as counter, torch.no_grad():
        network(torch.rand(1, 1, 8, 8))
    assert {synapse: counter.feeds[synapse] for synapse in expected} == expected
    assert set().union(*counter.feeds.values()) == {
        name for name, module in network.named_modules() if isinstance(module, neurons.NeuronLayer)
    }


def test_two_synapses_in_a_row_and_a_fork_feed_what_comes_next() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.left, self.right = neurons.layer("lif"), neurons.layer("lif")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            current = self.first(x)
            return torch.cat([self.left(current), self.right(self.second(current) + current)])

    network = Fork()
    with OperationCounter(network) as counter:
        network(torch.rand(2, 3, 4))
    assert counter.feeds == {"first": {"left", "right"}, "second": {"right"}}


def test_a_data_set_of_spikes_is_counted_as_events_and_another_is_not() -> None:
    for dataset, first in (("delayed_recall", "acs"), ("digits", "macs")):
        chosen = {**tasks.get("energy").settings, "dataset": dataset, "width": 4, "epochs": 1, "train_samples": 8}
        values = tasks.get("energy").run(tasks.Cell("energy", "lif", "reference", 0, chosen))
        counts = {value.metric: value.value for value in values if value.layer == "synapses.0.1"}
        assert counts[first] > 0
        assert counts["acs"] * counts["macs"] == 0

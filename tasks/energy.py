"""Operations of a trained network for one sample, counted (see `tasks.measuring.operations`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from tasks.base import Cell, Metric, Value
from tasks.measuring.operations import OperationCounter, count_synapse
from tasks.training.network_task import NETWORK_SETTINGS, NetworkTask, budget, prepare, train_through

__all__ = ["Energy", "OperationCounter", "count_synapse"]


class Energy(NetworkTask):
    """Operations for one sample, by kind and layer; energies are derived from them when a report is made."""

    name = "energy"
    description = "operations of a trained network for one sample: MACs, ACs, of neurons, state accesses"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"samples": 128}
    parts: ClassVar[Mapping[str, str]] = {**NetworkTask.parts, "samples": "test"}
    sources = ("training", "networks", "data", "measuring/operations.py")
    metrics = {
        "macs": Metric("1/sample", "multiply-accumulates of synapses, biases and batch norm apart", "lower"),
        "acs": Metric("1/sample", "accumulates of synapses, one an event (a level n is n) and connection", "lower"),
        "neuron_multiplications": Metric("1/sample", "multiplications and divisions of neurons", "lower"),
        "neuron_additions": Metric("1/sample", "additions and comparisons of neurons", "lower"),
        "neuron_exponentials": Metric("1/sample", "exponentials and the like of neurons", "lower"),
        "state_reads": Metric("1/sample", "state values read", "lower"),
        "state_writes": Metric("1/sample", "state values written", "lower"),
        "spikes": Metric("1/sample", "outputs of neurons that are not zero", "lower"),
        "events": Metric("1/sample", "events of neurons: spikes, each counted as often as its level says", "lower"),
        "input_spikes": Metric("1/sample", "inputs of synapses that are not zero", "lower"),
        "outputs": Metric("1/sample", "outputs of synapses", exact=True),
        "weights": Metric("1", "weights of a synapse", exact=True),
        "outputs_per_step": Metric("1", "outputs of a synapse for one frame", exact=True),
        "kernel": Metric(
            "1", "side of a convolution's kernel (of a square as large); 1 for a linear synapse", exact=True
        ),
        "stride": Metric("1", "stride of a convolution; 1 for a linear synapse", exact=True),
        "channels_out": Metric("1", "output channels of a synapse", exact=True),
        "feeds": Metric("1", "layers of neurons that a synapse feeds (detail: their names)"),
        "parameters": Metric("1", "trainable parameters of the network", "lower", exact=True),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets[:1]]

    def seeds(self, profile: str, seeds: int) -> int:
        return seeds if profile == "full" else 1

    @torch.no_grad()
    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        counter = OperationCounter(network, dataset.are_events())
        with torch.enable_grad():
            train_through(cell, dataset, network)
        network.eval()
        inputs, _ = dataset.batch(dataset.indices("test")[: cell.settings["samples"]])
        with counter:
            network(inputs)
        for metric, total in counter.totals.items():
            yield Value(metric, total / len(inputs))
        for name, shape in counter.shapes.items():
            for metric, size in shape.items():
                yield Value(metric, size, name)
        for name, fed in counter.feeds.items():
            yield Value("feeds", len(fed), name, detail=", ".join(sorted(fed)))
        for name, counts in counter.layers.items():
            for metric, count in counts.items():
                yield Value(metric, count / len(inputs), name)
        yield Value("parameters", sum(parameter.numel() for parameter in network.parameters()))

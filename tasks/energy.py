"""Operations of a network on real data, counted: the raw numbers that energy models work on.

A synapse after binary spikes needs an accumulation (AC) for each spike and connection; after other values a
multiplication with accumulation (MAC) for each connection. Neurons add their own operations and state accesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurons import NeuronLayer
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from tasks.accuracy.task import NETWORK_SETTINGS, NetworkTask, budget, prepare
from tasks.accuracy.training import Recipe, train
from tasks.base import Cell, Metric, Value

COST_METRICS = {
    "multiply": "neuron_multiplications",
    "divide": "neuron_multiplications",
    "add": "neuron_additions",
    "compare": "neuron_additions",
    "transcendental": "neuron_exponentials",
}


def count_synapse(module: nn.Conv2d | nn.Linear, x: Tensor, output: Tensor) -> dict[str, float]:
    """MACs and ACs of one synapse for inputs x [frames, *features], all frames together.

    Binary inputs: one AC for each spike and connection that exists (padding makes none). Other inputs: a MAC for each
    weight of each output, zero inputs and padding included, as a dense machine computes.
    """
    if not bool(((x == 0) | (x == 1)).all()):
        fan_in = module.weight[0].numel()
        return {"macs": float(output.numel() * fan_in), "acs": 0.0}
    return {"macs": 0.0, "acs": float(_connections(module, x))}


def _connections(module: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """The sum over inputs of x times the outputs that each reaches."""
    if isinstance(module, nn.Linear):
        return x.double().sum() * module.out_features
    summed = x.double().sum(1, keepdim=True)
    ones = torch.ones(1, 1, *module.kernel_size, dtype=torch.float64)
    padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
    return F.conv2d(summed, ones, stride=module.stride, padding=padding).sum() * module.out_channels


class OperationCounter:
    """Counts what a network does while it is entered; `totals` sums over everything that passed."""

    def __init__(self, network: nn.Module) -> None:
        self.totals: dict[str, float] = defaultdict(float)
        self.layers: dict[str, dict[str, float]] = {}
        self.shapes: dict[str, dict[str, float]] = {}
        self.network = network
        self.hooks: list[Any] = []

    def __enter__(self) -> OperationCounter:
        for name, module in self.network.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                self.hooks.append(module.register_forward_hook(self._synapse(name)))
            elif isinstance(module, NeuronLayer):
                self.hooks.append(module.register_forward_hook(self._neurons(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _synapse(self, name: str) -> Any:
        def hook(module: nn.Conv2d | nn.Linear, arguments: tuple[Tensor], output: Tensor) -> None:
            x = arguments[0]
            sizes = {"input_spikes": float((x != 0).sum()), "outputs": float(output.numel())}
            self._add(name, count_synapse(module, x, output) | sizes)
            kernel, stride = (module.kernel_size[0], module.stride[0]) if isinstance(module, nn.Conv2d) else (1, 1)
            self.shapes[name] = {
                "weights": module.weight.numel(),
                "outputs_per_step": output[0].numel(),
                "kernel": kernel,
                "stride": stride,
                "channels_out": len(module.weight),
            }

        return hook

    def _neurons(self, name: str) -> Any:
        def hook(module: NeuronLayer, arguments: tuple[Tensor], output: Tensor) -> None:
            count = float(output.numel())
            counts: dict[str, float] = defaultdict(float, {"spikes": float(output.double().sum())})
            for kind, number in cost.operations(program_of(module.neuron).forward).items():
                counts[COST_METRICS[kind]] += number * count
            counts["state_reads"] = counts["state_writes"] = len(module.neuron.states) * count
            self._add(name, counts)

        return hook

    def _add(self, name: str, counts: dict[str, float]) -> None:
        layer = self.layers.setdefault(name, defaultdict(float))
        for metric, count in counts.items():
            layer[metric] += count
            self.totals[metric] += count


class Energy(NetworkTask):
    """Operations for one sample, by kind and layer; energies are derived from them when a report is made."""

    name = "energy"
    description = "operations of a trained network for one sample: MACs, ACs, of neurons, state accesses"
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"samples": 128}
    sources = ("accuracy", "networks.py", "cache.py")
    metrics = {
        "macs": Metric("1/sample", "multiply-accumulates of synapses", "lower"),
        "acs": Metric("1/sample", "accumulates of synapses, one a spike and connection", "lower"),
        "neuron_multiplications": Metric("1/sample", "multiplications and divisions of neurons", "lower"),
        "neuron_additions": Metric("1/sample", "additions and comparisons of neurons", "lower"),
        "neuron_exponentials": Metric("1/sample", "exponentials and the like of neurons", "lower"),
        "state_reads": Metric("1/sample", "state values read", "lower"),
        "state_writes": Metric("1/sample", "state values written", "lower"),
        "spikes": Metric("1/sample", "spikes (for a ReLU: the sum of its outputs)", "lower"),
        "input_spikes": Metric("1/sample", "inputs of synapses that are not zero", "lower"),
        "outputs": Metric("1/sample", "outputs of synapses"),
        "weights": Metric("1", "weights of a synapse"),
        "outputs_per_step": Metric("1", "outputs of a synapse for one frame"),
        "kernel": Metric("1", "side of a convolution's kernel; 1 for a linear synapse"),
        "stride": Metric("1", "stride of a convolution; 1 for a linear synapse"),
        "channels_out": Metric("1", "output channels of a synapse"),
        "parameters": Metric("1", "trainable parameters of the network", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [budget(profile, dataset) for dataset in datasets[:1]]

    def seeds(self, profile: str, seeds: int) -> int:
        return seeds if profile == "full" else 1

    @torch.no_grad()
    def run(self, cell: Cell) -> Iterator[Value]:
        dataset, network = prepare(cell)
        with torch.enable_grad():
            recipe = Recipe.from_settings(dict(cell.settings))
            for _ in train(network, dataset, recipe, cell.settings["train_samples"], cell.seed):
                pass
        network.eval()
        inputs = dataset.part("test")[0][: cell.settings["samples"]]
        with OperationCounter(network) as counter:
            network(inputs)
        for metric, total in counter.totals.items():
            yield Value(metric, total / len(inputs))
        for name, shape in counter.shapes.items():
            for metric, size in shape.items():
                yield Value(metric, size, name)
        for name, counts in counter.layers.items():
            for metric, count in counts.items():
                yield Value(metric, count / len(inputs), name)
        yield Value("parameters", sum(parameter.numel() for parameter in network.parameters()))

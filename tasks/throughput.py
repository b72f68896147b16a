"""Speed: a layer of neurons alone, and a whole network in training.

All neurons and backends of one size are measured in one process, in interleaved rounds, beside a plain copy of the
input. So ratios hold while the machine's speed drifts, and each time is also a share of the memory bandwidth's limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from tasks.accuracy.task import NETWORK_SETTINGS, budget, prepare
from tasks.accuracy.training import LOSSES, Recipe, read_out
from tasks.base import Cell, Metric, Task, Value
from tasks.workload import LayerWorkload

LIMIT_COPIES = {"forward": 1.0, "forward_backward": 2.5}
"""The least memory traffic in copies of the input (a copy reads and writes it): forward reads it and writes the
output; backward reads input and output gradient and writes the input gradient."""

MINIMUM_SECONDS = 0.002
"""A measured sample repeats its work until it lasts at least this long."""


@dataclass(frozen=True)
class Spread:
    """Seconds of one call over the rounds: median, 20th and 80th percentile."""

    p20: float
    p50: float
    p80: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0])
        cuts = statistics.quantiles(seconds, n=10, method="inclusive")
        return cls(cuts[1], statistics.median(seconds), cuts[7])


def interleave(works: Mapping[Hashable, Callable[[], object]], rounds: int) -> dict[Hashable, Spread]:
    """Time each work once a round, in turn, after one warm-up; the spread of its seconds over the rounds."""
    repeats = {}
    for key, work in works.items():
        work()
        once = _timed(work, 1)
        repeats[key] = max(1, round(MINIMUM_SECONDS / max(once, 1e-9)))
    seconds: dict[Hashable, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            seconds[key].append(_timed(work, repeats[key]))
    return {key: Spread.of(values) for key, values in seconds.items()}


def _timed(work: Callable[[], object], repeats: int) -> float:
    _synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    _synchronize()
    return (time.perf_counter() - started) / repeats


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Throughput(Task):
    """Nanoseconds per neuron and time step, and training samples per second."""

    name = "throughput"
    description = "time per neuron and step of a layer alone; training samples per second of a network"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = NETWORK_SETTINGS | {"workload": "layer", "elements": 1 << 19, "rounds": 7}
    sources = ("workload.py", "accuracy", "networks.py", "cache.py")
    metrics = {
        "forward_time": Metric("ns/element-step", "forward without gradient, median of rounds", "lower"),
        "forward_backward_time": Metric("ns/element-step", "forward and backward, median of rounds", "lower"),
        "forward_backward_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_backward_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_limit": Metric("1", "forward time over the time of 1 copy of the input", "lower"),
        "forward_backward_limit": Metric(
            "1", "forward + backward time over the time of 2.5 copies of the input", "lower"
        ),
        "copy_bandwidth": Metric("GB/s", "bytes read and written by a copy of the input, same rounds"),
        "training_speed": Metric("samples/s", "training of the network with all threads, median of rounds", "higher"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        if profile == "smoke":
            return [{"timesteps": 4, "elements": 1 << 12, "rounds": 3}]
        sizes = (
            [(8, 1 << 19), (64, 1 << 15)]
            if profile == "quick"
            else [(timesteps, elements) for timesteps in (1, 4, 8, 32, 100) for elements in (1 << 12, 1 << 16, 1 << 19)]
        )
        layers = [{"timesteps": timesteps, "elements": elements} for timesteps, elements in sizes]
        trained = [budget(profile, dataset) | {"workload": "network"} for dataset in datasets]
        return layers + trained

    def batch(self, cell: Cell) -> Hashable:
        return tuple(sorted((key, value) for key, value in cell.settings.items()))

    def run(self, cell: Cell) -> Iterator[Value]:
        for _, result in self.run_batch([cell]):
            if isinstance(result, Exception):
                raise result
            yield from result

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        measure = _measure_networks if cells[0].settings["workload"] == "network" else _measure_layers
        yield from measure(cells)


def _measure_layers(cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
    workloads: dict[int, LayerWorkload] = {}
    for index, cell in enumerate(cells):
        try:
            gate(cell.neuron, cell.backend, cell.settings["protocol"])
            workloads[index] = LayerWorkload.of(cell)
        except Exception as error:
            workloads.pop(index, None)
            yield cell, error
    if not workloads:
        return
    first = next(iter(workloads.values()))
    source, target = first.x.detach(), torch.empty_like(first.x)
    works: dict[Hashable, Callable[[], object]] = {"copy": lambda: target.copy_(source)}
    for index, workload in workloads.items():
        works[index, "forward"] = workload.forward
        works[index, "forward_backward"] = workload.forward_backward
    times = interleave(works, cells[0].settings["rounds"])
    for index, workload in workloads.items():
        yield cells[index], list(_layer_values(index, workload, times))


def _layer_values(index: int, workload: LayerWorkload, times: Mapping[Hashable, Spread]) -> Iterator[Value]:
    copy = times["copy"].p50
    per_element_step = 1e9 / workload.element_steps
    for direction, copies in LIMIT_COPIES.items():
        spread = times[index, direction]
        yield Value(f"{direction}_time", spread.p50 * per_element_step)
        yield Value(f"{direction}_limit", spread.p50 / (copies * copy))
    both = times[index, "forward_backward"]
    yield Value("forward_backward_time_p20", both.p20 * per_element_step)
    yield Value("forward_backward_time_p80", both.p80 * per_element_step)
    yield Value("copy_bandwidth", 2 * workload.x.nbytes / copy / 1e9)


def _measure_networks(cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
    works: dict[Hashable, Callable[[], object]] = {}
    for index, cell in enumerate(cells):
        try:
            works[index] = _training_step(cell)
            works[index]()
        except Exception as error:
            works.pop(index, None)
            yield cell, error
    times = interleave(works, cells[0].settings["rounds"])
    for index, cell in enumerate(cells):
        if index in times:
            yield cell, [Value("training_speed", cell.settings["batch_size"] / times[index].p50)]


def _training_step(cell: Cell) -> Callable[[], object]:
    dataset, network = prepare(cell)
    recipe = Recipe.from_settings(dict(cell.settings))
    optimizer = recipe.make_optimizer(network)
    inputs, labels = dataset.part("train")
    repeated = torch.arange(recipe.batch_size) % len(labels)
    x, y = inputs[repeated], labels[repeated]

    def step() -> None:
        loss = LOSSES[recipe.loss](read_out(network(x), dataset.readout), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step

"""Speed of a layer of neurons alone.

All neurons and backends of one size are measured in one process, in interleaved rounds, beside a plain copy of the
input and the baseline. So ratios hold while the machine's speed drifts, each time is also a share of the memory
bandwidth's limit, and a neuron that is measured later than others can be held against them by its ratio. On a card the
device's events measure, inputs come from beyond its cache, and small sizes, whose time is that of their launches, are
timed once more as a CUDA graph that is replayed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from neurons.normalized import NormalizedLayer
from tasks.base import Cell, InterleavedTask, Metric, Range, Value
from tasks.measuring import devices
from tasks.measuring.executed import Executed, check, executed
from tasks.measuring.predicted import predicted_time
from tasks.measuring.timing import CARD_METRICS, COPY_WORK, CardWatch, Spread, add_baseline, interleave, spread_values
from tasks.measuring.workload import DTYPE_RANGE, NORM_RANGE, LayerWorkload

LIMIT_COPIES = {"forward": 1.0, "forward_backward": 2.5}
"""The least memory traffic in copies of the input (a copy reads and writes it): forward reads it and writes the
output; backward reads input and output gradient and writes the input gradient."""
OVER = "over that of LIF by the fused kernel in the same rounds, median"


class Throughput(InterleavedTask):
    """Nanoseconds per neuron and time step of a layer alone."""

    name = "throughput"
    description = "time per neuron and step of a layer alone, beside the memory bandwidth's limit"
    main = True
    exclusive = True
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 8,
        "elements": 1 << 19,
        "rounds": 7,
        "dtype": "float32",
        "norm": "none",
        "protocol": "controlled",
    }
    ranges: ClassVar[dict[str, Range]] = {**DTYPE_RANGE, **NORM_RANGE}
    sources = (
        *("measuring/workload.py", "measuring/timing.py", "measuring/executed.py", "measuring/devices.py"),
        "measuring/predicted.py",
    )
    metrics = {
        "forward_time": Metric("ns/element-step", "forward without gradient, median of rounds", "lower"),
        "forward_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_backward_time": Metric("ns/element-step", "forward and backward, median of rounds", "lower"),
        "forward_backward_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_backward_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_time_over_baseline": Metric("1", f"forward {OVER}", "lower"),
        "forward_time_over_baseline_p20": Metric("1", "20th percentile of the rounds", "lower"),
        "forward_time_over_baseline_p80": Metric("1", "80th percentile of the rounds", "lower"),
        "forward_backward_time_over_baseline": Metric("1", f"forward and backward {OVER}", "lower"),
        "forward_backward_time_over_baseline_p20": Metric("1", "20th percentile of the rounds", "lower"),
        "forward_backward_time_over_baseline_p80": Metric("1", "80th percentile of the rounds", "lower"),
        "norm_apart_time": Metric(
            "ns/element-step", "norm=batch: forward and backward of norm and neurons as two layers", "lower"
        ),
        "norm_apart_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "norm_apart_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "norm_apart_over_inside": Metric("1", "that time over the norm's inside of the layer, same rounds, median"),
        "norm_apart_over_inside_p20": Metric("1", "20th percentile of the rounds"),
        "norm_apart_over_inside_p80": Metric("1", "80th percentile of the rounds"),
        "forward_limit": Metric("1", "forward time over the time of 1 copy of the input", "lower"),
        "forward_backward_limit": Metric("1", "both over the time of 2.5 copies of the input", "lower"),
        "forward_graph_time": Metric(
            "ns/element-step", "forward, replayed as a CUDA graph on one input: without launches", "lower"
        ),
        "forward_graph_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_graph_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_backward_graph_time": Metric(
            "ns/element-step", "forward and backward, replayed as a CUDA graph on one input: without launches", "lower"
        ),
        "forward_backward_graph_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_backward_graph_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_backward_predicted_time": Metric(
            "ns/element-step", "predicted for this card from the machine code of both kernels; no measurement"
        ),
        **CARD_METRICS,
        "copy_bandwidth": Metric("GB/s", "bytes read and written by a copy of the input, same rounds"),
        "operations": Metric(
            "1/element-step", "operations of a step and its adjoint, counted on their graphs", exact=True
        ),
        "least_bytes": Metric("B/element-step", "the least that forward and backward must move", exact=True),
        "kernel_calls": Metric(
            "1", "operations of forward and backward, by the profiler (detail: which)", "lower", exact=True
        ),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        if profile == "smoke":
            return [{"timesteps": 4, "elements": 1 << 12, "rounds": 3}]
        if profile == "quick":
            return [{"timesteps": 8, "elements": 1 << 19}, {"timesteps": 64, "elements": 1 << 15}]
        lengths, sizes = (1, 4, 8, 32, 100), (1 << 12, 1 << 16, 1 << 19)
        return [{"timesteps": timesteps, "elements": elements} for timesteps in lengths for elements in sizes]

    def batch(self, cell: Cell) -> Hashable:
        """Models with other constants still share the rounds."""
        return tuple(cell.settings[name] for name in ("timesteps", "elements", "rounds", "dtype", "norm"))

    def run_batch(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Value] | Exception]]:
        workloads: dict[Hashable, LayerWorkload] = {}
        ran: dict[int, Executed] = {}
        for index, cell in enumerate(cells):
            try:
                workloads[index], ran[index] = _prepared(cell)
            except Exception as error:
                yield cell, error
        if not workloads:
            return
        first = next(iter(workloads.values()))
        device = first.x.device
        baseline, missing = add_baseline(cells, workloads, device, lambda own: _prepared(own)[0])
        works: dict[Hashable, Callable[[], object]] = {COPY_WORK: _copies(first)}
        for key, workload in workloads.items():
            works |= {(key, name): work for name, work in _works(workload).items()}
        watch = CardWatch(device)
        times = interleave(works, cells[0].settings["rounds"], device, watch.look)
        for index, found in ran.items():
            values = [*_layer_values(index, workloads[index], times, baseline, missing), *_counted(workloads[index])]
            yield cells[index], [*values, *watch.values(), Value("kernel_calls", found.calls, detail=str(found))]


def _copies(workload: LayerWorkload) -> Callable[[], object]:
    """A copy of the input, each call of another of its copies into another place."""
    sources = [x.detach() for x in workload.inputs]
    pairs = itertools.cycle([(torch.empty_like(source), source) for source in sources])

    def copy() -> None:
        target, source = next(pairs)
        target.copy_(source)

    return copy


LAUNCH_BOUND = 1 << 22
"""Neurons × steps up to which a card's time may be that of its launches."""


def _works(workload: LayerWorkload) -> dict[str, Callable[[], object]]:
    """What is timed, by the name of its metric without `_time`."""
    works: dict[str, Callable[[], object]] = {
        "forward": workload.forward,
        "forward_backward": workload.forward_backward,
    }
    if isinstance(workload.layer, NormalizedLayer):
        works["norm_apart"] = workload.apart
    if workload.element_steps <= LAUNCH_BOUND:
        device = workload.x.device
        for name, work in list(works.items()):
            try:
                replayed = devices.of(device).replayable(device, work)
            except RuntimeError as error:
                print(f"{name} of {workload.layer.neuron.name} cannot be recorded as a graph: {error}")
                continue
            if replayed is not None:
                works[f"{name}_graph"] = replayed
    return works


def _prepared(cell: Cell) -> tuple[LayerWorkload, Executed]:
    """The workload of a cell, after its kernels were held against the reference and seen to run."""
    gate(cell.neuron_layer, cell.torch_device)
    workload = LayerWorkload.of(cell, beyond_cache=True)
    workload.forward()
    workload.forward_backward()
    found = executed(workload.forward_backward)
    check(cell.backend, found, workload.layer.neuron)
    return workload, found


def _layer_values(
    index: int, workload: LayerWorkload, times: Mapping[Hashable, Spread], baseline: Hashable, missing: str
) -> Iterator[Value]:
    copy = times[COPY_WORK].p50
    for direction, copies in LIMIT_COPIES.items():
        spread = times[index, direction]
        yield from spread_values(f"{direction}_time", spread, 1e9 / workload.element_steps)
        yield Value(f"{direction}_limit", spread.p50 / (copies * copy))
        if (baseline, direction) in times:
            yield from spread_values(f"{direction}_time_over_baseline", spread.over(times[baseline, direction]))
        if (index, f"{direction}_graph") in times:
            graph = times[index, f"{direction}_graph"]
            yield from spread_values(f"{direction}_graph_time", graph, 1e9 / workload.element_steps)
    if (index, "norm_apart") in times:
        apart = times[index, "norm_apart"]
        yield from spread_values("norm_apart_time", apart, 1e9 / workload.element_steps)
        yield from spread_values("norm_apart_over_inside", apart.over(times[index, "forward_backward"]))
    if (predicted := predicted_time(workload)) is not None:
        yield Value("forward_backward_predicted_time", predicted[0], detail=predicted[1])
    yield Value("copy_bandwidth", 2 * workload.x.nbytes / copy / 1e9, detail=missing)


def _counted(workload: LayerWorkload) -> Iterator[Value]:
    """What a fused kernel computes and must move; nothing for other backends, and with a norm inside."""
    if workload.layer.backend not in ("cpu", "triton") or isinstance(workload.layer, NormalizedLayer):
        return
    program, item = program_of(workload.layer.neuron), workload.x.element_size()
    yield Value("operations", sum(cost.kernel_operations(program, kernel) for kernel in cost.LEAST_TENSORS))
    yield Value("least_bytes", sum(cost.least_bytes(kernel, item) for kernel in cost.LEAST_TENSORS))

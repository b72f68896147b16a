"""Speed of a layer of neurons alone.

All neurons and backends of one size are measured in one process, in interleaved rounds, beside a plain copy of the
input and the baseline. So ratios hold while the machine's speed drifts, each time is also a share of the memory
bandwidth's limit, and a neuron that is measured later than others can be held against them by its ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from tasks.base import Cell, InterleavedTask, Metric, Value
from tasks.measuring.executed import Executed, check, executed
from tasks.measuring.timing import COPY_WORK, Spread, add_baseline, interleave, spread_values
from tasks.measuring.workload import DTYPE_RANGE, LayerWorkload

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
        "protocol": "controlled",
    }
    ranges = DTYPE_RANGE
    sources = ("measuring/workload.py", "measuring/timing.py", "measuring/executed.py")
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
        "forward_limit": Metric("1", "forward time over the time of 1 copy of the input", "lower"),
        "forward_backward_limit": Metric("1", "both over the time of 2.5 copies of the input", "lower"),
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
        return tuple(cell.settings[name] for name in ("timesteps", "elements", "rounds", "dtype"))

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
        baseline, missing = add_baseline(cells, workloads, first.x.device, lambda own: _prepared(own)[0])
        source, target = first.x.detach(), torch.empty_like(first.x)
        works: dict[Hashable, Callable[[], object]] = {COPY_WORK: lambda: target.copy_(source)}
        for key, workload in workloads.items():
            works[key, "forward"] = workload.forward
            works[key, "forward_backward"] = workload.forward_backward
        times = interleave(works, cells[0].settings["rounds"])
        for index, found in ran.items():
            values = [*_layer_values(index, workloads[index], times, baseline, missing), *_counted(workloads[index])]
            yield cells[index], [*values, Value("kernel_calls", found.calls, detail=str(found))]


def _prepared(cell: Cell) -> tuple[LayerWorkload, Executed]:
    """The workload of a cell, after its kernels were held against the reference and seen to run."""
    gate(cell.neuron_layer)
    workload = LayerWorkload.of(cell)
    workload.forward()
    workload.forward_backward()
    found = executed(workload.forward_backward)
    check(cell.backend, found)
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
    yield Value("copy_bandwidth", 2 * workload.x.nbytes / copy / 1e9, detail=missing)


def _counted(workload: LayerWorkload) -> Iterator[Value]:
    """What a fused kernel computes and must move; nothing for other backends."""
    if workload.layer.backend not in ("cpu", "triton"):
        return
    program, item = program_of(workload.layer.neuron), workload.x.element_size()
    yield Value("operations", sum(cost.kernel_operations(program, kernel) for kernel in cost.LEAST_TENSORS))
    yield Value("least_bytes", sum(cost.least_bytes(kernel, item) for kernel in cost.LEAST_TENSORS))

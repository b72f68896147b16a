"""Speed of a layer of neurons alone.

All neurons and backends of one size are measured in one process, in interleaved rounds, beside a plain copy of the
input. So ratios hold while the machine's speed drifts, and each time is also a share of the memory bandwidth's limit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch

from neurons.conformance import gate
from neurons.kernels import cost
from neurons.kernels.trace import program_of
from tasks.base import Cell, InterleavedTask, Metric, Value
from tasks.executed import Executed, check, executed
from tasks.timing import Spread, interleave
from tasks.workload import LayerWorkload

LIMIT_COPIES = {"forward": 1.0, "forward_backward": 2.5}
"""The least memory traffic in copies of the input (a copy reads and writes it): forward reads it and writes the
output; backward reads input and output gradient and writes the input gradient."""


class Throughput(InterleavedTask):
    """Nanoseconds per neuron and time step of a layer alone."""

    name = "throughput"
    description = "time per neuron and step of a layer alone, beside the memory bandwidth's limit"
    exclusive = True
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 8,
        "elements": 1 << 19,
        "rounds": 7,
        "dtype": "float32",
        "protocol": "controlled",
    }
    sources = ("workload.py", "timing.py", "executed.py")
    metrics = {
        "forward_time": Metric("ns/element-step", "forward without gradient, median of rounds", "lower"),
        "forward_backward_time": Metric("ns/element-step", "forward and backward, median of rounds", "lower"),
        "forward_backward_time_p20": Metric("ns/element-step", "20th percentile of the rounds", "lower"),
        "forward_backward_time_p80": Metric("ns/element-step", "80th percentile of the rounds", "lower"),
        "forward_limit": Metric("1", "forward time over the time of 1 copy of the input", "lower"),
        "forward_backward_limit": Metric("1", "both over the time of 2.5 copies of the input", "lower"),
        "copy_bandwidth": Metric("GB/s", "bytes read and written by a copy of the input, same rounds"),
        "operations": Metric("1/element-step", "operations of a step and its adjoint, counted on their graphs"),
        "least_bytes": Metric("B/element-step", "the least that forward and backward must move"),
        "kernel_calls": Metric("1", "operations of forward and backward, by the profiler (detail: which)", "lower"),
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
        workloads: dict[int, LayerWorkload] = {}
        ran: dict[int, Executed] = {}
        for index, cell in enumerate(cells):
            try:
                gate(cell.neuron_layer)
                workload = LayerWorkload.of(cell)
                workload.forward()
                workload.forward_backward()
                ran[index] = executed(workload.forward_backward)
                check(cell.backend, ran[index])
            except Exception as error:
                yield cell, error
            else:
                workloads[index] = workload
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
            values = [*_layer_values(index, workload, times), *_counted(workload)]
            yield cells[index], [*values, Value("kernel_calls", ran[index].calls, detail=str(ran[index]))]


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


def _counted(workload: LayerWorkload) -> Iterator[Value]:
    """What a fused kernel computes and must move; nothing for other backends."""
    if workload.layer.backend not in ("cpu", "triton"):
        return
    program, item = program_of(workload.layer.neuron), workload.x.element_size()
    yield Value("operations", sum(cost.kernel_operations(program, kernel) for kernel in cost.LEAST_TENSORS))
    yield Value("least_bytes", sum(cost.least_bytes(kernel, item) for kernel in cost.LEAST_TENSORS))

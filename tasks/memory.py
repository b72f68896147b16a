"""Memory of one layer of neurons: what it keeps for the backward pass, and the peak of a process that runs it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from neurons.conformance import gate
from neurons.kernels.cpu import pool
from tasks.base import Cell, Metric, Task, Value
from tasks.measuring.workload import CHANNELS, DTYPE_RANGE, LayerWorkload


def saved_bytes(forward: Callable[[], Tensor], parameters: Sequence[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass of `forward`, each storage once, parameters left out."""
    storages: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    kept: list[Tensor] = []  # holds each tensor, so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor.detach())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(storages.values())


def peak_bytes(work: Callable[[], None], device: torch.device) -> int:
    """Peak memory during `work` above what was in use before: of the device, or of this process on a CPU.

    The process's peak is the kernel's high-water mark, reset first (Linux).
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    return_free_memory()
    Path("/proc/self/clear_refs").write_text("5")
    before = _process_bytes("VmRSS")
    work()
    return max(0, _process_bytes("VmHWM") - before)


def return_free_memory() -> None:
    """Give freed memory back, or reuse of it would hide from the peak (musl's C library keeps none)."""
    pool.release()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _process_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


class Memory(Task):
    """Bytes per element-step (one neuron, one time step) of a layer alone, forward and backward."""

    name = "memory"
    description = "bytes saved for backward and peak memory, per neuron and time step"
    main = True
    exclusive = True
    settings: ClassVar[dict[str, Any]] = {
        "timesteps": 8,
        "elements": 1 << 20,
        "dtype": "float32",
        "protocol": "controlled",
    }
    ranges = DTYPE_RANGE
    sources = ("measuring/workload.py",)
    metrics = {
        "saved_bytes": Metric("B/element-step", "kept for backward by autograd", "lower", exact=True),
        "peak_bytes": Metric(
            "B/element-step", "peak of forward + backward above the input, in its own process", "lower"
        ),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        if profile == "smoke":
            return [{"timesteps": 4, "elements": 1 << 14}]
        return [{"timesteps": timesteps, "elements": (1 << 23) // timesteps} for timesteps in (8, 64)]

    def run(self, cell: Cell) -> Iterator[Value]:
        gate(cell.neuron_layer)
        small = replace(cell, settings={**cell.settings, "elements": CHANNELS})
        LayerWorkload.of(small).forward_backward()  # libraries and thread pools start outside the measurement
        workload = LayerWorkload.of(cell)
        peak = peak_bytes(workload.forward_backward, workload.x.device)
        parameters = list(workload.layer.parameters())
        saved = saved_bytes(lambda: workload.layer(workload.x), parameters)
        yield Value("saved_bytes", saved / workload.element_steps)
        yield Value("peak_bytes", peak / workload.element_steps)

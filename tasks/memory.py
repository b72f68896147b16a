"""Memory of one layer of neurons: what it keeps for the backward pass, and the peak of a process that runs it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from neurons.conformance import gate
from neurons.kernels.cpu import pool
from tasks.base import Cell, Metric, Task, Value
from tasks.measuring import devices
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


@dataclass(frozen=True)
class Peak:
    """Bytes above what was in use before.

    Attributes:
        allocated: by tensors of a device, or by this process.
        reserved: by torch's allocator of the device, with what it keeps for later; None for a process.
    """

    allocated: int
    reserved: int | None = None


def peak_bytes(work: Callable[[], object], device: torch.device) -> Peak:
    """Peak memory during `work`: of the device, or of this process where a device has no memory of its own.

    The process's peak is the kernel's high-water mark, reset first (Linux).
    """
    of_device = devices.of(device).peak_bytes(device, work)
    if of_device is not None:
        return Peak(*of_device)
    return_free_memory()
    Path("/proc/self/clear_refs").write_text("5")
    before = _process_bytes("VmRSS")
    work()
    return Peak(max(0, _process_bytes("VmHWM") - before))


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
    sources = ("measuring/workload.py", "measuring/devices.py")
    metrics = {
        "saved_bytes": Metric("B/element-step", "kept for backward by autograd", "lower", exact=True),
        "peak_bytes": Metric(
            "B/element-step", "peak of forward + backward above the input, in its own process", "lower"
        ),
        "peak_reserved_bytes": Metric("B/element-step", "the same as reserved by the card's allocator", "lower"),
    }

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        if profile == "smoke":
            return [{"timesteps": 4, "elements": 1 << 14}]
        return [{"timesteps": timesteps, "elements": (1 << 23) // timesteps} for timesteps in (8, 64)]

    def run(self, cell: Cell) -> Iterator[Value]:
        gate(cell.neuron_layer, cell.torch_device)
        small = replace(cell, settings={**cell.settings, "elements": CHANNELS})
        LayerWorkload.of(small).forward_backward()  # libraries and thread pools start outside the measurement
        workload = LayerWorkload.of(cell)
        peak = peak_bytes(workload.forward_backward, workload.x.device)
        parameters = list(workload.layer.parameters())
        saved = saved_bytes(lambda: workload.layer(workload.x), parameters)
        yield Value("saved_bytes", saved / workload.element_steps)
        yield Value("peak_bytes", peak.allocated / workload.element_steps)
        if peak.reserved is not None:
            yield Value("peak_reserved_bytes", peak.reserved / workload.element_steps)

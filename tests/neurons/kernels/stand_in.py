"""A card that is not there: launches run through Triton's own path up to the driver, which notes them.

Triton types and packs the arguments, compiles for the target, and asks this driver to launch. What a real driver would
turn down (a grid beyond its limits, more registers or shared memory than a processor has) raises here. Nothing is
computed; tensors of the CPU stand for the card's, whose memory is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import triton

from neurons.kernels.gpu import machine_code
from neurons.kernels.gpu.cards import CARDS

LARGEST_GRID = (2**31 - 1, 65_535, 65_535)
"""CUDA C++ Programming Guide, technical specifications."""
SHARED_BYTES = 232_448
"""That a program may ask for on compute capability 9.0."""


class Refused(RuntimeError):
    """The driver of a real card would not launch this."""


@dataclass(frozen=True)
class Launched:
    """One launch; `compiled`: no kernel of this process fitted."""

    kernel: str
    grid: tuple[int, int, int]
    warps: int
    registers: int
    spills: int
    device: int
    compiled: bool


class StandIn:
    """What Triton asks of a driver, and of its utilities."""

    def __init__(self, target: str) -> None:
        self.target = CARDS[target].target
        self.card = CARDS[target]
        self.launches: list[Launched] = []
        self.device = 0
        self.utils = self
        self._fresh = False
        self.launcher_cls = lambda source, metadata: lambda *given: self._launch(metadata, *given)

    def get_current_target(self) -> Any:
        return self.target

    def get_current_device(self) -> int:
        return self.device

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": SHARED_BYTES, "multiprocessor_count": self.card.processors, "warpSize": 32}

    def load_binary(self, name: str, binary: bytes, shared: int, device: int) -> tuple[Any, ...]:
        code = machine_code.of_cuda(binary)
        self._fresh = True
        return object(), code, code.registers, code.spills, 1024

    def unload_module(self, module: object) -> None:
        pass

    def _launch(self, metadata: Any, x: int, y: int, z: int, stream: int, code: Any, *rest: Any) -> None:
        if any(not 1 <= size <= most for size, most in zip((x, y, z), LARGEST_GRID, strict=True)):
            raise Refused(f"a grid of {(x, y, z)}")
        if not self.card.resident_warps(code.registers, metadata.num_warps, metadata.shared):
            raise Refused(f"{code.registers} registers, {metadata.shared} B shared")
        found = metadata.name, (x, y, z), metadata.num_warps, code.registers, code.spills, self.device, self._fresh
        self.launches.append(Launched(*found))
        self._fresh = False


@contextmanager
def stand_in(target: str = "cuda:90") -> Iterator[StandIn]:
    """In here Triton launches on a card that is not there."""
    driver, before = StandIn(target), triton.runtime.driver._active
    triton.runtime.driver.set_active(driver)
    try:
        yield driver
    finally:
        triton.runtime.driver._active = before

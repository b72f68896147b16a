"""What a card of NVIDIA tells of itself through NVML: driver, clock, temperature, power and the energy it has used.

It needs the package nvidia-ml-py (`pip install 'neuron-suite[gpu]'`). Where that, the library or a counter is missing,
every function returns None: nothing is estimated in its place.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

R = TypeVar("R")
DRIVER_FILE = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Reading:
    """One look at a card; None for what it does not tell.

    Attributes:
        clock_mhz: of its multiprocessors.
        temperature_c: of the chip.
        power_w: drawn by the board.
    """

    clock_mhz: int | None
    temperature_c: int | None
    power_w: float | None


@cache
def _library() -> Any | None:
    """The module pynvml, with NVML started; None where either is missing."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _asked(question: Callable[[Any], R]) -> R | None:
    """The answer of NVML, or None if it has none."""
    library = _library()
    if library is None:
        return None
    try:
        return question(library)
    except library.NVMLError:
        return None


def driver_version() -> str | None:
    """Of the kernel's driver, which says it in a file too."""
    told = _asked(lambda nvml: _text(nvml.nvmlSystemGetDriverVersion()))
    with contextlib.suppress(OSError):
        found = re.search(r"Module\s+(?:for \S+\s+)?(\d+(?:\.\d+)+)", DRIVER_FILE.read_text())
        return told or (found[1] if found else None)
    return told


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@cache
def _handle(uuid: str) -> Any | None:
    """The card of that UUID, as torch writes it, without NVML's prefix."""
    with contextlib.suppress(UnicodeEncodeError):
        name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        return _asked(lambda nvml: nvml.nvmlDeviceGetHandleByUUID(name))
    return None


def reading(uuid: str | None) -> Reading | None:
    """Clock, temperature and power of a card at this moment."""
    handle = None if uuid is None else _handle(uuid)
    if handle is None:
        return None
    milliwatts = _asked(lambda nvml: nvml.nvmlDeviceGetPowerUsage(handle))
    return Reading(
        clock_mhz=_asked(lambda nvml: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
        temperature_c=_asked(lambda nvml: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        power_w=None if milliwatts is None else milliwatts / 1e3,
    )


def joules(uuid: str | None) -> float | None:
    """What a card has used since its driver was loaded, by its own counter (Volta and later)."""
    handle = None if uuid is None else _handle(uuid)
    if handle is None:
        return None
    millijoules = _asked(lambda nvml: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    return None if millijoules is None else millijoules / 1e3

"""The machine that a run happens on, and what is installed there."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import torch


@cache
def describe() -> dict[str, str | int]:
    """CPU model, usable cores, memory in GiB, and the GPU with its driver if there is one."""
    facts: dict[str, str | int] = {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def installed_version(package: str) -> str | None:
    """The version of an installed package; None if it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CPUINFO = Path("/proc/cpuinfo")


def _cpu_model() -> str:
    """The processor's name; by its family and model too, as virtual machines of several generations share a name."""
    if CPUINFO.exists():
        lines = (line.split(":", 1) for line in CPUINFO.read_text().splitlines() if ":" in line)
        facts: dict[str, str] = {}
        for name, value in lines:
            facts.setdefault(name.strip(), value.strip())
        if "model name" in facts:
            numbers = [f"{key.removeprefix('cpu ')} {facts[key]}" for key in ("cpu family", "model") if key in facts]
            return facts["model name"] + (f" ({', '.join(numbers)})" if numbers else "")
    return platform.processor() or platform.machine()

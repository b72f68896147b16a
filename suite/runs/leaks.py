"""What a batch of cells leaves in its process: a worker of which something is left is not used for another."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tasks.measuring.devices import resident_bytes

MEMORY = 1 << 29
"""Bytes that a process may hold beyond what it began with: caches of data sets and compiled kernels are of use."""


@dataclass(frozen=True)
class State:
    """What a process is like before its first cell.

    Attributes:
        switches: settings of the process that decide what code does, by what they are.
        resident: bytes of memory.
        generators: the states of the generators of random numbers of Python, numpy and torch.
    """

    switches: dict[str, Any]
    resident: int
    generators: tuple[Any, Any, torch.Tensor]

    @classmethod
    def here(cls) -> State:
        """Of this process, now. Garbage of what was imported is not looked for again, which makes collecting quick."""
        gc.collect()
        gc.freeze()
        return cls(_switches(), _held(), (random.getstate(), np.random.get_state(), torch.get_rng_state()))

    def leaks(self) -> list[str]:
        """What the cells since then have left."""
        gc.collect()
        now = _switches()
        found = [name for name, value in self.switches.items() if now[name] != value]
        found += ["a thread"] if threading.active_count() > 1 else []
        return found + (["memory"] if _held() - self.resident > MEMORY else [])

    def restore(self) -> None:
        """Draw the same random numbers again as the first cell could."""
        python, numpy, of_torch = self.generators
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(of_torch)


def _switches() -> dict[str, Any]:
    return {
        "the default dtype": torch.get_default_dtype(),
        "the default device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "autocast": torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "precision of products": torch.get_float32_matmul_precision(),
        "anomaly detection": torch.is_anomaly_enabled(),
        "numpy's errors": np.geterr(),
        "the working directory": _folder(),
        "the environment": dict(os.environ),
        "the import path": list(sys.path),
        "handlers of signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "the recursion limit": sys.getrecursionlimit(),
    }


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _held() -> int:
    """Bytes of memory of this process; 0 where the system does not say."""
    return resident_bytes() or 0

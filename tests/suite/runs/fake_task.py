"""A neuron file that also brings a task whose cells misbehave on request, for the tests of runs. Cells take no time.

`FAKE_CELLS=4 python -m suite run --neuron-file F.py --neurons faked --tasks fake --set mode=hang`
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar

import torch

import tasks
from neurons import Neuron, register
from tasks import Cell, Metric, Task, Value


@register
class Faked(Neuron):
    """A neuron to measure, which no task of the suite is asked for."""

    def step(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.spike(x - self.v_th),)


def _child(*, session: bool) -> None:
    """Leave a process behind that sleeps for an hour and shares the pipe of results."""
    if os.fork() == 0:
        if session:
            os.setsid()
            if os.fork():
                os._exit(0)
        time.sleep(3600)


def _raise() -> None:
    raise ValueError("the cause\nin two lines")


def _print() -> None:
    print("text of the cell")
    os.write(2, b"text of a library\n")


def _noise() -> None:
    for _ in range(20):
        print("x" * 100_000)


def _oblivion() -> None:
    print("before the end")
    sys.stdout.flush()
    os.abort()


KEPT: list[Any] = []
"""What cells do not let go of."""


DEEDS: dict[str, Callable[[], Any]] = {
    "ok": lambda: None,
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "environment": lambda: os.environ.update(OF_A_CELL="1"),
    "folder": lambda: os.chdir("/"),
    "signals": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "hoard": lambda: KEPT.append(torch.ones(3 << 26)),
    "hang": lambda: time.sleep(3600),
    "segfault": lambda: ctypes.string_at(0),
    "abort": _oblivion,
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(0),
    "sys.exit": lambda: sys.exit(3),
    "raise": _raise,
    "memory": lambda: bytearray(1 << 60),
    "print": _print,
    "noise": _noise,
    "thread": lambda: threading.Thread(target=time.sleep, args=(3600,)).start(),
    "child": lambda: _child(session=False),
    "daemon": lambda: _child(session=True),
    "program": lambda: subprocess.Popen(["sleep", "3600"]),
    "fork": os.fork,
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "close": lambda: os.closerange(3, 256),
}
"""What a cell does before it gives its values."""
VALUES: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "text": lambda: "0.5",
    "tensor": lambda: torch.ones(3),
    "function": lambda: lambda: 1,
    "none": lambda: None,
    "threads": torch.get_num_threads,
    "clock": time.monotonic,
    "process": os.getpid,
    "random": lambda: float(torch.rand(())),
}
"""What it gives instead of 1."""


class Fake(Task):
    """Cells that do one deed each."""

    name = "fake"
    description = "misbehaves on request"
    settings: ClassVar[dict[str, Any]] = {
        "mode": "ok",
        "number": 0,
        "cells": 1,
        "values": 1,
        "seconds": 0.0,
        "batch": 0,
    }
    metrics: ClassVar[dict[str, Metric]] = {"begin": Metric("s", "when"), "value": Metric("", "what was asked for")}

    def grid(self, profile: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
        return [{"number": number} for number in range(int(os.environ.get("FAKE_CELLS", "1")))]

    def batch(self, cell: Cell) -> Hashable:
        return cell.settings["number"] // cell.settings["batch"] if cell.settings["batch"] else None

    def run(self, cell: Cell) -> Iterator[Value]:
        mode, settings = cell.settings["mode"], cell.settings
        begun = time.monotonic()
        DEEDS.get(mode, DEEDS["ok"])()
        time.sleep(settings["seconds"])
        yield Value("begin", begun)
        for step in itertools.islice(itertools.count(), settings["values"]):
            yield Value("value", VALUES.get(mode, lambda: 1.0)(), step=step)


class FakeAlone(Fake):
    """The same, alone on the machine."""

    name = "fake_alone"
    exclusive = True


for _task in (Fake(), FakeAlone()):
    tasks.TASKS[_task.name] = _task

"""A run of fake cells to which something happens, and what became of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from suite.runs import guardian
from suite.runs.files import RunError
from suite.runs.store import read_results
from tests.conftest import REPOSITORY

TASK = REPOSITORY / "tests/suite/runs/fake_task.py"
DEADLINE = 180.0
LONGEST = 200
HIDDEN = (
    *(" cells · ", "Cells that did not end ok.", "report: /", "report: RUN", "┃", "│", "┏", "┗", "└", "┡", "─"),
    *("making the report of RUN", "Nothing was measured that can be compared", "compare with the published run: "),
    "add your neuron: ",
)
"""What marks a line of the display or of a table, which says nothing about the fault."""


@dataclass(frozen=True)
class Outcome:
    """What the user saw of a fault: the lines, the exit code, and what is gone of what was measured.

    `faulty` if it should not be so: a traceback, stored results that are gone, processes or temporary files that stay.
    """

    said: list[str]
    code: int
    lost: str
    faulty: bool = False


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: its name, what was done in words, and a function that does it in an empty folder."""

    name: str
    done: str
    bring_about: Callable[[Path], Outcome]


@dataclass
class Run:
    """`suite run` of fake cells into `out`, in a process group of its own."""

    out: Path
    cells: int = 4
    seconds: float = 0.0
    mode: str = "ok"
    more: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    seen: set[str] = field(default_factory=set)

    def start(self) -> Run:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "suite", "run", "--neuron-file", str(TASK), "--neurons", "faked"),
                *("--backends", "reference", "--tasks", "fake", "--profile", "smoke", "--out", str(self.out)),
                *("--set", f"mode={self.mode}", "--set", f"seconds={self.seconds}", *self.more),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "FAKE_CELLS": str(self.cells), "COLUMNS": "1000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    @property
    def running(self) -> subprocess.Popen[str]:
        assert self.process is not None
        return self.process

    def wait_for(self, measured: int) -> Run:
        """Wait until so many cells are stored."""
        self.wait_until(lambda: len(self.stored()) >= measured)
        return self

    def wait_until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not happened():
            if time.monotonic() > deadline or self.running.poll() is not None:
                self.running.kill()
                raise RuntimeError(f"the run ended or hung before the fault: {self.running.communicate()[0]}")
            time.sleep(0.02)

    def stored(self) -> set[str]:
        """The keys of the cells on the disk; those that were ever there are in `seen`."""
        now = {path.stem for path in (self.out / "cells").glob("*.json")}
        self.seen |= now
        return now

    def end(self, before: set[str] | None = None) -> Outcome:
        """Wait for its end; lost is what was stored `before` or during it and is no longer in the table."""
        text, _ = self.running.communicate(timeout=DEADLINE)
        return self.outcome(text, before or set())

    def outcome(self, text: str, before: set[str]) -> Outcome:
        """What became of a run that has ended."""
        self.seen |= before
        left = self.left_over()
        lost = [f"{len(gone)} cells" for gone in (self.seen - measured(self.out),) if gone]
        lost += [f"{len(left)} processes still run"] if left else []
        leftovers = list(self.out.rglob("*.tmp")) if self.running.returncode >= 0 else []
        lost += [f"{len(leftovers)} temporary files remain"] if leftovers else []
        twice = doubled(self.out)
        lost += [f"{twice} rows stand twice"] if twice else []
        faulty = bool(lost) or "Traceback" in text
        if (unsaved := re.search(r"; (\d+ results?) could not be stored", text)) is not None:
            lost.append(f"{unsaved[1]} not stored yet")
        code = shell_code(self.running.returncode)
        return Outcome(told(text, self.out), code, ", ".join(lost) or "nothing", faulty)

    def left_over(self) -> list[psutil.Process]:
        """What the run started and what outlives it by ten seconds."""
        deadline = time.monotonic() + 10
        while (left := list(self.family())) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def family(self) -> list[psutil.Process]:
        mark = f"{self.running.pid}-"
        return [each for each, own in environments() if own.get(guardian.VARIABLE, "").startswith(mark)]


def environments() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """All processes of this machine whose environment can be read, with it."""
    for each in psutil.process_iter():
        try:
            yield each, each.environ()
        except psutil.Error:
            continue


def shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def measured(out: Path) -> set[str]:
    """The cells that a report of the directory shows."""
    try:
        return set(read_results(out).cell)
    except RunError:
        return set()


def doubled(out: Path) -> int:
    """Rows of the directory that say what another one says."""
    try:
        return int(read_results(out).duplicated(["cell", "metric", "layer", "step", "lag"]).sum())
    except RunError:
        return 0


def told(text: str, out: Path) -> list[str]:
    """The lines of a command that are about the fault, with the run directory as RUN."""
    lines = [line.strip() for line in text.replace(str(out), "RUN").replace(str(REPOSITORY), ".").splitlines()]
    lines = [re.sub(r"\b[0-9a-f]{20}\b", "KEY", line) for line in lines if line]
    own = [line for line in lines if not any(mark in line for mark in HIDDEN)]
    shown = [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in own]
    return [*shown[:6], *([f"… {len(shown) - 6} more lines"] if len(shown) > 6 else [])]


def again(run: Run) -> Run:
    """The same line once more."""
    return replace(run, process=None, seen=set()).start()


def whole(out: Path, cells: int = 4) -> Run:
    """A run that came to its end."""
    run = Run(out, cells).start()
    run.running.communicate(timeout=DEADLINE)
    run.stored()
    return run

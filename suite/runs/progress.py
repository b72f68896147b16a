"""How far a run is, for whoever looks at its directory: another terminal, or another machine that sees the same disk.

What is done stands in the plan and in the cells. What is at work the run itself notes in `RUN/.running.json`, anew at
least every few seconds: an older note is that of a run that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.runs.cell_files import CellFiles
from suite.runs.display import label, pace_in
from suite.runs.durations import Durations, Open
from suite.runs.files import RunError, read_json
from suite.runs.plan_file import read_plan
from suite.runs.table import statuses
from tasks import TASKS, Cell

FILE = ".running.json"
INTERVAL = 2.0
"""Seconds after which a run writes its note anew."""
STALE = 60.0
"""Seconds after which a note is that of a run that is no more: the clocks of two machines may differ a little."""
GOOD = ("ok", "unavailable")
"""How a cell ends that did not fail."""


@dataclass
class Note:
    """What a run at work writes of itself.

    Args:
        key: the key of a cell.
        jobs: how many cells run at a time.
    """

    root: Path
    key: Callable[[Cell], str]
    jobs: int
    running: dict[str, float] = field(default_factory=dict)
    _written: float = 0.0

    def started(self, cells: Sequence[Cell]) -> None:
        self.running |= dict.fromkeys(map(self.key, cells), time.time())

    def finished(self, cell: Cell) -> None:
        self.running.pop(self.key(cell), None)

    def write(self) -> None:
        """Write it, if that was long ago. Where it cannot be written nobody is told; the run has other worries."""
        if time.monotonic() - self._written < INTERVAL:
            return
        self._written = time.monotonic()
        own = {"process": os.getpid(), "host": socket.gethostname(), "date": time.time(), "jobs": self.jobs}
        temporary = self.root / f"{FILE}.tmp"
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({**own, "running": self.running}), encoding="utf-8")
            temporary.replace(self.root / FILE)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            (self.root / FILE).unlink(missing_ok=True)


@dataclass
class Part:
    """Cells of one task and neuron: how many there are, and how many of them are done, failed or at work."""

    cells: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        parts: by task and neuron.
        where: the machine and process that is at work; None if none is.
        seconds_left: by what its cells took so far; None where nothing is known, or nothing is at work.
        paces: what each training at work printed last, by its cell in words.
    """

    parts: Mapping[tuple[str, str], Part]
    where: str | None
    seconds_left: float | None
    paces: Mapping[str, str] = field(default_factory=dict)

    def total(self) -> Part:
        """All parts in one."""
        names = ("cells", "done", "failed", "running")
        return Part(*(sum(getattr(part, name) for part in self.parts.values()) for name in names))


def read(root: Path) -> Status:
    """How far the run of a directory is. Nothing is written there.

    Raises:
        RunError: it is no run directory, or keeps no plan.
    """
    plan = read_plan(root)
    if not plan:
        raise RunError(f"{root}: no plan.json; a run directory is made by `python -m suite run --out {root}`")
    ended, seconds = _ended(root)
    note = _note(root)
    running = note.get("running", {}) if note else {}
    parts: dict[tuple[str, str], Part] = {}
    left: list[Cell] = []
    paces: dict[str, str] = {}
    durations = Durations()
    for key, cell in plan.values():
        part = parts.setdefault((cell.task, cell.neuron) if cell else ("", ""), Part())
        part.cells += 1
        status = ended.get(key)
        if key in running:
            part.running += 1
            if cell and (pace := pace_in(root / "logs" / f"{key}.log")):
                paces[label(cell)] = pace
        elif status is not None:
            part.done += status in GOOD
            part.failed += status not in GOOD
        if cell is None or cell.task not in TASKS:
            continue
        if status is not None and seconds.get(key):
            durations.saw(cell, seconds[key])
        if key in running or status is None:
            left.append(cell)
    remaining = Open(left).seconds(durations, note["jobs"]) if note is not None and durations.seen else None
    return Status(parts, f"process {note['process']} on {note['host']}" if note else None, remaining, paces)


def _ended(root: Path) -> tuple[dict[str, str], dict[str, float]]:
    """The status of each cell, from the table where its own record is not there, and the seconds that it took."""
    outcomes = CellFiles(root / "cells").outcomes()
    ended = {key: outcome.status for key, outcome in outcomes.items()}
    ended = statuses(root / "results.parquet") | ended
    return ended, {key: outcome.seconds for key, outcome in outcomes.items()}


def _note(root: Path) -> dict[str, Any] | None:
    """What the run at work noted; None if none is at work."""
    known: dict[str, Any] | None = read_json(root / FILE, dict)
    if known is None or not {"process", "host", "date", "jobs", "running"} <= set(known):
        return None
    if time.time() - known["date"] > STALE:
        return None
    if known["host"] == socket.gethostname() and not _lives(known["process"]):
        return None
    return known


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True

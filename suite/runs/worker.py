"""The process that measures: batches of cells, each result sent to the parent as soon as it is there."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

import tasks
from neurons import BackendUnavailable
from suite.runs import processes
from suite.runs.inbox import send, send_end
from suite.runs.leaks import State
from suite.runs.record import InvalidValueOfTask, Result, measured
from suite.runs.user_files import UserFiles
from tasks import Cell, Task, Value
from tasks.measuring import devices
from tasks.training.checkpoint import PLACE

LONGEST_OUTPUT = 4000
"""Characters of a cell's output that its result keeps: the last ones."""


@dataclass(frozen=True)
class Assignment:
    """A batch that a worker is to measure.

    Attributes:
        threads: how many it may use.
        log: the file that takes what it prints.
        device: where its cells run, one of those that they ask for.
        alone: the process is for this batch alone.
    """

    cells: Sequence[Cell]
    threads: int
    log: Path
    device: str
    alone: bool


def serve(first: Assignment, files: UserFiles, results: Connection, orders: Connection) -> None:
    """Run in a process of its own: measure batch after batch, sending (index of the cell, Result) for each cell.

    It ends by itself after a batch that it had alone, of which a cell failed, or of which something is left here.
    """
    processes.enter_session()
    own, assignment = os.getpid(), first
    output = Output(first.log)
    fault = _loaded(files)
    state = State.here()
    while True:
        clean = _measure(assignment, output, fault, results.fileno(), own)
        clean = clean and not assignment.alone and not state.leaks()
        _flush()
        send_end(results.fileno(), clean)
        if not clean:
            break
        state.restore()
        try:
            assignment = orders.recv()
        except (EOFError, OSError):
            break
        output = Output(assignment.log)
    os._exit(0)  # a thread or an exit handler that the cell left must not hold the process


def _loaded(files: UserFiles) -> Exception | None:
    """Load the user's files; what went wrong, which is then the result of each cell."""
    try:
        files.load()
    except Exception as error:
        return error
    return None


def _measure(assignment: Assignment, output: Output, fault: Exception | None, descriptor: int, own: int) -> bool:
    """Measure a batch; whether no cell failed."""
    cells = [replace(cell, device=assignment.device) for cell in assignment.cells]
    positions = {id(cell): index for index, cell in enumerate(cells)}
    started = time.perf_counter()
    failed = False

    def report(index: int, outcome: list[Value] | Exception, timesteps: int | None = None) -> None:
        nonlocal failed
        if os.getpid() != own:
            os._exit(0)  # a cell forked, and this is its child, which has nothing to report
        result = as_result(outcome, time.perf_counter() - started)
        failed = failed or result.status == "failed"
        send(descriptor, index, replace(result, timesteps=timesteps, output=output.since_last()))

    try:
        torch.set_num_threads(assignment.threads)
        PLACE.begin(assignment.log)
        devices.of(assignment.device).use(devices.torch_device(assignment.device))
        if fault is not None:
            raise fault
        task = tasks.get(cells[0].task)
        for cell, outcome in task.run_batch(cells):
            report(positions.pop(id(cell)), outcome, _timesteps(task, cell))
            started = time.perf_counter()
    except Exception as error:
        for index in positions.values():
            report(index, error)
    return not failed


class Output:
    """What the process prints from now on goes to a file, in the order in which it is printed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        except OSError:  # the parent names a folder that cannot be written; here a result may still be had
            target = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(target, stream.fileno())
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
        os.close(target)
        faulthandler.enable(file=sys.stderr)

    def since_last(self) -> str:
        """The end of what was printed since the last call."""
        _flush()
        text, self._read = tail(self.path, self._read)
        return text


def tail(path: Path, begin: int = 0, longest: int = LONGEST_OUTPUT) -> tuple[str, int]:
    """The end of a file from a place on, at most `longest` bytes, and the place where the file ends."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(begin, end - longest))
            return file.read().decode(errors="replace"), end
    except OSError:
        return "", begin


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # on a full disk its output is lost, not its result
            stream.flush()


def _timesteps(task: Task, cell: Cell) -> int | None:
    """The T of a cell; None where its data cannot be read, which is then the cause that its result names."""
    try:
        return task.timesteps(cell)
    except Exception:
        return None


def as_result(outcome: list[Value] | Exception, seconds: float) -> Result:
    """What is stored of an outcome: the values, or the cause and its traceback."""
    if not isinstance(outcome, Exception):
        try:
            return measured(outcome, seconds)
        except InvalidValueOfTask as error:
            outcome = error
    if isinstance(outcome, BackendUnavailable):
        return Result("unavailable", detail=str(outcome), seconds=seconds)
    lines = str(outcome).strip().splitlines()
    named = f"{type(outcome).__name__}: {lines[0]}" if lines else type(outcome).__name__
    detail = devices.shortage(outcome) or named
    text = "".join(traceback.format_exception(outcome))
    return Result("failed", detail=detail, traceback=text, seconds=seconds)

"""The process that measures: one batch of cells, each result sent to the parent as soon as it is there."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection

import torch

import neurons
import tasks
from neurons import BackendUnavailable
from suite.runs.record import InvalidValueOfTask, Result, measured
from tasks import Cell, Task, Value


def measure(cells: Sequence[Cell], neuron_files: Sequence[str], threads: int, connection: Connection) -> None:
    """Run in a process of its own. Sends (index of the cell, Result) for each cell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    torch.set_num_threads(threads)
    for path in neuron_files:
        neurons.load_file(path)
    task = tasks.get(cells[0].task)
    positions = {id(cell): index for index, cell in enumerate(cells)}
    started = time.perf_counter()
    try:
        for cell, outcome in task.run_batch(cells):
            seconds = time.perf_counter() - started
            result = replace(as_result(outcome, seconds), timesteps=_timesteps(task, cell))
            connection.send((positions.pop(id(cell)), result))
            started = time.perf_counter()
    except Exception as error:
        for index in positions.values():
            connection.send((index, as_result(error, time.perf_counter() - started)))


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
    detail = f"{type(outcome).__name__}: {outcome}".splitlines()[0]
    text = "".join(traceback.format_exception(outcome))
    return Result("failed", detail=detail, traceback=text, seconds=seconds)


def _end_with_parent() -> None:
    """Die when the run is killed, so that no orphan disturbs the timings of the next."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

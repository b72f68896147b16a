"""Runs the cells of a plan in processes: accuracy cells side by side, timings and memory alone on the machine.

A process that dies or overruns its time loses only the cells that it had not finished; if it ran a batch, these are
run again one by one.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

import tasks
from suite.runs import machine, worker
from suite.runs.store import Result
from tasks import Cell

PRELOADED = ["suite.runs.worker", "torch._dynamo", "sklearn.datasets"]
"""Imported once and shared by fork; an optimiser and a data set of scikit-learn cost each process 2.3 s otherwise."""

Report = Callable[[Cell, Result], None]


@dataclass
class Job:
    """A process at work on a batch of cells."""

    cells: Sequence[Cell]
    process: multiprocessing.process.BaseProcess
    connection: Connection
    deadline: float
    done: set[int] = field(default_factory=set)

    def remaining(self) -> list[Cell]:
        return [cell for index, cell in enumerate(self.cells) if index not in self.done]


@dataclass
class LocalExecutor:
    """Runs cells on this machine.

    Args:
        time_limit: seconds for one cell, all included; a batch has the sum.
        neuron_files: user files with neurons, loaded in each process.
        started: called with the cells of a batch when their process starts.
        finished: called with each cell and its result, in the parent process.
    """

    time_limit: float
    neuron_files: Sequence[str]
    started: Callable[[Sequence[Cell]], None]
    finished: Report

    def __post_init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)

    def run(self, cells: Sequence[Cell]) -> None:
        """Run all cells; returns when each has been reported. KeyboardInterrupt ends all processes."""
        shared = [cell for cell in cells if not tasks.get(cell.task).exclusive]
        alone = [cell for cell in cells if tasks.get(cell.task).exclusive]
        self._run_batches(list(batches(shared)), jobs=machine.usable_cores(), threads=1)
        self._run_batches(list(batches(alone)), jobs=1, threads=machine.usable_cores())

    def _run_batches(self, pending: list[Sequence[Cell]], jobs: int, threads: int) -> None:
        pending = pending[::-1]
        running: list[Job] = []
        try:
            while pending or running:
                while pending and len(running) < jobs:
                    running.append(self._start(pending.pop(), threads))
                wait([job.connection for job in running], timeout=0.2)
                for job in list(running):
                    if self._advance(job, pending):
                        running.remove(job)
        finally:
            for job in running:
                job.process.kill()

    def _start(self, cells: Sequence[Cell], threads: int) -> Job:
        receiver, sender = self.context.Pipe(duplex=False)
        arguments = (cells, self.neuron_files, threads, sender)
        process = self.context.Process(target=worker.measure, args=arguments)
        process.start()
        sender.close()
        self.started(cells)
        return Job(cells, process, receiver, time.monotonic() + self.time_limit * len(cells))

    def _advance(self, job: Job, pending: list[Sequence[Cell]]) -> bool:
        """Take what a job has sent; True when it is over."""
        try:
            while job.connection.poll():
                index, result = job.connection.recv()
                job.done.add(index)
                self.finished(job.cells[index], result)
        except (EOFError, OSError):
            job.process.join()
            died = Result("failed", detail=f"the process died with exit code {job.process.exitcode}")
            self._give_up(job, pending, died)
            return True
        if time.monotonic() > job.deadline:
            job.process.kill()
            job.process.join()
            late = Result("timeout", detail=f"not done after {self.time_limit:g} s; --time-limit allows more")
            self._give_up(job, pending, late)
            return True
        return False

    def _give_up(self, job: Job, pending: list[Sequence[Cell]], result: Result) -> None:
        remaining = job.remaining()
        if len(job.cells) > 1:
            pending.extend([cell] for cell in remaining)
            return
        for cell in remaining:
            self.finished(cell, result)


def batches(cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
    """Cells that are measured together in one process, in the order of their first cell."""
    groups: dict[object, list[Cell]] = {}
    for position, cell in enumerate(cells):
        batch = tasks.get(cell.task).batch(cell)
        groups.setdefault(position if batch is None else (cell.task, batch), []).append(cell)
    yield from groups.values()

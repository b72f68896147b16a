"""Runs the cells of a plan in processes: accuracy cells side by side, timings and memory alone on the machine or card.

Side by side, a process measures batch after batch as long as no cell fails and nothing of one stays behind (`pool`);
what is alone has a fresh process each. A process that dies or overruns its time loses only the cells that it had not
finished; if it ran a batch, these are run again one by one.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import tasks
from suite.runs import machine, processes, worker
from suite.runs.places import Places
from suite.runs.pool import Pool, Worker
from suite.runs.record import CUT_OFF, BrokenRecord, Result, Status
from suite.runs.user_files import UserFiles
from tasks import Cell
from tasks.measuring import devices

TICK = 0.2
"""Seconds after which deadlines and requests to stop are looked at, at the latest."""
FATAL = "Fatal Python error:"
"""What the trace of a fatal signal begins with. It is long: it ends with the names of all compiled modules."""
LONGEST_TRACE = 1 << 16
LONGEST_LOG = 1 << 26
"""Bytes of a worker's output from which on it is cut, so that an endless print does not fill the disk."""


@dataclass
class Job:
    """A process at work on a batch of cells, on one device."""

    cells: Sequence[Cell]
    worker: Worker
    log: Path
    deadline: float
    memory_kills: int
    device: str
    alone: bool
    done: set[int] = field(default_factory=set)

    def handles(self) -> list[Any]:
        """What becomes ready when there is news of the job."""
        return [self.worker.process.sentinel, *([] if self.worker.inbox.ended else [self.worker.inbox])]

    def remaining(self) -> list[Cell]:
        return [cell for index, cell in enumerate(self.cells) if index not in self.done]


class Waiting:
    """The batches that wait for a place, by the device that they ask for; those of a device in their order."""

    def __init__(self, batched: Iterable[Sequence[Cell]]) -> None:
        self._by_device: dict[str, deque[Sequence[Cell]]] = {}
        self.add(batched)

    def add(self, batched: Iterable[Sequence[Cell]]) -> None:
        for batch in batched:
            self._by_device.setdefault(batch[0].device, deque()).append(batch)

    def __bool__(self) -> bool:
        return any(self._by_device.values())

    def placed(self, places: Places) -> Iterator[tuple[Sequence[Cell], str]]:
        """The batches that have a place now, each with its device."""
        for name, batches_there in self._by_device.items():
            while batches_there and (device := places.take(name)) is not None:
                yield batches_there.popleft(), device


@dataclass
class Orders:
    """What every executor is given.

    Args:
        time_limit: seconds for one cell, all included; a batch has the sum.
        files: of the user, loaded in each process.
        log: the file that takes what the process of a batch prints, by its first cell.
        started: called with the cells of a batch when their process starts.
        finished: called with each cell and its result, in the parent process.
        stop: asked often; once true, the run ends with what has arrived.
    """

    time_limit: float
    files: UserFiles
    log: Callable[[Cell], Path]
    started: Callable[[Sequence[Cell]], None]
    finished: Callable[[Cell, Result], None]
    stop: Callable[[], bool]


@dataclass
class LocalExecutor(Orders):
    """Runs cells on this machine."""

    keep_workers: bool = False
    """Warm workers stay for the next call of `run`, until `pool.close()`."""
    short: list[Cell] = field(default_factory=list, init=False)
    """Cells that found their card's memory taken by others."""

    def __post_init__(self) -> None:
        self.pool = Pool(self.files)

    @property
    def jobs(self) -> int:
        """The cores of this machine."""
        return machine.usable_cores()

    def run(self, cells: Sequence[Cell]) -> None:
        """Run all cells; returns when each has been reported, or when it was asked to stop. Ends all processes.

        Of several cards each has a timing at a time, and cells that share one are run again, alone on it, if its
        memory ran out.
        """
        shared = [cell for cell in cells if not tasks.get(cell.task).exclusive]
        alone = [cell for cell in cells if tasks.get(cell.task).exclusive]
        on_cpu = [cell for cell in alone if cell.device == "cpu"]
        on_cards = [cell for cell in alone if cell.device != "cpu"]
        known = {card for cell in cells if cell.device != "cpu" for card in devices.cards(cell.device)}
        cores, cards = machine.usable_cores(), max(1, len(known))
        self._run_batches(batches(shared), Places(cores, alone=False), threads=1)
        again, self.short = self.short, []
        for places, phase in ((cards, again), (1, on_cpu), (cards, on_cards)):
            if phase:  # with nothing to run there are no cards to share the cores among
                self._run_batches(batches(phase), Places(places, alone=True), threads=max(1, cores // places))

    def _run_batches(self, batched: Iterable[Sequence[Cell]], places: Places, threads: int) -> None:
        waiting = Waiting(batched)
        running: list[Job] = []
        try:
            while (waiting or running) and not self.stop():
                for batch, device in waiting.placed(places):
                    running.append(self._start(batch, device, threads, places.alone))
                wait([handle for job in running for handle in job.handles()], timeout=TICK)
                for job in list(running):
                    if self._advance(job, waiting):
                        self._release(job)
                        running.remove(job)
                        places.give_back(job.device)
                if places.alone and not running:
                    processes.end_strays()
            for job in running:
                self._take(job)
        finally:
            for job in running:
                self._release(job)
            if not self.keep_workers:
                self.pool.close()
                processes.end_strays()

    def _start(self, cells: Sequence[Cell], device: str, threads: int, alone: bool) -> Job:
        log = self.log(cells[0])
        memory_kills = processes.memory_kills()
        assigned = self.pool.assign(worker.Assignment(cells, threads, log, device, alone))
        self.started(cells)
        deadline = time.monotonic() + self.time_limit * len(cells)
        return Job(cells, assigned, log, deadline, memory_kills, device, alone)

    def _advance(self, job: Job, waiting: Waiting) -> bool:
        """Take what a job has sent; True when it is over."""
        process = job.worker.process
        dead = process.exitcode is not None
        fault = self._take(job)
        if not job.remaining():
            job.deadline = min(job.deadline, time.monotonic() + processes.GRACE)
            return dead or job.worker.inbox.batch_is_over or fault is not None or time.monotonic() > job.deadline
        if fault is None and dead:
            fault = processes.cause_of_death(process.exitcode, job.memory_kills)
        if fault is not None:
            self._give_up(job, waiting, "failed", fault)
            return True
        if time.monotonic() > job.deadline:
            late = f"not done after {self.time_limit:g} s; --time-limit allows more"
            self._give_up(job, waiting, "timeout", late)
            return True
        with contextlib.suppress(OSError):
            if job.log.stat().st_size > LONGEST_LOG:
                job.log.write_text(f"(what was printed before is cut: more than {LONGEST_LOG >> 20} MiB)\n")
        return False

    def _take(self, job: Job) -> str | None:
        """Report the results that have arrived; what is wrong with them if they cannot be read."""
        try:
            for index, result in job.worker.inbox.results():
                if index not in job.done:
                    job.done.add(index)
                    if result.detail.startswith(devices.SHORT) and not job.alone:
                        self.short.append(job.cells[index])
                    else:
                        self._report(job, job.cells[index], result)
        except (BrokenRecord, IndexError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _give_up(self, job: Job, waiting: Waiting, status: Status, detail: str) -> None:
        processes.end(job.worker.process)
        remaining = job.remaining()
        if len(job.cells) > 1:
            waiting.add([cell] for cell in remaining)
            return
        output, _ = worker.tail(job.log, longest=LONGEST_TRACE)
        if status == "failed":
            detail += _last_words(output)
        for cell in remaining:
            self._report(job, cell, Result(status, detail=detail, output=output[-worker.LONGEST_OUTPUT :]))

    def _report(self, job: Job, cell: Cell, result: Result) -> None:
        """Report a result; of a cell that was cut off with what it had measured until then."""
        if result.status in CUT_OFF:
            result = replace(result, values=tasks.get(cell.task).unfinished(job.log))
        self.finished(cell, result)

    def _release(self, job: Job) -> None:
        """Take the worker back: warm if it says that it is, else it is ended."""
        inbox = job.worker.inbox
        self.pool.give_back(job.worker, warm=not job.remaining() and inbox.batch_is_over and inbox.clean)
        with contextlib.suppress(OSError):
            if not job.log.stat().st_size:
                job.log.unlink()


def _last_words(output: str) -> str:
    """The last line that a process printed, and where it was in Python's code if a fatal signal ended it."""
    said, _, fatal = output.partition(FATAL)
    printed = [line.strip() for line in said.splitlines() if line.strip()]
    places = [line.strip() for line in fatal.splitlines() if line.startswith("  File ")]
    return (f"; it was at {places[0]}" if places else "") + (f"; it printed last: {printed[-1]}" if printed else "")


def batches(cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
    """Cells that are measured together in one process, in the order of their first cell."""
    groups: dict[object, list[Cell]] = {}
    for position, cell in enumerate(cells):
        batch = tasks.get(cell.task).batch(cell)
        groups.setdefault(position if batch is None else (cell.task, cell.device, batch), []).append(cell)
    yield from groups.values()

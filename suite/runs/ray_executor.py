"""Runs cells on a Ray cluster: one that is there, or one on this machine.

A batch of cells is a Ray task with what it needs: a core, a GPU if it runs on one, memory; timings take all cores of
their node, so that nothing runs beside them. Results come back to this process, which alone writes the run directory.
What a lost node or worker had not finished is run again elsewhere.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import tasks
from suite.runs import machine, ray_node
from suite.runs.cell_key import versions
from suite.runs.execute import TICK, Orders, batches
from suite.runs.files import RunError, log
from suite.runs.record import Result, result_from_json
from suite.runs.text import counted
from tasks import Cell
from tasks.data import location

MOST_LOSSES = 5
"""Nodes that a batch may lose before its cells count as failed: it may be what ends them."""
MEMORY = 1 << 30
"""Bytes of a node's memory that a cell asks for: a worker with torch holds about as much."""
AHEAD = 2
"""Batches that are given away for each core, so that a node finds its next one waiting."""
AGE = 1.0
"""Seconds for which the list of nodes is taken as it was: a large cluster takes long to tell it, for each result."""
NICENESS = "RAY_worker_niceness"
"""The variable by which Ray, where it starts, is told how far its workers stand back for other processes: by 15 unless
told otherwise, with which cells on a busy machine get a thirtieth of what the local executor's get."""
PACKAGES = ("neurons", "tasks", "suite")
"""What is sent to a cluster."""


def connect(address: str | None) -> Callable[..., RayExecutor]:
    """Connect to a cluster, to which the suite's own code is sent; what makes executors on it.

    Raises:
        RunError: there is no cluster at the address, or none can be started here.
    """
    if not ray.is_initialized():
        code = [str(Path(str(sys.modules[package].__file__)).parent) for package in PACKAGES]
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        address = address or os.environ.get("RAY_ADDRESS")
        if address is None:
            options |= {"num_cpus": machine.usable_cores(), "include_dashboard": False}
            os.environ.setdefault(NICENESS, "0")
        try:
            ray.init(address or "local", runtime_env={"py_modules": code}, **options)
        except (RayError, OSError, RuntimeError, ValueError) as error:
            told = " ".join(str(error).split())
            raise RunError(f"no Ray cluster at {address or 'this machine'}: {told}; `ray status` shows one") from error
    return RayExecutor


@dataclass
class Flight:
    """A batch that is with the cluster, on a node of its own where it is alone."""

    cells: Sequence[Cell]
    node: dict[str, Any] | None
    begun: bool = False


@dataclass
class RayExecutor(Orders):
    """Runs cells on the cluster that this process is connected to.

    Attributes:
        losses: how many batches were lost with their node or worker, and run again.
    """

    losses: Counter[int] = field(default_factory=Counter, init=False)
    _known: list[dict[str, Any]] = field(default_factory=list, init=False)
    _asked: float = field(default=-math.inf, init=False)

    @property
    def jobs(self) -> int:
        """The cores of the cluster."""
        return max(1, int(sum(map(_cores, self._nodes()))))

    def run(self, cells: Sequence[Cell]) -> None:
        """Run all cells; returns when each has been reported, or when it was asked to stop.

        Raises:
            RunError: the cluster is gone, or cannot take the suite's code.
        """
        try:
            texts = ray.put(ray_node.texts_of(self.files))
            for alone in (False, True):
                own = [cell for cell in cells if tasks.get(cell.task).exclusive == alone]
                self._run_batches(batches(own), texts, alone)
        except (RuntimeEnvSetupError, ConnectionError, ray.exceptions.RaySystemError) as error:
            raise RunError(f"the Ray cluster cannot go on: {' '.join(str(error).split())}") from error

    def _run_batches(self, batched: Iterable[Sequence[Cell]], texts: Any, alone: bool) -> None:
        waiting = deque(batched)
        flying: dict[Any, Flight] = {}
        while (waiting or flying) and not self.stop():
            for node in self._free(flying, alone):
                if not waiting:
                    break
                flight = Flight(waiting.popleft(), node)
                flying[self._send(flight, texts)] = flight
            self._begin(list(flying.values())[: self.jobs])
            if not flying:
                time.sleep(TICK)  # no node is there: one may come
                continue
            again = [own for ready in _ready(list(flying)) for own in self._take(ready, flying.pop(ready))]
            waiting.extendleft(again)
            if again:
                log.warning("%s lost with a node or worker: run again", counted(sum(map(len, again)), "cell"))
        for reference in flying:
            ray.cancel(reference, force=True)

    def _begin(self, first: Iterable[Flight]) -> None:
        """Say of batches that they are at work: of those given away the first, as many as there are cores."""
        for flight in first:
            if not flight.begun:
                flight.begun = True
                self.started(flight.cells)

    def _free(self, flying: dict[Any, Flight], alone: bool) -> Iterator[dict[str, Any] | None]:
        """A place for each batch that may be sent now: any, or a node that has no timing."""
        if alone:
            taken = {flight.node["NodeID"] for flight in flying.values() if flight.node is not None}
            yield from [node for node in self._nodes() if node["NodeID"] not in taken and _cores(node)]
        else:
            yield from [None] * (AHEAD * self.jobs - len(flying))

    def _send(self, flight: Flight, texts: Any) -> Any:
        first = flight.cells[0]
        options: dict[str, Any] = {"num_cpus": 1, "memory": MEMORY, "max_retries": 0}
        options["num_gpus"] = 0 if first.device == "cpu" else 1
        if flight.node is not None:
            options["num_cpus"] = _cores(flight.node)
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(flight.node["NodeID"], soft=False)
        order = ray_node.Order(self.time_limit, flight.node is not None, versions(), os.environ.get(location.VARIABLE))
        return _remote().options(**options).remote(flight.cells, texts, order)

    def _take(self, reference: Any, flight: Flight) -> list[Sequence[Cell]]:
        """Report the results of a batch; what is to be run again."""
        try:
            known = ray.get(reference)
        except RuntimeEnvSetupError:
            raise
        except RayError as error:
            return self._lost(flight, error)
        if isinstance(known, tuple):
            self._fail(flight, *known)
        else:
            for cell, result in zip(flight.cells, map(result_from_json, known), strict=True):
                if result.output:
                    with contextlib.suppress(OSError):
                        self.log(cell).write_text(result.output, encoding="utf-8")
                self.finished(cell, result)
        return []

    def _lost(self, flight: Flight, error: RayError) -> list[Sequence[Cell]]:
        """A node or worker is gone: the batch is run again, a batch of several one by one."""
        self.losses[id(flight.cells[0])] += 1
        self._asked = -math.inf
        if self.losses[id(flight.cells[0])] < MOST_LOSSES:
            return [flight.cells] if len(flight.cells) == 1 or flight.node else [[cell] for cell in flight.cells]
        reason = " ".join(str(error).split())[:300]
        self._fail(flight, f"its node or worker was lost {MOST_LOSSES} times; the last: {reason}")
        return []

    def _fail(self, flight: Flight, detail: str, trace: str = "") -> None:
        for cell in flight.cells:
            self.finished(cell, Result("failed", detail=detail, traceback=trace))

    def _nodes(self) -> list[dict[str, Any]]:
        """The nodes that are there; asked anew once in a while, and when one may be lost."""
        if time.monotonic() > self._asked + AGE:
            self._known, self._asked = _alive(), time.monotonic()
        return self._known


@cache
def _remote() -> Any:
    """The function that nodes run, as Ray has it: made anew it would be another kind of task for Ray each time."""
    return ray.remote(_measure)


def _measure(cells: Sequence[Cell], texts: ray_node.Texts, order: ray_node.Order) -> Any:
    """The results, or why there are none: an exception might be of a kind that only the node knows."""
    try:
        return ray_node.measure(cells, texts, order)
    except Exception as error:
        return f"{type(error).__name__}: {error}", traceback.format_exc()


def _ready(references: list[Any]) -> list[Any]:
    """The batches that have come back, after a tick at the latest."""
    first, _ = ray.wait(references, num_returns=1, timeout=TICK)
    return ray.wait(references, num_returns=len(references), timeout=0)[0] if first else []


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _cores(node: dict[str, Any]) -> float:
    return node["Resources"].get("CPU", 0)

"""A run on a Ray cluster of two nodes on this machine: what runs it, or what it runs on, is lost.

The cluster is started once and serves all faults; a node that was lost is replaced. Needs the extra `ray`.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import psutil
from ray.cluster_utils import Cluster

from suite.runs import guardian
from suite.runs.ray_executor import NICENESS
from tests.faults.run import Fault, Outcome, Run, again, environments
from tests.faults.storage import enlarge, small_disk

NODES = 2
CELLS, SECONDS = 12, 0.5
VARIABLE = "NEURON_SUITE_FAULTS"
"""What the nodes have in their environment, and so everything that was started there."""


class Nodes:
    """A head that runs no cells, and nodes that do."""

    def __init__(self, count: int, cores: int) -> None:
        self.cores = cores
        self.marked = {VARIABLE: secrets.token_hex(8), NICENESS: "0"}
        with patch.dict(os.environ, self.marked):
            self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.add(count)

    def add(self, count: int) -> None:
        with patch.dict(os.environ, self.marked):
            for _ in range(count):
                self.cluster.add_node(num_cpus=self.cores, memory=self.cores << 31)

    def lose(self, count: int) -> None:
        """Kill all processes of so many nodes."""
        for node in list(self.cluster.worker_nodes)[:count]:
            self.cluster.remove_node(node, allow_graceful=False)

    def processes(self) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
        """All that was started on the nodes, with its environment."""
        return ((each, own) for each, own in environments() if self.marked.items() <= own.items())

    def workers(self) -> list[psutil.Process]:
        """The processes of Ray that have a batch of cells."""
        return [each for each, _ in self.processes() if _title(each).startswith("ray::_measure")]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@cache
def nodes() -> Nodes:
    """The cluster of all faults, ended with this process."""
    return Nodes(NODES, cores=1)


@dataclass
class RunOnNodes(Run):
    """A run whose cells the nodes measure."""

    def family(self) -> list[psutil.Process]:
        """What measures cells on the nodes: the servers and workers that Ray's processes have started."""
        return [each for each, own in nodes().processes() if guardian.VARIABLE in own]


def start(out: Path, cells: int = CELLS, seconds: float = SECONDS) -> RunOnNodes:
    address = ["--executor", "ray", "--address", nodes().cluster.address]
    run = RunOnNodes(out, cells, seconds, more=address)
    run.start()
    return run


def complete(run: Run, before: set[str] | None = None) -> Outcome:
    """How a run ends that should measure everything, whatever was lost."""
    outcome = run.end(before)
    return replace(outcome, faulty=outcome.faulty or outcome.code != 0)


def worker_killed(folder: Path) -> Outcome:
    run = start(folder / "run")
    run.wait_for(2).wait_until(lambda: bool(nodes().workers()))
    nodes().workers()[0].kill()
    return complete(run)


def nodes_lost(folder: Path, count: int) -> Outcome:
    run = start(folder / "run")
    run.wait_for(2)
    nodes().lose(count)
    run.stored()
    try:
        if count == NODES:
            time.sleep(2)  # in which the run has no node
            nodes().add(count)
            count = 0
        return complete(run)
    finally:
        nodes().add(count)


def interrupted(folder: Path) -> Outcome:
    run = start(folder / "run")
    run.wait_for(2)
    os.killpg(run.running.pid, signal.SIGINT)
    return run.end()


def driver_killed(folder: Path) -> Outcome:
    run = start(folder / "run")
    run.wait_for(2)
    os.kill(run.running.pid, signal.SIGKILL)
    outcome = run.end()
    if outcome.faulty:
        return outcome
    return complete(again(run), run.stored())


def disk_full(folder: Path) -> Outcome:
    with small_disk(folder, "100k") as place:
        return start(place / "run", cells=60, seconds=0).end()


def disk_enlarged(folder: Path) -> Outcome:
    with small_disk(folder, "100k") as place:
        run = start(place / "run", cells=60, seconds=0)
        run.end()
        before = run.stored()
        enlarge(place)
        return complete(again(run), before)


FAULTS = [
    Fault("ray-worker", "kill -9 of a worker of Ray that has a cell", worker_killed),
    Fault("ray-node", "one of two nodes of Ray is lost", partial(nodes_lost, count=1)),
    Fault("ray-nodes", "both nodes of Ray are lost, others come later", partial(nodes_lost, count=NODES)),
    Fault("ray-ctrl-c", "Ctrl-C while cells run on nodes of Ray", interrupted),
    Fault("ray-driver", "kill -9 of the run, cells on nodes of Ray; then the same line again", driver_killed),
    Fault("ray-full", "cells run on nodes of Ray; the disk of the run is full (60 cells, 100 kB)", disk_full),
    Fault("ray-enlarged", "cells run on nodes of Ray; the same line again on a larger disk", disk_enlarged),
]

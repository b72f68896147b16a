"""Cells that sleep on a Ray cluster of several nodes on this machine, of which some are killed and others come.

`python -m tests.scale.cluster [--cells N] [--nodes N] [--sleep S] [--every S]` prints what was lost, doubled and run
again, how much of the cores' time was sleep, and what the driver worked. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

import neurons
import tasks
from suite.runs import ray_executor
from suite.runs.record import Result
from suite.runs.store import Store, read_results
from suite.runs.user_files import UserFiles
from tasks import Cell

FILE = Path(__file__).parent.parent / "suite" / "runs" / "fake_task.py"
CORES = 2
MEMORY = 8 << 30


class Disturber(threading.Thread):
    """Kills a node, and adds another, every so many seconds from the first result on; the head stays."""

    def __init__(self, cluster: Cluster, every: float) -> None:
        super().__init__()
        self.cluster, self.every = cluster, every
        self.first, self.over = threading.Event(), threading.Event()
        self.killed = self.reported = 0
        self.begun = 0.0

    def report(self) -> None:
        """A result has come."""
        if not self.first.is_set():
            self.begun = time.monotonic()
            self.first.set()
        self.reported += 1

    def run(self) -> None:
        self.first.wait()
        while not self.over.wait(self.every):
            self.cluster.remove_node(next(iter(self.cluster.worker_nodes)), allow_graceful=False)
            self.killed += 1
            self.log("a node is killed")
            self.cluster.add_node(num_cpus=CORES, memory=MEMORY)
            self.log("another has come")

    def log(self, text: str) -> None:
        seconds = time.monotonic() - self.begun
        print(f"{seconds:5.0f} s: {self.reported:>6} results; {text} (load {os.getloadavg()[0]:.1f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=0.2)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two kills")
    options = parser.parse_args()
    neurons.load_file(FILE)
    usual = {**tasks.get("fake").settings, "seconds": options.sleep}
    cells = [Cell("fake", "faked", "reference", 0, {**usual, "number": n}) for n in range(options.cells)]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(options.nodes):
        cluster.add_node(num_cpus=CORES, memory=MEMORY)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    disturber = Disturber(cluster, options.every)
    disturber.start()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "run", {"date": "2026-01-01"})
        store.begin(cells)
        reported: list[str] = []

        def finished(cell: Cell, result: Result) -> None:
            disturber.report()
            reported.append(store.key(cell))
            store.save(cell, result)

        executor = ray_executor.RayExecutor(
            60.0, UserFiles(neurons=[str(FILE)]), store.log, lambda _: None, finished, lambda: False
        )
        worked = time.process_time()
        executor.run(cells)
        worked = time.process_time() - worked
        seconds = time.monotonic() - disturber.begun
        disturber.log("all have ended")
        disturber.over.set()
        disturber.join()
        rows = read_results(Path(folder) / "run")
    ok = rows[rows.status == "ok"]
    slept = options.cells * options.sleep
    print(f"{options.cells} cells of {options.sleep:g} s on {options.nodes} nodes of {CORES} cores: {seconds:.0f} s")
    print(f"nodes killed and replaced: {disturber.killed}; batches run again: {sum(executor.losses.values())}")
    print(f"cells reported twice: {len(reported) - len(set(reported))}")
    print(f"doubled rows: {ok.duplicated(['cell', 'metric']).sum()}; lost rows: {options.cells * 2 - len(ok)}")
    print(f"efficiency from the first result on: {slept / (seconds * options.nodes * CORES):.0%}")
    print(f"driver: {1000 * worked / options.cells:.1f} ms of the processor a cell")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()

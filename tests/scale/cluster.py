"""Cells that sleep on a Ray cluster of several nodes on this machine, of which some are killed and others come.

`python -m tests.scale.cluster [--cells N] [--nodes N] [--kills N] [--sleep S]` prints what was lost, doubled and run
again, and how much of the cores' time was sleep. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import tempfile
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


class Disturber:
    """Kills a node and adds another every so many seconds; the head stays."""

    def __init__(self, cluster: Cluster, kills: int, every: float) -> None:
        self.cluster, self.kills, self.every = cluster, kills, every
        self.killed = 0
        self.begun: float | None = None

    def __call__(self) -> bool:
        """Asked often by the run, in its own thread; never asks it to stop."""
        due = self.begun is not None and time.monotonic() > self.begun + self.every * (self.killed + 1)
        if due and self.killed < self.kills:
            self.killed += 1
            self.cluster.remove_node(self.cluster.list_all_nodes()[-1], allow_graceful=False)
            self.cluster.add_node(num_cpus=CORES, memory=8 << 30)
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=0.1)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two kills")
    options = parser.parse_args()
    neurons.load_file(FILE)
    usual = {**tasks.get("fake").settings, "seconds": options.sleep}
    cells = [Cell("fake", "faked", "reference", 0, {**usual, "number": n}) for n in range(options.cells)]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(options.nodes):
        cluster.add_node(num_cpus=CORES, memory=8 << 30)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    disturber = Disturber(cluster, options.kills, options.every)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "run", {"date": "2026-01-01"})
        store.begin(cells)
        reported: list[str] = []

        def finished(cell: Cell, result: Result) -> None:
            disturber.begun = disturber.begun or time.monotonic()
            reported.append(store.key(cell))
            store.save(cell, result)

        executor = ray_executor.RayExecutor(
            60.0, UserFiles(neurons=[str(FILE)]), store.log, lambda _: None, finished, disturber
        )
        executor.run(cells)
        seconds = time.monotonic() - (disturber.begun or 0.0)
        rows = read_results(Path(folder) / "run")
    ok = rows[rows.status == "ok"]
    twice = ok.duplicated(["cell", "metric"]).sum()
    print(f"{options.cells} cells of {options.sleep:g} s on {options.nodes} nodes of {CORES} cores: {seconds:.0f} s")
    print(f"nodes killed and replaced: {disturber.killed}; batches run again: {sum(executor.losses.values())}")
    print(f"cells reported twice: {len(reported) - len(set(reported))}; doubled rows: {twice}")
    print(f"lost cells: {options.cells - ok.cell.nunique()}")
    print(
        f"efficiency from the first result on: {options.cells * options.sleep / (seconds * options.nodes * CORES):.0%}"
    )
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()

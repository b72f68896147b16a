"""A run of cells that sleep on a Ray cluster on this machine, of whose nodes some are killed and others come.

`python -m tests.scale.cluster [--cells N] [--nodes N] [--sleep S] [--every S]` prints what the run says, when a node is
killed, and in the end what was lost or doubled and how much of the cores' time was sleep. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil

from suite.runs.store import read_results
from tests.faults.cluster import Nodes
from tests.faults.run import Run, doubled

CORES = 2
VALUES = 2
"""Rows of a cell."""


class Log:
    """What is printed: each line with the seconds since the log began."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.again = 0

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.begun:5.0f} s  {text}", flush=True)

    def follow(self, run: Run) -> None:
        """Say what a run prints, and count the cells that it runs again."""
        assert run.running.stdout is not None
        for line in run.running.stdout:
            self.say(line.rstrip())
            if (lost := re.match(r"(\d+) cells? lost with a node or worker", line)) is not None:
                self.again += int(lost[1])


def disturb(run: Run, nodes: Nodes, every: float, log: Log) -> int:
    """Kill a node and add another every so many seconds until the run ends; how many."""
    killed = 0
    while True:
        try:
            run.running.wait(every)
            return killed
        except subprocess.TimeoutExpired:
            nodes.lose(1)
            log.say("a node is killed")
            nodes.add(1)
            log.say(f"another has come; load {os.getloadavg()[0]:.1f}, the run has worked {worked(run):.0f} s")
            killed += 1


def worked(run: Run) -> float:
    """Seconds of the processor that the process of a run took so far, without its nodes."""
    times = psutil.Process(run.running.pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=0.2)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two kills")
    options = parser.parse_args()
    nodes = Nodes(options.nodes, CORES)
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        more = ["--executor", "ray", "--address", nodes.cluster.address]
        run = Run(Path(folder) / "run", options.cells, options.sleep, more=more).start()
        follower = threading.Thread(target=log.follow, args=(run,))
        follower.start()
        killed = disturb(run.wait_for(1), nodes, options.every, log)
        follower.join()
        rows = read_results(run.out)
        twice = doubled(run.out)
    ok = rows[rows.status == "ok"]
    begins = ok[ok.metric == "begin"].value
    seconds = begins.max() - begins.min() + options.sleep
    slept = options.cells * options.sleep
    print(f"{options.cells} cells of {options.sleep:g} s on {options.nodes} nodes of {CORES} cores: {seconds:.0f} s")
    print(f"exit code {run.running.returncode}; nodes killed and replaced: {killed}; cells run again: {log.again}")
    print(f"doubled rows: {twice}; lost rows: {VALUES * options.cells - len(ok)}")
    print(f"efficiency from the first cell on: {slept / (seconds * options.nodes * CORES):.0%}")


if __name__ == "__main__":
    main()

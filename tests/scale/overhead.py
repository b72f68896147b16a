"""What a cell costs beside its work, on this machine and through Ray, in alternation.

`python -m tests.scale.overhead [--cells N] [--rounds N] [--seconds S]` runs `suite run` of cells that sleep S seconds.
Each cell notes when it begins. Of the second half of a run's cells, whose workers are warm, the cores' time between the
first and the last beginning is shared among them; what exceeds S is the overhead. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from suite.runs.executors import NAMES
from suite.runs.machine import usable_cores
from suite.runs.store import read_results
from tests.conftest import REPOSITORY

TASK = REPOSITORY / "tests/suite/runs/fake_task.py"


def overhead(executor: str, cells: int, seconds: float) -> tuple[float, float]:
    """Seconds of a core that a warm cell costs beyond its sleep, and seconds from the command to the first cell."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        begun = time.monotonic()
        subprocess.run(
            [
                *(sys.executable, "-m", "suite", "run", "--executor", executor, "--neuron-file", str(TASK)),
                *("--neurons", "faked", "--backends", "reference", "--tasks", "fake", "--profile", "smoke"),
                *("--set", f"seconds={seconds}", "--out", str(out)),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "FAKE_CELLS": str(cells)},
            check=True,
            capture_output=True,
        )
        rows = read_results(out)
    begins = sorted(rows[rows.metric == "begin"].value)
    assert len(begins) == cells
    warm = begins[cells // 2 :]
    return (warm[-1] - warm[0]) * usable_cores() / (len(warm) - 1) - seconds, begins[0] - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.0)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for number in range(options.rounds):
        for name in NAMES:
            each, first = overhead(name, options.cells, options.seconds)
            found[name].append(each)
            told = f"{1000 * each:.0f} ms a cell, the first after {first:.1f} s, load {os.getloadavg()[0]:.1f}"
            print(f"round {number + 1}, {name}: {told}", flush=True)
    for name, all_of_it in found.items():
        print(f"{name}: median {1000 * statistics.median(all_of_it):.0f} ms a cell")


if __name__ == "__main__":
    main()

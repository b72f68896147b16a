"""Plans of 1,000, 10,000 and 100,000 cells: seconds and memory to build, fill, resume and report each.

`python -m tests.scale.growth [CELLS …]` prints a line a step. Cells do nothing: their results are made by hand and
stored as a run stores them. Each step runs in a process of its own; its memory is that of the process at its peak,
beside what the imports alone take. Seconds of work are those of the processor, which a busy machine does not lengthen.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIZES = (1_000, 10_000, 100_000)
DATASETS = ("digits", "mnist5k", "mnist5k_rows", "japanese_vowels", "delayed_recall")
NEURONS = ("if", "lif", "plif", "klif", "glif", "clif", "relu", "adlif", "alif", "psn")
METRICS = ("accuracy_selected", "accuracy_final", "accuracy_validation_best", "training_seconds")


def planned(count: int) -> list:
    """So many cells: the networks' data sets, ten neurons, and as many seeds as it takes."""
    from suite.runs import plan

    seeds = max(1, count // (len(DATASETS) * len(NEURONS)))
    return plan.make(plan.Request("quick", ["accuracy"], NEURONS, datasets=DATASETS, seeds=seeds))


def store_of(run: Path):
    from suite.runs import provenance
    from suite.runs.store import Store

    return Store(run, provenance.collect(["scale"]))


def build(run: Path, count: int) -> None:
    """From a request to a plan on the disk."""
    from suite.runs import groups

    cells, store = planned(count), store_of(run)
    with store.locked():
        store.begin(cells)
        groups.remember(run, {groups.MAIN: [store.key(cell) for cell in cells]})
        store.write_provenance()


def fill(run: Path, count: int) -> None:
    """Store a result of every cell, one by one."""
    from suite.runs.record import measured
    from tasks import Value

    store = store_of(run)
    for number, cell in enumerate(planned(count)):
        values = [Value(metric, 50 + number * 7919 % 1000 / 25) for metric in METRICS]
        store.save(cell, measured(values, seconds=0.01))


def resume(run: Path, count: int) -> None:
    """Begin a run of the same plan, up to knowing that no cell is left."""
    cells, store = planned(count), store_of(run)
    with store.locked():
        store.begin(cells)
        outcomes = store.outcomes(cells)
    assert all(outcome is not None and outcome.finished for outcome in outcomes)


def table(run: Path, count: int) -> None:
    """Write results.parquet and results.csv."""
    rows = store_of(run).write_table()
    assert rows.cell.nunique() == len(planned(count))


def report(run: Path, count: int) -> None:
    """Make the page with its tables and plots."""
    from suite.publish.build import build

    build(run)


STEPS: dict[str, Callable[[Path, int], None]] = {
    "build": build,
    "fill": fill,
    "resume": resume,
    "table": table,
    "report": report,
}


def peak() -> float:
    """MB that this process took at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step(name: str, run: Path, count: int) -> None:
    """Do one step in this process and print its line."""
    import suite.api  # noqa: F401  # what every command that measures imports, and the report

    if name != "report":
        planned(1)  # which imports what plans need
    before, started, worked = peak(), time.perf_counter(), time.process_time()
    STEPS[name](run, count)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    files = sum(1 for _ in (run / "cells").iterdir())
    took = f"{seconds:8.1f} s, {work:6.1f} s of work, {peak():6.0f} MB (imports {before:.0f})"
    print(f"{count:>8} {name:<8} {took} {files:>6} files", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int, nargs="*", default=SIZES)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help="keep the run directory here")
    options = parser.parse_args()
    if options.step:
        step(options.step, options.run, options.cells[0])
        return
    for count in options.cells:
        with tempfile.TemporaryDirectory() as folder:
            run = options.run or Path(folder) / "run"
            for name in STEPS:
                line = [sys.executable, "-m", "tests.scale.growth", str(count), "--step", name, "--run", str(run)]
                subprocess.run(line, check=True)


if __name__ == "__main__":
    main()

"""The run directory cannot be written, from the start or from some moment on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.run import DEADLINE, Fault, Outcome, Run, again


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of a few kilobytes; needs root."""
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def enlarge(place: Path) -> None:
    """Give a small disk more room than any fault needs."""
    subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)


def full(folder: Path) -> Outcome:
    with small_disk(folder, "100k") as place:
        return Run(place / "run", cells=60).start().end()


def enlarged(folder: Path) -> Outcome:
    with small_disk(folder, "100k") as place:
        run = Run(place / "run", cells=60).start()
        run.end()
        before = run.stored()
        enlarge(place)
        return again(run).end(before)


def full_of_a_batch(folder: Path) -> Outcome:
    with small_disk(folder, "60k") as place:
        return Run(place / "run", cells=4, more=["--set", "batch=4", "--set", "values=20000"]).start().end()


def moved(folder: Path) -> Outcome:
    run = Run(folder / "run", cells=30, seconds=0.2).start().wait_for(3)
    before = run.stored()
    run.out.rename(folder / "elsewhere")
    text, _ = run.running.communicate(timeout=DEADLINE)
    shutil.move(folder / "elsewhere", run.out)
    return run.outcome(text, before)


def read_only(folder: Path) -> Outcome:
    cells = folder / "run" / "cells"
    cells.mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(cells), str(cells)], check=True)
    try:
        run = Run(folder / "run", cells=30, seconds=0.2).start().wait_for(3)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(cells)], check=True)
        return run.end()
    finally:
        subprocess.run(["umount", "-l", str(cells)], check=True)


def read_only_from_the_start(folder: Path) -> Outcome:
    with small_disk(folder, "50m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        return Run(place / "run").start().end()


def deleted(folder: Path) -> Outcome:
    run = Run(folder / "run", cells=20, seconds=0.2).start().wait_for(3)
    for path in (run.out / "cells").glob("*.json"):
        path.unlink()
    outcome = run.end()
    return Outcome(outcome.said, outcome.code, "what was deleted", "Traceback" in "".join(outcome.said))


def no_folder(folder: Path) -> Outcome:
    (folder / "run").touch()
    return Run(folder / "run").start().end()


FAULTS = [
    Fault("full", "the disk is full (60 cells, 100 kB)", full),
    Fault("enlarged", "the same line again on a larger disk", enlarged),
    Fault("full-batch", "the disk is full while a batch sends 1 MB a cell", full_of_a_batch),
    Fault("moved", "the run directory is moved away", moved),
    Fault("read-only", "the folder of cells becomes read-only", read_only),
    Fault("read-only-start", "the disk is read-only from the start", read_only_from_the_start),
    Fault("deleted", "stored cells are deleted while the run goes on", deleted),
    Fault("no-folder", "--out is a file", no_folder),
]

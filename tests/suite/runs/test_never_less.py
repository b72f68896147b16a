"""Runs, losses, merges and publications in any order: the measured answers of a directory never become fewer."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.publish import publish
from suite.runs.merge import merge
from suite.runs.record import Result, measured
from suite.runs.store import RunError, Store, read_results
from suite.runs.table import questions
from tasks import Cell, Value

NEURONS = ("lif", "clif", "plif")
MACHINES = ("Fast CPU", "Slow CPU")
DIRECTORIES = ("a", "b")

runs = st.tuples(
    st.just("run"),
    st.sampled_from(DIRECTORIES),
    st.sampled_from(NEURONS),
    st.sampled_from(("accuracy", "throughput")),
    st.sampled_from(MACHINES),
    st.sampled_from(("ok", "failed", "nonfinite")),
    st.sampled_from(("one", "two")),  # the commit, whose code makes another key
    st.booleans(),  # whether it came to writing the table
)
harms = st.tuples(
    st.sampled_from(("lose cells", "lose plan", "lose table", "break plan")), st.sampled_from(DIRECTORIES)
)
moves = st.tuples(st.sampled_from(("merge", "publish", "read")), st.sampled_from(DIRECTORIES))


class Place:
    """Directories, and of each the questions that were answered in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answered: dict[str, set[str]] = {name: set() for name in DIRECTORIES}
        self.clock = 0

    def check(self) -> None:
        for name, answered in self.answered.items():
            assert answered <= found(self.root / name), name

    def run(self, name: str, neuron: str, task: str, machine: str, ended: str, commit: str, finished: bool) -> None:
        self.clock += 1
        provenance: dict[str, Any] = {
            "date": f"2026-01-01T00:00:{self.clock:02d}",
            "command": ["python", "-m", "suite", "run"],
            "commit": commit * 4,
            "dirty": False,
            "python": "3.11",
            "packages": {"torch": "2.9"},
            "machine": {"cpu": machine, "cores": 2, "memory_gib": 4},
        }
        store = Store(self.root / name, provenance)
        cell = Cell(task, neuron, "cpu", 0, {"dataset": "digits", "timesteps": 4})
        store.key = lambda _: f"{neuron}-{task}-{machine}-{commit}".replace(" ", "-")  # type: ignore[method-assign]
        with store.locked():
            store.begin([cell])
            store.write_provenance()
            if not store.finished(cell):
                value = float("nan") if ended == "nonfinite" else float(self.clock)
                result = Result("failed", detail="cause") if ended == "failed" else measured([Value("m", value)], 1.0)
                store.save(cell, result)
            if finished:
                store.write_provenance(store.write_table())
        self.answered[name] |= found(self.root / name)

    def harm(self, what: str, name: str) -> None:
        folder = self.root / name
        if not folder.exists():
            return
        store = Store(folder)
        store.write_table()
        paths = {"cells": "cells", "plan": "plan.json", "table": "results.parquet"}
        path = folder / paths[what.split()[1]]
        if what == "lose table" and not (folder / "cells").exists():
            return
        if what == "lose table":  # what is in the table alone is lost with it, by whoever deleted it
            path.unlink()
            self.answered[name] = found(folder)
        elif what == "break plan":
            path.write_text("{")
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def merge(self, name: str) -> None:
        """Merge all into a new directory, which takes the place of one."""
        filled = [each for each in DIRECTORIES if self.answered[each]]
        if not filled:
            return
        merge([self.root / each for each in filled], self.root / "merged")
        everything = set().union(*self.answered.values())
        assert everything <= found(self.root / "merged")
        shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "merged").rename(self.root / name)
        self.answered[name] = everything

    def publish(self, name: str) -> None:
        """Publish one, and go on in the published copy."""
        if not self.answered[name]:
            return
        target = publish(self.root / name, "published", True, self.root / "results")
        assert self.answered[name] <= found(target)
        shutil.rmtree(self.root / name)
        shutil.copytree(target, self.root / name)


def found(folder: Path) -> set[str]:
    """The questions to which a directory holds a measured answer."""
    try:
        rows = read_results(folder)
    except RunError:
        return set()
    return set(questions(rows[rows.metric.notna()]))


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.one_of(runs, harms, moves), min_size=1, max_size=8))
def test_measured_answers_never_become_fewer(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for what, *rest in steps:
            if what == "run":
                place.run(*rest)
            elif what == "merge":
                place.merge(*rest)
            elif what == "publish":
                place.publish(*rest)
            elif what != "read":
                place.harm(what, *rest)
            place.check()

"""Whatever is run, merged, published and reported, in whatever order: what was measured stays measured."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from suite.publish import publish
from suite.publish.build import build
from suite.runs import groups
from suite.runs.conditions import PLACE
from suite.runs.merge import merge
from suite.runs.record import MEASURED, Result
from suite.runs.store import RunError, Store, read_results
from suite.runs.table import questions
from tasks import Cell, Value

NAMES = ("one", "two")
MACHINES = ("Fast", "Slow")
"""Each machine has a file system of its own, with directories of the same names."""

ASKED = {"memory": {"elements": 64, "dtype": "float32"}, "accuracy": {"dataset": "digits", "network": "mlp"}}
"""A task that measures the machine, and one that does not."""
METRIC = {"memory": "saved_bytes", "accuracy": "accuracy_selected"}


def provenance(machine: str, torch: str, date: int) -> dict[str, Any]:
    facts = {"cpu": machine, "cores": 2, "memory_gib": 8}
    known = {"date": f"2026-01-01T00:00:{date:02}", "commit": "a" * 40, "dirty": False, "machine": facts, "threads": 2}
    return {**known, "packages": {"torch": torch}, "command": ["python", "-m", "suite", "run"]}


def cell(task: str, neuron: str, seed: int) -> Cell:
    return Cell(task, neuron, "cpu", seed, {"timesteps": 8, "protocol": "controlled", **ASKED[task]})


def measured(folder: Path) -> set[tuple[str, ...]]:
    """What a directory holds: questions, machine and versions that answered, with the place of each measured number.

    Of two answers to one question by the same machine and versions, that of newer code takes the place of the older.
    """
    rows = read_results(folder)
    rows = rows[rows.status.isin(MEASURED)]
    told = rows[[*PLACE, "machine", "versions"]].assign(question=questions(rows))
    return set(told.astype(str).itertuples(index=False, name=None))


class Directories(RuleBasedStateMachine):
    """Run directories on two machines, merged ones and a folder of published runs."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.known: dict[Path, set[tuple[str, ...]]] = {}
        self.dates = itertools.count()
        self.merges, self.reports = itertools.count(), itertools.count()

    def teardown(self) -> None:
        self.folder.cleanup()

    def directories(self) -> list[Path]:
        return sorted(self.known)

    @rule(
        machine=st.sampled_from(MACHINES),
        place=st.integers(0, 5),
        task=st.sampled_from(list(ASKED)),
        neurons=st.lists(st.sampled_from(["lif", "clif", "if"]), min_size=1, unique=True),
        seed=st.integers(0, 1),
        torch=st.sampled_from(["2.9.0", "2.14.1"]),
        fails=st.booleans(),
        value=st.floats(1, 9),
    )
    def run(
        self, machine: str, place: int, task: str, neurons: list[str], seed: int, torch: str, fails: bool, value: float
    ) -> None:
        """Into a new directory, or one that is there already, of whatever origin."""
        there = [*(self.root / machine / name for name in NAMES), *self.directories()]
        folder = there[place % len(there)]
        own = provenance(machine, torch, next(self.dates))
        with (
            patch("suite.runs.machine.describe", lambda: own["machine"]),
            patch("suite.runs.cell_key.versions", lambda: own["packages"]),
        ):
            self.measure(folder, own, [cell(task, neuron, seed) for neuron in neurons], fails, value)
        self.known.setdefault(folder, set())

    def measure(self, folder: Path, own: dict[str, Any], cells: list[Cell], fails: bool, value: float) -> None:
        """What `suite run` does, with made results; if it fails, for the first cell."""
        store = Store(folder, provenance=own)
        store.begin(cells)
        store.write_provenance()
        groups.remember(folder, {groups.MAIN: [store.key(each) for each in cells]})
        for number, each in enumerate(cells):
            if not store.finished(each):
                bad = fails and number == 0
                done = (
                    Result("failed", detail="why")
                    if bad
                    else Result("ok", [Value(METRIC[each.task], value)], timesteps=8)
                )
                store.save(each, done)
        store.write_provenance(store.write_table())

    @rule(picks=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def merged(self, picks: list[int]) -> None:
        there = [folder for folder in self.directories() if self.known[folder]]
        if there:
            parts = [there[pick % len(there)] for pick in picks]
            out = self.root / "merged" / str(next(self.merges))
            merge(parts, out)
            self.known[out] = set().union(*(measured(part) for part in parts))

    @rule(pick=st.integers(0, 9), name=st.sampled_from(NAMES))
    def published(self, pick: int, name: str) -> None:
        """Unasked: what would lose a run, or is incomplete, is refused."""
        there = [folder for folder in self.directories() if self.known[folder]]
        if there:
            source = there[pick % len(there)]
            try:
                target = publish(source, name, False, self.root / "published")
            except RunError:
                return
            self.known[target] = self.known.get(target, set()) | measured(source)

    @rule(pick=st.integers(0, 9))
    def reported(self, pick: int) -> None:
        """Twice at most: figures take seconds."""
        there = [folder for folder in self.directories() if self.known[folder]]
        if there and next(self.reports) < 2:
            build(there[pick % len(there)])

    @invariant()
    def nothing_is_lost(self) -> None:
        for folder, before in self.known.items():
            try:
                now = measured(folder)
            except RunError:
                now = set()
            assert before <= now, f"{folder}: lost {sorted(before - now)}"
            self.known[folder] = now


@pytest.mark.slow
def test_the_set_of_measured_rows_never_shrinks() -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Directories,
        settings=settings(max_examples=20, stateful_step_count=8, deadline=None, suppress_health_check=quiet,
                          derandomize=True),
    )  # fmt: skip

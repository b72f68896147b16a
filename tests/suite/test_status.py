"""How far a run is, told from its directory: before, while and after it is at work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from suite.cli import main
from suite.inspection.status import line
from suite.runs import progress
from suite.runs.record import Result
from suite.runs.store import Store
from tests.suite.runs.made_stores import PROVENANCE, answer, cell

NEURONS = ("lif", "plif", "clif", "glif")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Four cells, of which one is done and one failed."""
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell(name) for name in NEURONS])
    own.save(cell("lif"), answer())
    own.save(cell("plif"), Result("failed", detail="cause"))
    return own


def at_work(store: Store, **changed: Any) -> progress.Note:
    note = progress.Note(store.root, store.key, jobs=2)
    note.started([cell("clif")])
    note.write()
    path = store.root / progress.FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return note


def test_what_was_measured_after_the_table_was_written_counts(store: Store) -> None:
    store.write_table()
    store.save(cell("plif"), answer())
    assert progress.read(store.root).parts["accuracy", "plif"] == progress.Part(cells=1, done=1)


def test_a_run_at_work(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    at_work(store)
    status = progress.read(store.root)
    assert status.parts["accuracy", "lif"] == progress.Part(cells=1, done=1)
    assert status.parts["accuracy", "plif"] == progress.Part(cells=1, failed=1)
    assert status.parts["accuracy", "clif"] == progress.Part(cells=1, running=1)
    assert status.parts["accuracy", "glif"] == progress.Part(cells=1)
    assert status.seconds_left is not None
    assert status.seconds_left > 0
    where = f"process {os.getpid()} on {socket.gethostname()}"
    assert line(status).startswith("1/4 cells done, 1 running, 1 failed, about ")
    assert line(status).endswith(f"left; {where}")
    printed = "a warning\nepoch 1 of 9: loss 2.3\nepoch 2 of 9: loss 1.1, about 4:10 left\nmore\n"
    store.log(cell("clif")).write_text(printed)
    assert main(["status", str(store.root)]) == 0
    assert "clif" in (shown := capsys.readouterr().out)
    assert "1/4 cells done" in shown
    assert "seed 0: epoch 2 of 9: loss 1.1, about 4:10 left" in shown
    assert "epoch 1" not in shown


@pytest.mark.parametrize(
    "changed", [{"date": time.time() - 1000}, {"process": 2**22 + 1}, {"running": None}], ids=["old", "gone", "done"]
)
def test_a_run_that_was_killed_is_not_at_work(changed: dict[str, Any], store: Store) -> None:
    note = at_work(store, **{name: value for name, value in changed.items() if value is not None})
    if changed == {"running": None}:
        note.remove()
    status = progress.read(store.root)
    assert status.where is None
    assert status.seconds_left is None
    assert line(status) == "1/4 cells done, 0 running, 1 failed; no run is at work here"


def test_a_note_of_another_machine_counts_while_it_is_new(store: Store) -> None:
    at_work(store, host="another", process=2**22 + 1)
    assert progress.read(store.root).where == f"process {2**22 + 1} on another"


def test_a_run_of_a_table_alone(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.write_table()
    shutil.rmtree(store.root / "cells")
    assert main(["status", str(store.root), "--watch"]) == 0, "with nothing at work there is nothing to wait for"
    assert "1/4 cells done, 0 running, 1 failed" in capsys.readouterr().out


def test_looking_changes_nothing(store: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    progress.read(store.root)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path / "nothing")]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "no plan.json; a run directory is made by" in told

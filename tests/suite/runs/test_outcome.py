"""How a cell ends decides what is stored, counted, shown, reused and returned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import neurons
import tasks
from neurons import BackendUnavailable
from suite.runs import execute, files, measure
from suite.runs.record import Result, measured
from suite.runs.store import read_results
from suite.runs.worker import as_result
from tasks import Cell, Value

FILE = Path(__file__).with_name("fake_task.py")


@pytest.fixture(autouse=True)
def _fake_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(tasks.TASKS)
    neurons.load_file(FILE)
    yield
    tasks.TASKS.clear()
    tasks.TASKS.update(before)


def cells(count: int, **settings: Any) -> list[Cell]:
    own = {**tasks.get("fake").settings, **settings}
    return [Cell("fake", "faked", "reference", 0, {**own, "number": number}) for number in range(count)]


OK = measured([Value("value", 1.0)], 1.0)
ENDS = {
    "ok": OK,
    "nonfinite": measured([Value("value", float("nan"))], 1.0),
    "failed": as_result(ValueError("the cause"), 1.0),
    "timeout": Result("timeout", detail="not done"),
    "unavailable": as_result(BackendUnavailable("needs a card"), 1.0),
}


def ended(monkeypatch: pytest.MonkeyPatch, out: Path, results: Sequence[Result]) -> tuple[int, list[Cell]]:
    """The exit code of a run whose cells end so, and the cells that it ran."""
    asked: list[Cell] = []

    def report(self: execute.LocalExecutor, open_cells: Sequence[Cell]) -> None:
        for cell in open_cells:
            if self.stop():
                return
            asked.append(cell)
            self.finished(cell, results[cell.settings["number"]])

    monkeypatch.setattr(execute.LocalExecutor, "run", report)
    code = measure.execute({"run": cells(len(results))}, out, 10.0, ["run"])
    return code, asked


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (("ok",), 0),
        (("ok", "unavailable"), 0),
        (("ok", "failed"), 1),
        (("ok", "timeout"), 1),
        (("ok", "nonfinite"), 1),
        (("nonfinite",), 1),
        (("unavailable",), 1),
        (("failed",), 1),
        (("unavailable", "timeout"), 1),
    ],
    ids=str,
)
def test_a_run_ends_as_its_cells(
    statuses: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert [ENDS[status].status for status in statuses] == list(statuses)
    assert ended(monkeypatch, tmp_path, [ENDS[status] for status in statuses])[0] == code
    rows = read_results(tmp_path)
    assert list(rows.status) == list(statuses)
    said = capsys.readouterr().err
    for status in set(statuses):
        assert f"1 {status}" in said
    assert ("nothing was measured" in caplog.text) == (not {"ok", "nonfinite"} & set(statuses))
    _, again = ended(monkeypatch, tmp_path, [OK] * len(statuses))
    assert len(again) == len(statuses) - statuses.count("ok"), "only what ended ok is reused"
    assert set(read_results(tmp_path).status) == {"ok"}


def test_the_cause_of_what_is_unavailable_is_kept() -> None:
    assert (ENDS["unavailable"].status, ENDS["unavailable"].detail) == ("unavailable", "needs a card")
    assert ENDS["failed"].detail == "ValueError: the cause"
    assert "ValueError: the cause" in ENDS["failed"].traceback
    assert as_result(ValueError(), 1.0).detail == "ValueError"


def test_other_settings_are_other_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(monkeypatch, tmp_path, [OK])
    monkeypatch.setattr(execute.LocalExecutor, "run", lambda self, asked: [self.finished(cell, OK) for cell in asked])
    measure.execute({"run": cells(1, mode="another")}, tmp_path, 10.0, ["run"])
    assert read_results(tmp_path).settings.nunique() == 2


@pytest.mark.parametrize("recovers", [True, False])
def test_a_full_disk_stops_the_run_and_loses_nothing_stored(
    recovers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[Path] = []
    whole = files.os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(files.os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.parent.name == "cells":
            written.append(path)
            if len(written) == 3 or (len(written) > 3 and not recovers):
                raise OSError(28, "No space left on device")
        whole(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    code, asked = ended(monkeypatch, tmp_path, [OK] * 10)
    assert code == 1
    assert len(asked) == 3, "it stops at once"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith(f"stopped: cannot write {tmp_path}/cells/")
    assert "No space left on device" in lines[0]
    assert "free" in lines[0]
    assert ("every result is stored" if recovers else "1 result could not be stored") in lines[0]
    assert len(read_results(tmp_path)) == (3 if recovers else 2)
    assert not list(tmp_path.rglob("*.tmp"))


def test_rows_of_two_versions_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = measure.provenance.collect(["run"])
    for version in ("2.9.0", "2.14.1"):
        made = {**known, "packages": {**known["packages"], "torch": version}}
        monkeypatch.setattr(measure.provenance, "collect", lambda *_, made=made: made)
        neuron = "lif" if version == "2.9.0" else "clif"
        monkeypatch.setattr(execute.LocalExecutor, "run", lambda self, asked: [self.finished(one, OK) for one in asked])
        measure.execute(
            {"run": [Cell("fake", neuron, "reference", 0, tasks.get("fake").settings)]}, tmp_path, 1.0, ["run"]
        )
    rows: pd.DataFrame = read_results(tmp_path).set_index("neuron")
    assert "torch 2.9.0" in rows.versions["lif"]
    assert "torch 2.14.1" in rows.versions["clif"]
    assert "rows of several versions: " in caplog.text

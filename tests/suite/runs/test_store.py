"""A run directory never loses a measured row, and of several answers to one question one counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from suite.runs import cell_key
from suite.runs.record import Result
from suite.runs.store import Store, read_plan, read_results
from tests.suite.runs.made_stores import PROVENANCE, answer, cell, filled, lose_cells, measured_neurons


def lose_plan(root: Path) -> None:
    (root / "plan.json").unlink()


def lose_table(root: Path) -> None:
    (root / "results.parquet").unlink()
    (root / "results.csv").unlink()


def publish(root: Path) -> None:
    lose_cells(root)
    lose_plan(root)


def break_plan(root: Path) -> None:
    (root / "plan.json").write_text("{")


def break_a_cell(root: Path) -> None:
    next((root / "cells").glob("*.json")).write_text('{"cell": ')


@pytest.mark.parametrize(
    "harm", [lose_cells, lose_plan, lose_table, publish, break_plan, break_a_cell], ids=lambda harm: harm.__name__
)
def test_what_was_measured_stays_and_new_rows_come_beside_it(harm: Callable[[Path], None], tmp_path: Path) -> None:
    filled(tmp_path / "run", "lif", "plif")
    harm(tmp_path / "run")
    assert measured_neurons(tmp_path / "run") == ["lif", "plif"]
    filled(tmp_path / "run", "clif")
    assert measured_neurons(tmp_path / "run") == ["clif", "lif", "plif"]
    assert sorted(pd.read_csv(tmp_path / "run/results.csv").neuron) == ["clif", "lif", "plif"]


def test_a_killed_first_run_can_be_reported(tmp_path: Path) -> None:
    own = Store(tmp_path, PROVENANCE)
    own.begin([cell("lif"), cell("clif")])
    own.save(cell("lif"), answer())
    assert measured_neurons(tmp_path) == ["lif"]
    assert not (tmp_path / "results.parquet").exists(), "reading writes nothing"


def test_cells_that_a_killed_later_run_left_are_in_the_table(tmp_path: Path) -> None:
    filled(tmp_path, "lif")
    later = Store(tmp_path, PROVENANCE)
    later.begin([cell("clif")])
    later.save(cell("clif"), answer())
    assert measured_neurons(tmp_path) == ["clif", "lif"]


def test_newer_code_answers_a_question_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, "lif", value=1.0)
    monkeypatch.setattr(cell_key, "versions", lambda: {"torch": "another"})
    newer = Store(tmp_path, PROVENANCE)
    newer.begin([cell("lif")])
    assert len(read_plan(tmp_path)) == 1
    assert list(newer.table().value) == [1.0], "the old answer stands until there is a new one"
    newer.save(cell("lif"), Result("failed", detail="broken by the new code"))
    assert sorted(newer.table().status) == ["failed", "ok"]
    newer.save(cell("lif"), answer(2.0))
    assert list(newer.table().value) == [2.0]
    (tmp_path / "plan.json").unlink()
    assert list(newer.table().value) in ([1.0], [2.0]), "of equal dates either counts, but one alone"


def test_a_later_date_counts_where_no_plan_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for torch_version, date, value in (("b", "2026-03-01", 3.0), ("a", "2026-02-01", 2.0)):
        monkeypatch.setattr(cell_key, "versions", lambda text=torch_version: {"torch": text})
        filled(tmp_path, "lif", provenance={"date": date}, value=value)
    (tmp_path / "plan.json").unlink()
    (tmp_path / "results.parquet").unlink()
    assert list(read_results(tmp_path).value) == [3.0]


@pytest.mark.parametrize("task", ["throughput", "accuracy"])
def test_answers_of_two_machines_are_two(task: str, tmp_path: Path) -> None:
    for cpu in ("Fast CPU", "Slow CPU"):
        own = Store(tmp_path, {**PROVENANCE, "machine": {"cpu": cpu, "cores": 2, "memory_gib": 16}})
        own.keys[cell_key.identity(cell(task=task))] = cpu.replace(" ", "")
        own.begin([cell(task=task)])
        own.save(cell(task=task), answer())
    assert len(own.table()) == 2


def test_equal_settings_are_one_cell(tmp_path: Path) -> None:
    alike = [cell(**{"neuron.tau": 2}), cell(**{"neuron.tau": 2.0}), cell(**{"neuron.tau": 2, "width": None})]
    assert len({cell_key.identity(own) for own in alike}) == 1
    assert len({cell_key.key(own) for own in alike}) == 1
    assert cell_key.identity(cell(flag=True)) != cell_key.identity(cell(flag=1)), "a truth value is no number"

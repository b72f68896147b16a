"""The plan of a run: read as it was written, small however many seeds, and as older versions wrote it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from suite.runs.cell_key import identity
from suite.runs.plan_file import Entry, Plan, planned_keys, read_plan, write_plan
from tasks import Cell


def cells(seeds: int) -> list[Cell]:
    settings = [{"dataset": name, "epochs": 3, "long": "x" * 500, "none": None} for name in ("digits", "mnist5k")]
    return [Cell("accuracy", "lif", "cpu", seed, own, "cuda:1") for own in settings for seed in range(seeds)]


def planned(made: list[Cell]) -> Plan:
    return {identity(cell): Entry(f"key {number}", cell) for number, cell in enumerate(made)}


def test_it_is_read_as_it_was_written_and_holds_settings_once(tmp_path: Path) -> None:
    plan = {**planned(cells(1500)), "unreadable": Entry("its key", None)}
    write_plan(tmp_path, plan)
    read = read_plan(tmp_path)
    assert read == plan
    assert list(read) == list(plan)
    assert (tmp_path / "plan.json").read_text().count("x" * 500) == 2
    assert read[identity(cells(1)[0])].cell.settings is read[identity(cells(2)[1])].cell.settings
    assert planned_keys(tmp_path) == {entry.key for entry in plan.values()}


@pytest.mark.parametrize("made", [[], cells(1)])
def test_one_of_no_or_few_cells(made: list[Cell], tmp_path: Path) -> None:
    write_plan(tmp_path, planned(made))
    assert read_plan(tmp_path) == planned(made)


def test_an_older_one_is_read(tmp_path: Path) -> None:
    plan = planned(cells(2))
    older = {name: {"key": key, "cell": dataclasses.asdict(cell)} for name, (key, cell) in plan.items()}
    (tmp_path / "plan.json").write_text(json.dumps({**older, "x": {"key": "of x"}}))
    assert read_plan(tmp_path) == {**plan, "x": Entry("of x", None)}


@pytest.mark.parametrize(
    "text",
    [
        '{"settings": [], "cells": {"a": ["key", "accuracy", "lif", "cpu", "cpu", 0, 0]}}',
        '{"settings": [], "cells": {"a": [3, null, null, null, null, null, null]}}',
        '{"settings": [], "cells": {"a": []}}',
        '{"settings": [], "cells": []}',
        '{"a": {"key": 3}}',
    ],
)
def test_a_broken_one_is_set_aside(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "plan.json").write_text(text)
    assert read_plan(tmp_path) == {}
    assert "plan.json is broken" in caplog.text

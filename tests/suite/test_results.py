"""compare and merge on runs made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from suite.compare import compare
from suite.report import groups
from suite.runs.store import COLUMNS, RunError


def make_run(
    path: Path,
    values: dict[str, list[float]],
    machine: str = "a",
    dirty: bool = False,
    seconds: tuple[float, float, float] = (1.0, 0.9, 1.1),
    commit: str = "0",
) -> Path:
    """A run with accuracies by neuron and seed, and one timing: its median and the middle three fifths."""
    rows = [
        {"task": "accuracy", "neuron": neuron, "metric": "accuracy_selected", "seed": seed, "value": value}
        for neuron, own in values.items()
        for seed, value in enumerate(own)
    ]
    for suffix, value in zip(("", "_p20", "_p80"), seconds, strict=True):
        metric = f"forward_backward_time{suffix}"
        rows.append({"task": "throughput", "neuron": "lif", "metric": metric, "seed": 0, "value": value})
    common = dict.fromkeys(COLUMNS) | {"backend": "cpu", "dataset": "digits", "settings": "{}", "status": "ok"}
    types = dict.fromkeys(("timesteps", "seed", "step", "lag"), "Int64")
    path.mkdir()
    keys = [f"{commit}{row['task']}{row['neuron']}{row['seed']}" for row in rows]
    records = [common | {"run": path.name, "cell": key} | row for key, row in zip(keys, rows, strict=True)]
    table = pd.DataFrame(records).astype(types)
    table.to_parquet(path / "results.parquet")
    table.to_csv(path / "results.csv")
    facts = {"cpu": machine, "cores": 2}
    provenance = {"dirty": dirty, "commit": commit * 40, "date": "2026-01-01", "machine": facts, "threads": 2}
    (path / "provenance.json").write_text(json.dumps(provenance))
    groups.remember(path, {"run": keys})
    (path / "report").mkdir()
    (path / "report/index.html").write_text("page")
    return path


def test_compare_finds_the_change_and_accuses_nothing_else(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    second = make_run(tmp_path / "b", {"lif": [90.3, 90.9, 90.4, 90.2], "clif": [80.0, 80.2, 79.9, 80.1]})
    third = make_run(tmp_path / "c", {"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    table = compare([first, second, third], any_machine=False)
    assert [(name.split()[0], row[0].text) for name, row in table.rows] == [("clif", "b")]


@pytest.mark.parametrize(
    ("seconds", "changed"), [((1.05, 1.0, 1.1), False), ((1.3, 1.05, 1.6), False), ((1.3, 1.2, 1.4), True)]
)
def test_a_timing_changed_beyond_the_spread_of_its_rounds(
    seconds: tuple[float, float, float], changed: bool, tmp_path: Path
) -> None:
    first, second = make_run(tmp_path / "a", {}), make_run(tmp_path / "b", {}, seconds=seconds)
    metrics = [row[1].text for _, row in compare([first, second], any_machine=False).rows]
    assert ("forward_backward_time" in metrics) is changed


def test_compare_refuses_timings_of_two_machines(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [1.0, 2.0, 3.0]})
    second = make_run(tmp_path / "b", {"lif": [1.0, 2.0, 3.0]}, machine="b")
    with pytest.raises(RunError, match="different machines"):
        compare([first, second], any_machine=False)
    assert compare([first, second], any_machine=True).rows == []

"""compare and publish on runs made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from suite.compare import _holm, compare
from suite.publish import publish
from suite.store import COLUMNS, RunError


def make_run(path: Path, values: dict[str, list[float]], machine: str = "a", dirty: bool = False) -> Path:
    """A run with accuracies by neuron and seed, and one timing."""
    rows = [
        {"task": "accuracy", "neuron": neuron, "metric": "accuracy_selected", "seed": seed, "value": value}
        for neuron, own in values.items()
        for seed, value in enumerate(own)
    ]
    rows.append({"task": "throughput", "neuron": "lif", "metric": "forward_time", "seed": 0, "value": 1.0})
    common = dict.fromkeys(COLUMNS) | {"backend": "cpu", "dataset": "digits", "settings": "{}", "status": "ok"}
    types = dict.fromkeys(("timesteps", "seed", "step", "lag"), "Int64")
    path.mkdir()
    table = pd.DataFrame([common | {"cell": str(index)} | row for index, row in enumerate(rows)]).astype(types)
    table.to_parquet(path / "results.parquet")
    table.to_csv(path / "results.csv")
    provenance = {"dirty": dirty, "commit": "0" * 40, "date": "2026-01-01", "machine": {"cpu": machine, "cores": 2}}
    (path / "provenance.json").write_text(json.dumps(provenance))
    (path / "report").mkdir()
    (path / "report/index.html").write_text("page")
    return path


def test_compare_finds_the_change_and_accuses_nothing_else(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [90.0, 91.0, 90.5, 90.2], "clif": [95.0, 95.1, 94.9, 95.0]})
    second = make_run(tmp_path / "b", {"lif": [90.3, 90.9, 90.4, 90.2], "clif": [80.0, 80.2, 79.9, 80.1]})
    table = compare(first, second, any_machine=False)
    assert [name.split()[0] for name, _ in table.rows] == ["clif"]


def test_compare_refuses_timings_of_two_machines(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", {"lif": [1.0, 2.0, 3.0]})
    second = make_run(tmp_path / "b", {"lif": [1.0, 2.0, 3.0]}, machine="b")
    with pytest.raises(RunError, match="different machines"):
        compare(first, second, any_machine=False)
    assert compare(first, second, any_machine=True).rows == []


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.03, 0.04: times 3, 2, 1, never falling: 0.03, 0.06, 0.06
    assert _holm(pd.Series([0.04, 0.01, 0.03])).sort_index().tolist() == pytest.approx([0.06, 0.03, 0.06])


def test_publish_copies_and_indexes(tmp_path: Path) -> None:
    root = tmp_path / "published"
    target = publish(make_run(tmp_path / "a", {"lif": [1.0]}), "first", force=False, root=root)
    assert (target / "report/index.html").read_text() == "page"
    assert "[index](first/report/index.html)" in (root / "README.md").read_text()
    dirty = make_run(tmp_path / "b", {"lif": [1.0]}, dirty=True)
    with pytest.raises(RunError, match="its code was not committed; --force"):
        publish(dirty, "second", force=False, root=root)
    publish(dirty, "second", force=True, root=root)
    assert "(dirty)" in (root / "README.md").read_text()

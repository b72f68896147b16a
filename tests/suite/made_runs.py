"""Whole run directories made by hand, of the rows of `tests.suite.report.handmade`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.runs import groups
from suite.runs.store import write_results
from tests.suite.report.handmade import Record, rows


def make_run(
    path: Path,
    *records: Sequence[Record],
    machine: str = "one",
    commit: str = "a",
    date: str = "2026-01-01",
    group: str = "run",
    **provenance: Any,
) -> Path:
    """A run of these rows; the keys of its cells begin with the commit, as a key changes with the code."""
    path.mkdir(parents=True)
    table = rows(*records).assign(run=path.name)
    table["cell"] = f"{commit}-" + table.cell
    write_results(table, path)
    facts = {
        "date": date,
        "commit": commit * 40,
        "dirty": False,
        "machine": {"cpu": machine, "cores": 2},
        "packages": {"torch": "2.9.0"},
        "threads": 2,
        "commands": [],
    }
    (path / "provenance.json").write_text(json.dumps({**facts, **provenance}))
    groups.remember(path, {group: list(table.cell.unique())})
    return path


def plan(run: Path, keys: Mapping[str, str]) -> None:
    """Give a run a plan: cell keys by question."""
    (run / "plan.json").write_text(json.dumps({question: {"key": key} for question, key in keys.items()}))


def with_report(run: Path) -> Path:
    """Give a run a page, an answer, the plot and a table that are published, and a plot that is not."""
    for name in ("plots", "tables"):
        (run / "report" / name).mkdir(parents=True)
    (run / "report/index.html").write_text("page")
    (run / "report/answer.json").write_text("{}")
    (run / "report/plots/accuracy.png").write_text("plot")
    (run / "report/plots/x.png").write_text("plot")
    (run / "report/tables/board.md").write_text("table")
    return run


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

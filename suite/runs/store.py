"""The run directory: one JSON file a cell, the plan, provenance, and the tidy table made of them.

RUN/cells/<key>.json   written whole and renamed, so a run killed at any moment keeps what it finished
RUN/plan.json          the cells that belong to the run
RUN/results.parquet    one value a row (and results.csv)
RUN/provenance.json
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import tasks
from suite.runs.cell_key import identity, key
from tasks import Cell, Value

Status = Literal["ok", "failed", "timeout", "unavailable"]

COLUMNS = [
    "run",
    "task",
    "dataset",
    "network",
    "neuron",
    "backend",
    "protocol",
    "device",
    "dtype",
    "timesteps",
    "seed",
    "settings",
    "metric",
    "layer",
    "step",
    "lag",
    "value",
    "unit",
    "status",
    "detail",
    "cell",
]
OWN_COLUMNS = ("dataset", "network", "protocol", "dtype")
"""Settings that have a column of their own; the others stand in `settings` as JSON.

The column `timesteps` is the T that ran. Where the setting asked for another (a sequence has its own T, a neuron
without memory sees a static input once), `settings` keeps what was asked for."""
DEFAULTS = {"dtype": "float32"}
"""What a task without such a setting uses."""


class RunError(Exception):
    """A run directory is missing or cannot be read."""


@dataclass(frozen=True)
class Result:
    """How a cell ended, and what it measured if it ended ok.

    Attributes:
        timesteps: the T that its neurons ran over; None where that is not known or the task has none.
    """

    status: Status
    values: Sequence[Value] = ()
    detail: str = ""
    traceback: str = ""
    seconds: float = 0.0
    device: str = "cpu"
    timesteps: int | None = None


@dataclass
class Store:
    """One run directory."""

    root: Path
    keys: dict[str, str] = field(default_factory=dict)

    def begin(self, cells: Sequence[Cell]) -> None:
        """Create the directory and add the cells to its plan; a cell replaces the same question of older code."""
        (self.root / "cells").mkdir(parents=True, exist_ok=True)
        planned = self._planned()
        for cell in cells:
            planned[identity(cell)] = {"key": self.key(cell), "cell": _as_json(cell)}
        write_atomically(self.root / "plan.json", json.dumps(planned))

    def key(self, cell: Cell) -> str:
        """The cell's key, computed once a run."""
        name = identity(cell)
        if name not in self.keys:
            self.keys[name] = key(cell)
        return self.keys[name]

    def save(self, cell: Cell, result: Result) -> None:
        """Write the result of a cell, whole or not at all."""
        record = {"cell": _as_json(cell), **asdict(result)}
        write_atomically(self._path(self.key(cell)), json.dumps(record))

    def load(self, cell: Cell) -> Result | None:
        """The stored result, whatever its status; None if there is none."""
        record = self._read(self.key(cell))
        return None if record is None else _result(record)

    def finished(self, cell: Cell) -> bool:
        """True if the cell ended ok: only then is it reused."""
        result = self.load(cell)
        return result is not None and result.status == "ok"

    def table(self) -> pd.DataFrame:
        """The tidy table of all planned cells that have a result."""
        rows: list[dict[str, Any]] = []
        for entry in self._planned().values():
            record = self._read(entry["key"])
            if record is not None:
                rows += _rows(self.root.name, entry["key"], Cell(**record["cell"]), _result(record))
        table = pd.DataFrame(rows, columns=COLUMNS)
        types = {"timesteps": "Int64", "seed": "Int64", "step": "Int64", "lag": "Int64", "value": "float64"}
        return table.astype(types)

    def write_table(self) -> pd.DataFrame:
        """Write results.parquet and results.csv and return the table."""
        table = self.table()
        write_results(table, self.root)
        return table

    def write_provenance(self, provenance: dict[str, Any]) -> None:
        """Write provenance.json; the commands that filled the directory before stay in its list."""
        before = [own for own in read_provenance(self.root).get("commands", []) if own != provenance["command"]]
        whole = {**provenance, "commands": [*before, provenance["command"]]}
        write_atomically(self.root / "provenance.json", json.dumps(whole, indent=2))

    def _path(self, key: str) -> Path:
        return self.root / "cells" / f"{key}.json"

    def _read(self, key: str) -> dict[str, Any] | None:
        path = self._path(key)
        return json.loads(path.read_text()) if path.exists() else None

    def _planned(self) -> dict[str, Any]:
        return _read_plan(self.root)


def write_results(table: pd.DataFrame, root: Path) -> None:
    """Write results.parquet and results.csv, each whole or not at all."""
    for suffix, write in ((".parquet", table.to_parquet), (".csv", table.to_csv)):
        temporary = root / f".results{suffix}.tmp"
        write(temporary, index=False)
        os.replace(temporary, root / f"results{suffix}")


def read_results(root: Path) -> pd.DataFrame:
    """The table of a finished run; RunError with what to do if there is none."""
    path = root / "results.parquet"
    if not path.exists():
        raise RunError(f"{root}: no results.parquet; a run directory is made by `python -m suite run --out {root}`")
    return pd.read_parquet(path)


def planned_keys(root: Path) -> set[str]:
    """The keys of all cells that a run directory is to hold; empty if it keeps no plan."""
    return {entry["key"] for entry in _read_plan(root).values()}


def _read_plan(root: Path) -> dict[str, Any]:
    path = root / "plan.json"
    return json.loads(path.read_text()) if path.exists() else {}


def read_provenance(root: Path) -> dict[str, Any]:
    path = root / "provenance.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also under a power cut."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def _as_json(cell: Cell) -> dict[str, Any]:
    return {**asdict(cell), "settings": dict(cell.settings)}


def _result(record: dict[str, Any]) -> Result:
    values = [Value(**value) for value in record["values"]]
    return Result(**{k: v for k, v in record.items() if k not in ("cell", "values")}, values=values)


def _rows(run: str, key: str, cell: Cell, result: Result) -> Iterable[dict[str, Any]]:
    metrics = tasks.get(cell.task).metrics if cell.task in tasks.TASKS else {}
    others = {name: value for name, value in cell.settings.items() if name not in OWN_COLUMNS}
    if others.get("timesteps") == result.timesteps:
        others.pop("timesteps", None)
    common = {
        "run": run,
        "task": cell.task,
        "neuron": cell.neuron,
        "backend": cell.backend,
        "device": result.device,
        "timesteps": result.timesteps,
        "seed": cell.seed,
        "settings": json.dumps(others, sort_keys=True),
        "status": result.status,
        "detail": result.detail,
        "cell": key,
        **{name: cell.settings.get(name, DEFAULTS.get(name)) for name in OWN_COLUMNS},
    }
    for value in result.values:
        metric = metrics.get(value.metric)
        yield {**common, **asdict(value), "unit": metric.unit if metric else None}
    if not result.values:
        yield common

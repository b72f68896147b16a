"""The run directory, and the one owner of its table. It never loses a measured row.

RUN/cells/<key>.json   written whole and renamed, so a run killed at any moment keeps what it finished
RUN/logs/<key>.log     what a cell printed, if it printed anything
RUN/plan.json          the cells that belong to the run
RUN/results.parquet    one value a row (and results.csv)
RUN/provenance.json    of the latest command; each row says what made it
RUN/format.json        the version of these files

The cells are the source of the table while they are there; rows whose cells are not (a published or merged run, a lost
cell) are kept from `results.parquet`. Answers of other machines or versions stand side by side; of several answers to
one question by the same of both the latest that was measured counts, and beside it a later one that failed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import filelock
import pandas as pd

from suite.runs import table as tables
from suite.runs.cell_key import identity, key
from suite.runs.files import (
    RunError,
    StorageError,
    make_folder,
    read_json,
    remove_leftovers,
    replacing,
    set_aside,
    write_atomically,
)
from suite.runs.provenance import origin_of
from suite.runs.record import (
    FORMAT,
    MEASURED,
    BrokenRecord,
    Record,
    Result,
    cell_to_json,
    record_from_json,
    record_to_text,
)
from suite.runs.table import COLUMNS
from tasks import Cell

__all__ = [
    "COLUMNS",
    "Result",
    "RunError",
    "StorageError",
    "Store",
    "planned_keys",
    "read_plan",
    "read_provenance",
    "read_results",
    "write_atomically",
    "write_plan",
    "write_results",
]


@dataclass
class Store:
    """One run directory.

    Attributes:
        provenance: of the command that fills it; decides the origin of what is saved.
        unsaved: results that could not be written, by key; `save_unsaved` tries them once more.
    """

    root: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    unsaved: dict[str, Record] = field(default_factory=dict)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Self]:
        """Hold the directory, which is made if need be, for this process alone.

        Raises:
            RunError: another process holds it, or it cannot be written.
        """
        make_folder(self.root)
        holder = self.root / ".holder.json"
        lock = filelock.FileLock(self.root / ".lock", mode=0o666)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise RunError(f"{self.root} is in use by {_holder(holder)}; wait for it, or take another --out") from error
        except OSError as error:
            raise StorageError(self.root / ".lock", error) from error
        try:
            own = {name: self.provenance.get(name) for name in ("date", "command")}
            write_atomically(holder, json.dumps({"process": os.getpid(), "host": socket.gethostname(), **own}))
            yield self
        finally:
            with contextlib.suppress(OSError):  # in a folder that was moved or became read-only it stays, unlocked
                holder.unlink(missing_ok=True)
            lock.release()

    def begin(self, cells: Sequence[Cell]) -> None:
        """Add cells to the plan, and bring what an older version wrote to the present format."""
        make_folder(self.root / "cells")
        for folder in (self.root, self.root / "cells"):
            remove_leftovers(folder)
        self._upgrade()
        planned = read_plan(self.root)
        for cell in cells:
            planned[identity(cell)] = {"key": self.key(cell), "cell": cell_to_json(cell)}
        write_plan(self.root, planned)

    def key(self, cell: Cell) -> str:
        """The cell's key, computed once a run."""
        name = identity(cell)
        if name not in self.keys:
            self.keys[name] = key(cell)
        return self.keys[name]

    def save(self, cell: Cell, result: Result) -> None:
        """Write the result of a cell, whole or not at all.

        Raises:
            StorageError: it could not be written; it is kept in `unsaved`.
        """
        record = Record(cell, result, origin_of(self.provenance, cell.backend, cell.neuron, cell.device))
        path = self._path(self.key(cell))
        try:
            if result.status not in MEASURED and path.exists() and _is_measured(_read_record(path)):
                self.write_table()  # which keeps what was measured when the cell's file no longer holds it
            write_atomically(path, record_to_text(record))
        except StorageError:
            self.unsaved[self.key(cell)] = record
            raise

    def save_unsaved(self) -> int:
        """Try once more what could not be written; how many results remain unwritten."""
        for name, record in list(self.unsaved.items()):
            try:
                write_atomically(self._path(name), record_to_text(record))
            except StorageError:
                break
            del self.unsaved[name]
        return len(self.unsaved)

    def load(self, cell: Cell) -> Result | None:
        """The stored result, whatever its status; None if there is none, or if it was broken and is set aside."""
        path = self._path(self.key(cell))
        record = _read_record(path)
        if record is None:
            return None
        if identity(record.cell) != identity(cell):
            set_aside(path, "it holds another cell than its name says")
            return None
        return record.result

    def finished(self, cell: Cell) -> bool:
        """Whether a result that is reused is stored, see `Result`."""
        result = self.load(cell)
        return result is not None and result.finished

    def table(self) -> pd.DataFrame:
        """The tidy table: the rows of all cells, and those rows of results.parquet whose cells are not there."""
        records = dict(_records(self.root))
        planned = {entry["key"]: place for place, entry in enumerate(read_plan(self.root).values())}
        ordered = sorted(records, key=lambda name: (planned.get(name, len(planned)), name))
        own = tables.as_table([row for name in ordered for row in tables.rows_of(self.root.name, name, records[name])])
        kept = self._kept(records)
        both = own if kept.empty else pd.concat([kept, own], ignore_index=True)
        later = {name: (name in planned, record.origin.get("date") or "") for name, record in records.items()}
        return _latest(both, len(kept), later)

    def _kept(self, records: Mapping[str, Record]) -> pd.DataFrame:
        """The rows of results.parquet whose cells are not there, or no longer measured."""
        path = self.root / "results.parquet"
        known = tables.read_parquet(path, read_provenance(self.root)) if path.exists() else None
        if known is None:
            return tables.as_table([])
        measured = [name for name, record in records.items() if record.result.status in MEASURED]
        return known[~known.cell.isin(measured) & (known.status.isin(MEASURED) | ~known.cell.isin(records))]

    def write_table(self) -> pd.DataFrame:
        """Write results.parquet and results.csv and return the table.

        Raises:
            StorageError: they could not be written; the cells are as before.
        """
        state = _state_of_cells(self.root)
        table = self.table()
        write_results(table, self.root, state)
        return table

    def write_provenance(self, rows: pd.DataFrame | None = None) -> None:
        """Write provenance.json; the commands that filled the directory before and the runs merged into it stay.

        Args:
            rows: the table, once it is known; `dirty` is then told of all commits that its rows are of.
        """
        before = read_provenance(self.root)
        own = self.provenance["command"]
        commands = [*(command for command in before.get("commands", []) if command != own), own]
        began = before.get("began") or before.get("date") or self.provenance.get("date")
        whole = {**self.provenance, "began": began, "commands": commands}
        if "merged" in before:
            whole["merged"] = before["merged"]
        if rows is not None:
            whole["dirty"] = _dirty(rows)
        elif before and whole.get("dirty") is False:
            whole["dirty"] = before.get("dirty")
        write_atomically(self.root / "provenance.json", json.dumps(whole, indent=2))

    def log(self, cell: Cell) -> Path:
        """The file that takes what a cell prints; its folder is made where that is possible."""
        path = self.root / "logs" / f"{self.key(cell)}.log"
        with contextlib.suppress(OSError):
            path.parent.mkdir(exist_ok=True)
        return path.absolute()

    def _path(self, key: str) -> Path:
        return self.root / "cells" / f"{key}.json"

    def _upgrade(self) -> None:
        """Give results of format 1 the origin that the directory's provenance names, before that is replaced."""
        written = _format(self.root)
        if written >= FORMAT:
            return
        before = read_provenance(self.root)
        for path in _cell_files(self.root):
            record = _read_record(path)
            if record is not None and not record.origin:
                origin = origin_of(before, record.cell.backend, record.cell.neuron, record.cell.device)
                write_atomically(path, record_to_text(Record(record.cell, record.result, origin)))
        path = self.root / "results.parquet"
        if path.exists() and (rows := tables.read_parquet(path, before)) is not None:
            tables.write_parquet(rows, path)
        write_atomically(self.root / "format.json", json.dumps({"format": FORMAT}))


def write_results(table: pd.DataFrame, root: Path, cells: str = "") -> None:
    """Write results.parquet and results.csv, each whole or not at all; `cells` is the state of the cells behind it."""
    tables.write_parquet(table, root / "results.parquet", cells)
    with replacing(root / "results.csv") as temporary:
        table.to_csv(temporary, index=False)


def read_results(root: Path) -> pd.DataFrame:
    """The table of a run directory, made from its cells where results.parquet is missing, broken or older than they.

    Raises:
        RunError: there are no results, or a later version wrote them.
    """
    path = root / "results.parquet"
    _format(root)
    cells = (root / "cells").is_dir()
    if path.exists() and (not cells or tables.cells_behind(path) == _state_of_cells(root)):
        rows = tables.read_parquet(path, read_provenance(root))
        if rows is not None:
            return rows
    if cells:
        rows = Store(root).table()
        if len(rows):
            return rows
    if (root / "plan.json").exists():
        raise RunError(f"{root}: no results yet: no cell of its plan is measured")
    raise RunError(f"{root}: no results.parquet; a run directory is made by `python -m suite run --out {root}`")


def planned_keys(root: Path) -> set[str]:
    """The keys of all cells that a run directory is to hold; empty if it keeps no plan."""
    return {entry["key"] for entry in read_plan(root).values()}


def read_plan(root: Path) -> dict[str, dict[str, Any]]:
    """The cells of a run by their identity, each with its `key`; empty if there is no plan or it was broken."""
    path = root / "plan.json"
    known = read_json(path, dict) or {}
    if all(isinstance(entry, dict) and isinstance(entry.get("key"), str) for entry in known.values()):
        return known
    set_aside(path, "an entry has no key of a cell")
    return {}


def write_plan(root: Path, plan: dict[str, dict[str, Any]]) -> None:
    write_atomically(root / "plan.json", json.dumps(plan))


def read_provenance(root: Path) -> dict[str, Any]:
    """The provenance of a run directory; empty if it keeps none or it was broken."""
    path = root / "provenance.json"
    known = read_json(path, dict) or {}
    for name, kind in (("commands", list), ("merged", dict)):
        entries = known.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, kind) for entry in entries):
            set_aside(path, f"{name} is no list of {'lists' if kind is list else 'objects'}")
            return {}
    return known


def _format(root: Path) -> int:
    """The version of a directory's files; 1 where it is not said."""
    known = (read_json(root / "format.json", dict) or {}).get("format", 1)
    if not isinstance(known, int) or known > FORMAT:
        raise RunError(f"{root} is of format {known}; this version reads up to {FORMAT}: update neuron-suite")
    return known


def _cell_files(root: Path) -> list[Path]:
    return sorted((root / "cells").glob("[!.]*.json"))


def _records(root: Path) -> Iterator[tuple[str, Record]]:
    """Every readable record with its key."""
    for path in _cell_files(root):
        record = _read_record(path)
        if record is not None:
            yield path.stem, record


def _read_record(path: Path) -> Record | None:
    known = read_json(path, dict)
    if known is None:
        return None
    try:
        return record_from_json(known)
    except BrokenRecord as error:
        set_aside(path, str(error))
        return None


def _is_measured(record: Record | None) -> bool:
    return record is not None and record.result.status in MEASURED


def _state_of_cells(root: Path) -> str:
    """A hash of the names, sizes and times of the cells, so that a table can be told from an outdated one."""
    found = [(path.name, known.st_size, known.st_mtime_ns) for path in _cell_files(root) if (known := path.stat())]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:20]


def _latest(rows: pd.DataFrame, kept: int, later: Mapping[str, tuple[bool, str]]) -> pd.DataFrame:
    """Of several answers by the same machine and versions to one question, the latest measured, and a later failure.

    Args:
        rows: first those `kept` from the table, then those of cells, which are later.
        later: of each cell, whether the plan names it, and its date: what tells cells of one question apart.
    """
    of_cell = pd.Series(range(len(rows)), rows.index) >= kept
    answer = rows.groupby([of_cell, rows.cell], sort=False).ngroup()
    first = rows[~answer.duplicated()]
    known = [later.get(name, (False, "")) for name in first.cell]
    each = pd.DataFrame(
        {
            "question": tables.answerers(first).to_numpy(),
            "measured": rows.status.isin(MEASURED).groupby(answer).any().to_numpy(),
            "of_cell": of_cell[first.index].to_numpy(),
            "planned": [planned for planned, _ in known],
            "date": [date for _, date in known],
            "cell": first.cell.to_numpy(),
        }
    ).sort_values(["of_cell", "planned", "date", "cell"])
    each["order"] = range(len(each))
    last = each.drop_duplicates(["question", "measured"], keep="last")
    best = last[last.measured].set_index("question").order
    counts = last.measured | (last.order > last.question.map(best).fillna(-1))
    return rows[answer.isin(last.index[counts])].reset_index(drop=True)


def _dirty(rows: pd.DataFrame) -> bool | None:
    """Whether rows are of uncommitted code; None if that of some is not known and of none it is certain."""
    commits = rows.commit.drop_duplicates()
    if commits.str.endswith("-dirty").fillna(False).astype(bool).any():
        return True
    return None if commits.isna().any() else False


def _holder(path: Path) -> str:
    known = read_json(path, dict) or {}
    if "process" not in known:
        return "another process"
    command = " ".join(map(str, known.get("command") or []))
    return f"process {known['process']} on {known.get('host')} since {known.get('date')} ({command})"

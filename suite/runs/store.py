"""The run directory, and the one owner of its table. It never loses a measured row.

RUN/cells/<key>.json   written whole and renamed, so a run killed at any moment keeps what it finished;
                       of more than 1,000 cells in packs as well, see `suite.runs.cell_files`
RUN/logs/<key>.log     what a cell printed, if anything; beside it .checkpoint1 of a training that is not done
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
import itertools
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
from suite.runs.cell_files import CellFiles, read_record
from suite.runs.cell_key import Keys, identity
from suite.runs.files import (
    RunError,
    StorageError,
    log,
    make_folder,
    read_json,
    remove_leftovers,
    set_aside,
    write_atomically,
)
from suite.runs.packs import Outcome
from suite.runs.plan_file import Entry, planned_keys, read_plan, write_plan
from suite.runs.provenance import origin_of
from suite.runs.record import FORMAT, MEASURED, Record, Result
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
    _key_of: Keys = field(default_factory=Keys, init=False)
    _newer: set[str] | None = field(default=None, init=False)
    """The cells measured since the table was written; None if this process has not written it."""

    def __post_init__(self) -> None:
        self.files = CellFiles(self.root / "cells")

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
        self._pack()
        known = read_plan(self.root)
        planned = {**known, **{identity(cell): Entry(self.key(cell), cell) for cell in cells}}
        if planned != known:
            write_plan(self.root, planned)

    def key(self, cell: Cell) -> str:
        """The cell's key, computed once a run."""
        name = identity(cell)
        if name not in self.keys:
            self.keys[name] = self._key_of(cell)
        return self.keys[name]

    def save(self, cell: Cell, result: Result) -> None:
        """Write the result of a cell, whole or not at all.

        Raises:
            StorageError: it could not be written; it is kept in `unsaved`.
        """
        origin = origin_of(self.provenance, cell.backend, cell.neuron, cell.device)
        record = Record(cell, result, {**origin, "machine": result.machine or origin["machine"]})
        key = self.key(cell)
        measured = result.status in MEASURED
        try:
            if not measured and (self._newer is None or key in self._newer) and _is_measured(self.files.read(key)):
                self.write_table()  # which keeps what was measured when the cell's record no longer holds it
            self.files.write(key, record)
        except StorageError:
            self.unsaved[key] = record
            raise
        if self._newer is not None and measured:
            self._newer.add(key)
        if self.files.should_pack():
            self._pack()

    def _pack(self) -> None:
        """Pack the cells if there are many."""
        try:
            if self.files.many():
                self.files.pack()
        except StorageError as error:
            log.warning("cells remain files of their own: %s", error)

    def save_unsaved(self) -> int:
        """Try once more what could not be written; how many results remain unwritten."""
        for name, record in list(self.unsaved.items()):
            try:
                self.files.write(name, record)
            except StorageError:
                break
            del self.unsaved[name]
        return len(self.unsaved)

    def load(self, cell: Cell) -> Result | None:
        """The stored result, whatever its status; None if there is none, or if it was broken and is set aside."""
        record = self.files.read(self.key(cell))
        if record is None:
            return None
        if identity(record.cell) != identity(cell):
            self._refuse(cell)
            return None
        return record.result

    def outcomes(self, cells: Sequence[Cell]) -> list[Outcome | None]:
        """How each of many cells ended, without what it measured; see `load`."""
        stored = self.files.outcomes()
        found: list[Outcome | None] = []
        for cell in cells:
            outcome = stored.get(self.key(cell))
            if outcome is not None and outcome.identity != identity(cell):
                self._refuse(cell)
                outcome = None
            found.append(outcome)
        return found

    def _refuse(self, cell: Cell) -> None:
        """Set the file of a cell aside that holds another; in a pack it is left, and a later result takes its place."""
        path = self.files.path(self.key(cell))
        if path.exists():
            set_aside(path, "it holds another cell than its name says")

    def finished(self, cell: Cell) -> bool:
        """Whether a result that is reused is stored, see `Result`."""
        result = self.load(cell)
        return result is not None and result.finished

    def table(self) -> pd.DataFrame:
        """The tidy table: the rows of all cells, and those rows of results.parquet whose cells are not there."""
        planned = {entry.key: place for place, entry in enumerate(read_plan(self.root).values())}
        facts: dict[str, tuple[str, str]] = {}
        parts = [tables.rows_of(self.root.name, several) for several in _noted(self.files.records(), facts)]
        place = {
            name: number for number, name in enumerate(sorted(facts, key=lambda n: (planned.get(n, len(planned)), n)))
        }
        own = tables.in_order(parts, place)
        kept = self._kept({name: status for name, (status, _) in facts.items()})
        both = own if kept.empty else pd.concat([kept, own], ignore_index=True)
        return _latest(both, len(kept), {name: (name in planned, date) for name, (_, date) in facts.items()})

    def _kept(self, stored: Mapping[str, str]) -> pd.DataFrame:
        """The rows of results.parquet whose cells are not there, or no longer measured."""
        path = self.root / "results.parquet"
        known = tables.read_parquet(path, read_provenance(self.root)) if path.exists() else None
        if known is None:
            return tables.as_table([])
        measured = [name for name, status in stored.items() if status in MEASURED]
        return known[~known.cell.isin(measured) & (known.status.isin(MEASURED) | ~known.cell.isin(stored))]

    def write_table(self) -> pd.DataFrame:
        """Write results.parquet and results.csv and return the table.

        Raises:
            StorageError: they could not be written; the cells are as before.
        """
        state = self.files.state()
        table = self.table()
        write_results(table, self.root, state)
        self._newer = set()
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

    def _upgrade(self) -> None:
        """Give results of format 1 the origin that the directory's provenance names, before that is replaced."""
        written = _format(self.root)
        if written >= FORMAT:
            return
        before = read_provenance(self.root)
        for path in self.files.paths():
            record = read_record(path)
            if record is not None and not record.origin:
                origin = origin_of(before, record.cell.backend, record.cell.neuron, record.cell.device)
                self.files.write(path.stem, Record(record.cell, record.result, origin))
        path = self.root / "results.parquet"
        if path.exists() and (rows := tables.read_parquet(path, before)) is not None:
            tables.write_parquet(rows, path)
        write_atomically(self.root / "format.json", json.dumps({"format": FORMAT}))


def write_results(table: pd.DataFrame, root: Path, cells: str = "") -> None:
    """Write results.parquet and results.csv, each whole or not at all; `cells` is the state of the cells behind it."""
    whole = tables.as_arrow(table)
    tables.write_parquet(whole, root / "results.parquet", cells)
    tables.write_csv(whole, root / "results.csv")


def read_results(root: Path) -> pd.DataFrame:
    """The table of a run directory, made from its cells where results.parquet is missing, broken or older than they.

    Raises:
        RunError: there are no results, or a later version wrote them.
    """
    path = root / "results.parquet"
    _format(root)
    cells = (root / "cells").is_dir()
    if path.exists() and (not cells or tables.cells_behind(path) == CellFiles(root / "cells").state()):
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


TOGETHER = 2000
"""Records that become rows at a time: all at once would be held three times over."""


def _noted(
    records: Iterator[tuple[str, Record]], facts: dict[str, tuple[str, str]]
) -> Iterator[list[tuple[str, Record]]]:
    """The records, several at a time; the status and the date of each are noted in `facts`."""
    while several := list(itertools.islice(records, TOGETHER)):
        facts.update((name, (own.result.status, own.origin.get("date") or "")) for name, own in several)
        yield several


def _is_measured(record: Record | None) -> bool:
    return record is not None and record.result.status in MEASURED


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
    counted = answer.isin(last.index[counts])
    return rows if counted.all() else rows[counted].reset_index(drop=True)


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

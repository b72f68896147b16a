"""One run: its cells measured, its rows written, and what it ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from suite.runs import groups, provenance
from suite.runs.cell_key import identity
from suite.runs.execute import LocalExecutor
from suite.runs.executors import Maker
from suite.runs.files import StorageError, log
from suite.runs.interrupt import StopRequest
from suite.runs.notebook import make_display
from suite.runs.progress import Note
from suite.runs.record import Result
from suite.runs.store import Store, read_plan
from suite.runs.table import mixtures
from suite.runs.text import counted
from suite.runs.tuning import Load, superseded
from suite.runs.user_files import UserFiles
from tasks import Cell
from tasks.measuring import devices
from tasks.training import checkpoint

Members = Mapping[str, Sequence[Cell]]
"""The cells of each group: the main run, studies, the comparison of packages."""
Report = Callable[[Path], None]
"""What makes and shows the report of a run directory."""
Follow = Callable[[Load], Sequence[Cell]]
"""What further cells there are, by the results that are stored."""


def execute(
    members: Members,
    out: Path,
    time_limit: float,
    arguments: list[str],
    files: UserFiles | None = None,
    report: Report | None = None,
    follow: Follow | None = None,
    executor: Maker = LocalExecutor,
) -> int:
    """Run the cells of the groups that are not yet done in `out`, then make the report by `report`, if it is given.

    Args:
        follow: further cells of the main run, by the results of all others.

    Returns:
        0 if every cell ended ok or was unavailable, and one at least ok; 1 if one failed, was not finite or ran out
        of time, if none was measured, or if a result could not be stored; 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        RunError: another process holds `out`, or it cannot be written.
    """
    cells = distinct(members)
    store = Store(out, provenance.collect(arguments, sorted({cell.device for cell in cells})))
    with store.locked():
        own = (files or UserFiles()).resolved()
        _begin(store, members)
        code = _measure(store, cells, time_limit, own, executor)
        further = follow(store.load) if code is None and follow is not None else ()
        if further:
            members = {**members, groups.MAIN: [*members[groups.MAIN], *further]}
            cells = distinct(members)
            _begin(store, members)
            code = _measure(store, cells, time_limit, own, executor)
        if code is not None:
            return code
        if report is not None:
            with StopRequest(f"interrupted; the rows are written, and `python -m suite report {out}` makes the page"):
                report(out)
        return _judge(store, cells)


def distinct(members: Members) -> list[Cell]:
    """The cells of all groups, each once."""
    return list({identity(cell): cell for own in members.values() for cell in own}.values())


def _begin(store: Store, members: Members) -> None:
    """Write down what the run is to hold, before any of it is measured."""
    cells = distinct(members)
    store.begin(cells)
    keys = {name: [store.key(cell) for cell in own] for name, own in members.items()}
    replaced = superseded(read_plan(store.root), cells)
    if replaced:
        before = groups.read(store.root).get(groups.SUPERSEDED, [])
        keys[groups.SUPERSEDED] = sorted({*before, *replaced} - {store.key(cell) for cell in cells})
    groups.remember(store.root, keys)
    store.write_provenance()


def _measure(
    store: Store, cells: Sequence[Cell], time_limit: float, files: UserFiles, make_executor: Maker
) -> int | None:
    """Run the cells that are not yet done and write the table; an exit code if that was ended before its end."""
    known = list(zip(cells, store.outcomes(cells), strict=True))
    open_cells = [cell for cell, outcome in known if outcome is None or not outcome.finished]
    earlier = [(cell, own.seconds) for cell, own in known if own is not None and own.finished and own.seconds]
    display = make_display(cells, cached=len(cells) - len(open_cells), earlier=earlier, log=store.log)
    display.plan(open_cells)
    stop = StopRequest(f"interrupted; the same line again goes on from here (run directory {store.root})")
    faults: list[StorageError] = []

    def started(batch: Sequence[Cell]) -> None:
        note.started(batch)
        display.started(batch)

    def finished(cell: Cell, result: Result) -> None:
        note.finished(cell)
        result = replace(result, device=devices.shown(cell.device))
        try:
            store.save(cell, result)
            stop.orderly = True
            if result.finished:
                checkpoint.discard(store.log(cell))
        except StorageError as error:
            faults.append(error)
        display.finished(cell, result)

    def stopped() -> bool:
        note.write()
        display.look()
        return stop.signal is not None or bool(faults)

    executor = make_executor(time_limit, files, store.log, started, finished, stopped)
    note = Note(store.root, store.key, executor.jobs)
    display.jobs = executor.jobs
    with stop:
        try:
            with display:
                executor.run(open_cells)
        finally:
            note.remove()
        try:
            lost = store.save_unsaved()
            rows = store.write_table()
            store.write_provenance(rows)
        except StorageError as error:
            lost = len(store.unsaved)
            faults.append(error)
        if faults:
            kept = f"{counted(lost, 'result')} could not be stored" if lost else "every result is stored"
            log.error("stopped: %s; %s; the same line again goes on from here", faults[0], kept)
            return 1
        for line in mixtures(rows):
            log.warning("%s", line)
        return stop.end() if stop.signal is not None else None


def _judge(store: Store, cells: Sequence[Cell]) -> int:
    """The exit code of a run that came to its end."""
    ended = Counter("gone" if outcome is None else outcome.status for outcome in store.outcomes(cells))
    if ended["gone"]:
        gone = counted(ended["gone"], "result")
        log.error("gone from %s: %s, deleted while the run went on", store.root, gone)
    if not ended["ok"] and not ended["nonfinite"]:
        log.error(
            "nothing was measured: of %s, %s",
            counted(len(cells), "cell"),
            ", ".join(f"{n} {s}" for s, n in ended.items()),
        )
        return 1
    return 1 if set(ended) - {"ok", "unavailable"} else 0

"""One run from request to report."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from suite import studies
from suite.report import closing, groups
from suite.report.build import build
from suite.runs import packages, plan, provenance
from suite.runs.cell_key import identity
from suite.runs.execute import LocalExecutor
from suite.runs.files import StorageError, log
from suite.runs.interrupt import StopRequest
from suite.runs.notebook import make_display
from suite.runs.record import Result
from suite.runs.store import Store
from suite.runs.table import mixtures
from suite.runs.user_files import UserFiles
from suite.studies import Scale
from suite.text import counted
from tasks import Cell
from tasks.measuring import devices

Members = Mapping[str, Sequence[Cell]]
"""The cells of each group: the main run, studies, the comparison of packages."""


def run(request: plan.Request, files: UserFiles, out: Path, time_limit: float | None, arguments: list[str]) -> int:
    """Run what a request asks for and is not yet done in `out`, then report; see `execute`."""
    files.load()
    limit = plan.time_limit(time_limit, request.profile)
    return execute({groups.MAIN: plan.make(request)}, out, limit, arguments, files)


def run_studies(names: Sequence[str], scale: Scale, out: Path, time_limit: float | None, arguments: list[str]) -> int:
    """Run the cells of studies that are not yet done in `out`, then report; see `execute`."""
    limit = plan.time_limit(time_limit, scale.profile)
    return execute({name: studies.get(name).grid(scale) for name in names}, out, limit, arguments)


def run_packages(profile: str, device: str, out: Path, time_limit: float | None, arguments: list[str]) -> int:
    """Compare the packages that are installed with the suite, as far as not yet done in `out`; see `execute`."""
    limit = plan.time_limit(time_limit, profile)
    return execute({packages.GROUP: packages.grid(profile, device)}, out, limit, arguments)


def execute(
    members: Members,
    out: Path,
    time_limit: float,
    arguments: list[str],
    files: UserFiles | None = None,
    report: bool = True,
) -> int:
    """Run the cells of the groups that are not yet done in `out`, then make the report, if it is wanted.

    Returns:
        0 if every cell ended ok or was unavailable, and one at least ok; 1 if one failed, was not finite or ran out
        of time, if none was measured, or if a result could not be stored; 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        RunError: another process holds `out`, or it cannot be written.
    """
    cells = list({identity(cell): cell for own in members.values() for cell in own}.values())
    store = Store(out, provenance.collect(arguments, sorted({cell.device for cell in cells})))
    with store.locked():
        store.begin(cells)
        groups.remember(out, {name: [store.key(cell) for cell in own] for name, own in members.items()})
        store.write_provenance()
        code = _measure(store, cells, time_limit, (files or UserFiles()).resolved())
        if code is not None:
            return code
        if report:
            with StopRequest(f"interrupted; the rows are written, and `python -m suite report {out}` makes the page"):
                print_report(out)
        return _judge(store, cells)


def _measure(store: Store, cells: Sequence[Cell], time_limit: float, files: UserFiles) -> int | None:
    """Run the cells that are not yet done and write the table; an exit code if that was ended before its end."""
    known = [(cell, store.load(cell)) for cell in cells]
    open_cells = [cell for cell, result in known if result is None or not result.finished]
    earlier = [(cell, result.seconds) for cell, result in known if result and result.finished and result.seconds]
    display = make_display(cells, cached=len(cells) - len(open_cells), earlier=earlier)
    display.plan(open_cells)
    stop = StopRequest(f"interrupted; the same line again goes on from here (run directory {store.root})")
    faults: list[StorageError] = []

    def finished(cell: Cell, result: Result) -> None:
        result = replace(result, device=devices.shown(cell.device))
        try:
            store.save(cell, result)
            stop.orderly = True
        except StorageError as error:
            faults.append(error)
        display.finished(cell, result)

    def stopped() -> bool:
        return stop.signal is not None or bool(faults)

    executor = LocalExecutor(time_limit, files, store.log, display.started, finished, stopped)
    with stop:
        with display:
            executor.run(open_cells)
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
    ended = Counter(result.status if (result := store.load(cell)) else "gone" for cell in cells)
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


SHOWN = ("problems", "claims", "outcomes", "relations")
"""Tables that a terminal shows beside the first."""
PUBLISHED = Path("results/published/quick")


def print_report(out: Path, baseline: str | None = None) -> None:
    """Make the report; print its first table, what went wrong, the answer, the path of the page and what to do next."""
    try:
        page, tables = build(out, baseline)
    except OSError as error:
        raise StorageError(out / "report", error) from error
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables:
        if table is tables[0] or table.name in SHOWN:
            console.print(table.rich())
            for note in table.footnotes:
                console.print(note, markup=False, highlight=False)
    told = closing.read(out / "report")
    for sentence in [told["sentence"], *told["own"]]:
        if sentence:
            console.print(sentence, style="bold", markup=False, highlight=False, soft_wrap=True)
    for line in _next_steps(out, page):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _next_steps(out: Path, page: Path) -> list[str]:
    """Where the page is, and what one may do now, each a line that works as it stands."""
    suite = invocation()
    lines = [f"report: {page.resolve()}"]
    if (PUBLISHED / "results.parquet").is_file() and out.resolve() != PUBLISHED.resolve():
        lines.append(f"compare with the published run: {suite} compare {PUBLISHED} {shlex.quote(str(out))}")
    lines.append(f"add your neuron: {suite} run --neuron-file my_neuron.py (CONTRIBUTING.md shows one)")
    return lines


def invocation() -> str:
    """How the suite is called from this shell: by the Python on the path if that is this one, else by its path."""
    found = shutil.which("python")
    own = found is not None and Path(found).absolute() == Path(sys.executable).absolute()
    return "python -m suite" if own else f"{shlex.quote(os.path.relpath(sys.executable))} -m suite"

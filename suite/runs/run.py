"""One run from request to report."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import neurons
from suite import packages, studies
from suite.report import groups
from suite.report.build import build
from suite.runs import plan, provenance
from suite.runs.cell_key import identity, key
from suite.runs.display import Display
from suite.runs.execute import LocalExecutor
from suite.runs.store import Result, Store
from suite.studies import Scale
from tasks import Cell

INTERRUPTED = 130


def run(
    request: plan.Request, neuron_files: Sequence[str], out: Path, time_limit: float | None, arguments: list[str]
) -> int:
    """Run what a request asks for and is not yet done in `out`, then report; see `execute`."""
    for path in neuron_files:
        neurons.load_file(path)
    cells = plan.make(request)
    groups.remember(out, {groups.MAIN: [key(cell) for cell in cells]})
    return execute(cells, out, time_limit or plan.TIME_LIMITS[request.profile], arguments, neuron_files)


def run_studies(names: Sequence[str], scale: Scale, out: Path, time_limit: float | None, arguments: list[str]) -> int:
    """Run the cells of studies that are not yet done in `out`, then report; see `execute`."""
    chosen = [studies.get(name) for name in names]
    grids = {study.name: study.grid(scale) for study in chosen}
    cells = {identity(cell): cell for grid in grids.values() for cell in grid}
    groups.remember(out, {name: [key(cell) for cell in grid] for name, grid in grids.items()})
    return execute(list(cells.values()), out, time_limit or plan.TIME_LIMITS[scale.profile], arguments, ())


def run_packages(profile: str, out: Path, time_limit: float | None, arguments: list[str]) -> int:
    """Compare the packages that are installed with the suite, as far as not yet done in `out`; see `execute`."""
    cells = packages.grid(profile)
    groups.remember(out, {packages.GROUP: [key(cell) for cell in cells]})
    return execute(cells, out, time_limit or plan.TIME_LIMITS[profile], arguments, ())


def execute(
    cells: Sequence[Cell], out: Path, time_limit: float, arguments: list[str], neuron_files: Sequence[str]
) -> int:
    """Run cells that are not yet done in `out`, then make the report.

    Returns:
        0 if every cell ended ok or was unavailable, 1 if one failed or ran out of time, 130 after Ctrl-C.
    """
    store = Store(out, provenance.collect(arguments))
    store.begin(cells)
    store.write_provenance()
    open_cells = [cell for cell in cells if not store.finished(cell)]
    display = Display(cells, cached=len(cells) - len(open_cells))
    display.plan(open_cells)

    def finished(cell: Cell, result: Result) -> None:
        store.save(cell, result)
        display.finished(cell, result)

    files = [str(Path(path).resolve()) for path in neuron_files]
    executor = LocalExecutor(time_limit, files, display.started, finished)
    try:
        with display:
            executor.run(open_cells)
    except KeyboardInterrupt:
        store.write_table()
        print(f"interrupted; the same line again goes on from here (run directory {out})", file=sys.stderr)
        return INTERRUPTED
    store.write_table()
    print_report(out)
    ended = Counter(result.status for cell in cells if (result := store.load(cell)) is not None)
    return 1 if ended["failed"] or ended["timeout"] else 0


SHOWN = ("difference", "problems", "verdicts", "speed_up")
"""Tables that a terminal shows beside the first."""


def print_report(out: Path, baseline: str | None = None) -> None:
    """Make the report; print its main tables, what went wrong, and the path of the page."""
    page, tables = build(out, baseline)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables:
        if table is tables[0] or table.name in SHOWN:
            console.print(table.rich())
    console.print(f"report: {page.resolve()}", soft_wrap=True, highlight=False)

"""One run from request to report."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import neurons
from suite import plan, provenance, report
from suite.display import Display
from suite.execute import LocalExecutor
from suite.store import Result, Store
from tasks import Cell

INTERRUPTED = 130


def run(
    request: plan.Request, neuron_files: Sequence[str], out: Path, time_limit: float | None, arguments: list[str]
) -> int:
    """Run what a request asks for and is not yet done in `out`, then report.

    Returns:
        0 if every cell ended ok or was unavailable, 1 if one failed or ran out of time, 130 after Ctrl-C.
    """
    for path in neuron_files:
        neurons.load_file(path)
    cells = plan.make(request)
    store = Store(out)
    store.begin(cells)
    store.write_provenance(provenance.collect(arguments))
    open_cells = [cell for cell in cells if not store.finished(cell)]
    display = Display(cells, cached=len(cells) - len(open_cells))
    display.plan(open_cells)

    def finished(cell: Cell, result: Result) -> None:
        store.save(cell, result)
        display.finished(cell, result)

    files = [str(Path(path).resolve()) for path in neuron_files]
    executor = LocalExecutor(time_limit or plan.TIME_LIMITS[request.profile], files, display.started, finished)
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


def print_report(out: Path) -> None:
    """Make the report; print its main table, what went wrong, and the path of the page."""
    page, tables = report.build(out)
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables:
        if table is tables[0] or table.name == "problems":
            console.print(table.rich())
    console.print(f"report: {page.resolve()}", soft_wrap=True, highlight=False)

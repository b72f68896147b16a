"""What a terminal shows of a run: the report is made, and its board, faults, answer and next steps are printed."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console

from suite.publish.build import build
from suite.report import closing
from suite.runs import groups
from suite.runs.files import RunError, StorageError

SHOWN = ("problems", "claims", "outcomes", "relations")
"""Tables that a terminal shows beside the first."""
STATISTICS = "scipy"
"""Every interval and test of a report comes from it; to measure, it is not needed."""
PUBLISHED = Path("results/published")


def print_report(out: Path, baseline: str | None = None) -> None:
    """Make the report; print its first table, what went wrong, the answer, the path of the page and what to do next."""
    if importlib.util.find_spec(STATISTICS) is None:
        again = f"{invocation()} report {shlex.quote(str(out))}"
        lacks = f"the report needs the package {STATISTICS}, which is not installed"
        raise RunError(f"{lacks}; all rows are kept, and `{again}` makes it where it is")
    if (out / "cells").is_dir() or (out / "results.parquet").is_file():
        print(f"making the report of {out} …", file=sys.stderr, flush=True)
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
    published = _published_like(out)
    if published is not None:
        lines.append(f"compare with the published run: {suite} compare {published} {shlex.quote(str(out))}")
    lines.append(f"add your neuron: {suite} run --neuron-file my_neuron.py (CONTRIBUTING.md shows one)")
    return lines


def _published_like(out: Path) -> Path | None:
    """A published run of the same kind: the quick profile, or the same studies or comparison; None without one."""
    own = set(groups.read(out)) or {groups.MAIN}
    for folder in (PUBLISHED / "quick", *sorted(PUBLISHED.glob("*/"))):
        if (
            folder.resolve() != out.resolve()
            and (folder / "results.parquet").is_file()
            and own & set(groups.read(folder))
        ):
            return folder
    return None


def invocation() -> str:
    """How the suite is called from this shell: by the Python on the path if that is this one, else by its path."""
    found = shutil.which("python")
    own = found is not None and Path(found).absolute() == Path(sys.executable).absolute()
    return "python -m suite" if own else f"{shlex.quote(os.path.relpath(sys.executable))} -m suite"

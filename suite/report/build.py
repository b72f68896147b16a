"""Writes RUN/report/: pages, tables/ and plots/, from the stored rows alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from neurons import UnknownName
from suite.report import groups, leaderboard, packages, paper, style
from suite.report.conditions import name_conditions
from suite.report.plots import PLOTS
from suite.report.table import Table
from suite.report.tables import all_tables
from suite.runs.store import read_provenance, read_results
from tasks import MAIN_TASKS

BASELINE = "lif"


def build(run: Path, baseline: str | None = None) -> tuple[Path, list[Table]]:
    """Make the report of a run; the path of its page, and its tables.

    Args:
        baseline: the neuron that others are compared with; LIF, or the first that there is, unless told otherwise.

    Raises:
        UnknownName: the run has no such neuron.
    """
    everything, members = read_results(run), groups.read(run)
    rows = name_conditions(groups.main_rows(everything, members))
    report = run / "report"
    for folder in ("tables", "plots"):
        (report / folder).mkdir(parents=True, exist_ok=True)
    style.apply()
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    provenance = read_provenance(run)
    own_tables = all_tables(rows, _baseline(rows, baseline))
    for table in own_tables:
        table.save(report / "tables")
    shown = [plot for plot in PLOTS if plot.save(rows, report / "plots")]
    context: dict[str, Any] = {"run": run.name, "provenance": provenance, "rows": len(everything)}
    pages = [page for make in (paper.build, packages.build) if (page := make(report, everything, members)) is not None]
    context["pages"], tables = pages, list(own_tables)
    for page in pages:
        tables += page.tables
        template = environment.get_template(f"{page.name}.html")
        (report / f"{page.name}.html").write_text(template.render(**context, **page.context))
    board = leaderboard.leaderboard(rows)
    context |= {
        "board": leaderboard.interactive(board) if len(board) else "",
        "columns": leaderboard.describe(board),
        "tables": own_tables,
        "reproduce": lambda table: reproduce(provenance.get("commands", []), table.tasks),
        "plots": shown,
    }
    index = report / "index.html"
    index.write_text(environment.get_template("index.html").render(context))
    return index, tables


def reproduce(commands: Sequence[Sequence[str]], wanted: Sequence[str]) -> list[str]:
    """The lines that measure again what a table shows: the run's own commands, for the table's tasks alone."""
    lines = []
    for command in commands:
        if "run" not in command or not wanted:
            continue
        words = list(command)
        asked: set[str] = set(MAIN_TASKS)
        if "--tasks" in words:
            place = words.index("--tasks")
            asked = set(words[place + 1].split(","))
            del words[place : place + 2]
        if asked & set(wanted):
            lines.append(shlex.join([*words, "--tasks", ",".join(wanted)]))
    return list(dict.fromkeys(lines))


def _baseline(rows: pd.DataFrame, wanted: str | None) -> str:
    present = style.ordered(rows.neuron)
    if wanted is not None and wanted not in present:
        raise UnknownName("neuron of this run", wanted, present)
    return wanted or (present[0] if present else BASELINE)

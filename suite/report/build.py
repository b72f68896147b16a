"""Writes RUN/report/: pages, tables/ and plots/, from the stored rows alone."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from neurons import UnknownName
from suite.report import groups, leaderboard, packages, paper, style
from suite.report.comparison import accuracies
from suite.report.conditions import name_conditions
from suite.report.parts import Parts
from suite.report.plots import PLOTS
from suite.report.ranking import chosen_variant
from suite.report.table import FORMATS, Table
from suite.report.tables import makers
from suite.runs.store import read_provenance, read_results
from tasks import MAIN_TASKS

BASELINE = "lif"
ENDINGS = {*FORMATS, "png", "svg", "pdf"}
PAGES = ("index.html", "paper.html", "packages.html", "findings.json")


def build(run: Path, baseline: str | None = None) -> tuple[Path, list[Table]]:
    """Make the report of a run; the path of its page, and its tables.

    Args:
        baseline: the neuron that others are compared with; LIF, or the first that there is, unless told otherwise.

    Raises:
        UnknownName: the run has no such neuron.
    """
    everything, members = read_results(run), groups.read(run)
    rows = name_conditions(groups.main_rows(everything, members))
    baseline = _baseline(rows, baseline)
    report = run / "report"
    _clear(report)
    style.apply()
    parts = Parts()
    own_tables = _tables(rows, baseline, report, parts)
    shown = [plot for plot in PLOTS if parts.make(f"plot {plot.name}", partial(plot.save, rows, report / "plots"))]
    provenance = read_provenance(run)
    context: dict[str, Any] = {"run": run.name, "provenance": provenance, "rows": len(everything)}
    context["failed"] = parts.failed
    pages = [
        page
        for make in (paper.build, packages.build)
        if (page := parts.make(make.__module__, partial(make, report, everything, members, parts))) is not None
    ]
    context["pages"], tables = pages, list(own_tables)
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    for page in pages:
        tables += page.tables
        template = environment.get_template(f"{page.name}.html")
        (report / f"{page.name}.html").write_text(template.render(**context, **page.context))
    context |= _board(rows, parts) | {
        "tables": own_tables,
        "reproduce": lambda table: reproduce(provenance.get("commands", []), table.tasks),
        "plots": shown,
    }
    index = report / "index.html"
    index.write_text(environment.get_template("index.html").render(context))
    return index, tables


def _clear(report: Path) -> None:
    """Make the folders, without what an earlier report of other rows left in them."""
    for folder in (report / "tables", report / "plots"):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.suffix.removeprefix(".") in ENDINGS:
                path.unlink()
    for name in PAGES:
        (report / name).unlink(missing_ok=True)


def _tables(rows: pd.DataFrame, baseline: str, report: Path, parts: Parts) -> list[Table]:
    found = []
    for name, make in makers(rows, baseline).items():
        table = parts.make(f"table {name}", make)
        if table is not None:
            table.save(report / "tables")
            found.append(table)
    return found


def _board(rows: pd.DataFrame, parts: Parts) -> dict[str, Any]:
    """The leaderboard, what its columns are, and whether its ranks say anything."""
    board = parts.make("leaderboard", partial(leaderboard.leaderboard, rows))
    if board is None or board.empty:
        return {"board": "", "columns": {}, "rank_note": ""}
    ranks = chosen_variant(accuracies(rows)).ranks
    silent = ranks is not None and not ranks.told_apart
    note = "Friedman's test does not tell the neurons apart: their mean ranks say nothing." if silent else ""
    return {
        "board": leaderboard.interactive(board),
        "columns": leaderboard.describe(board),
        "rank_note": note,
    }


def reproduce(commands: Sequence[Sequence[str]], wanted: Sequence[str]) -> list[str]:
    """The lines that measure again what a table shows: the run's own commands, for the table's tasks alone."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--tasks", type=lambda text: [name.strip() for name in text.split(",") if name.strip()])
    lines = []
    for command in commands:
        words = list(command)
        start = words.index("suite") + 1 if "suite" in words else 0
        if not wanted or words[start : start + 1] != ["run"]:
            continue
        options, others = parser.parse_known_args(words[start + 1 :])
        if set(options.tasks or MAIN_TASKS) & set(wanted):
            lines.append(shlex.join([*words[: start + 1], *others, "--tasks", ",".join(wanted)]))
    return list(dict.fromkeys(lines))


def _baseline(rows: pd.DataFrame, wanted: str | None) -> str:
    present = style.ordered(rows.neuron)
    if wanted is not None and wanted not in present:
        raise UnknownName("neuron of this run", wanted, present)
    if wanted is None and BASELINE in present:
        return BASELINE
    return wanted or (present[0] if present else BASELINE)

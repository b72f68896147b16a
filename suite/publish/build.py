"""Writes RUN/report/: pages, tables/ and plots/, from the stored rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from neurons import UnknownName
from suite.report import packages, rivals, style
from suite.report.board import board
from suite.report.closing import closing_sentences
from suite.report.conditions import name_conditions
from suite.report.links import link_cards
from suite.report.parts import Parts
from suite.report.result_page import result_page
from suite.report.table import FORMATS, Table
from suite.report.tables import makers
from suite.runs import groups
from suite.runs.store import read_provenance, read_results
from suite.studies import page as paper

BASELINE = "lif"
ENDINGS = {*FORMATS, "png", "svg", "pdf"}
PAGES = (
    *("index.html", "explorer.html", "paper.html", "packages.html", "rivals.html"),
    *("findings.json", "answer.json"),
)


def build(run: Path, baseline: str | None = None) -> tuple[Path, list[Table]]:
    """Make the report of a run; the path of its page, and its tables, the board first.

    The main rows have the page index.html, studies paper.html and the comparison of packages packages.html, that with
    published comparisons rivals.html; where there are no main rows, index.html leads to the first page that there is.

    Args:
        baseline: the neuron that others are compared with; LIF, or the first that there is, unless told otherwise.

    Raises:
        UnknownName: the run has no such neuron.
    """
    everything, members = read_results(run), groups.read(run)
    rows = name_conditions(groups.main_rows(everything, members))
    baseline = choose_baseline(rows, baseline)
    report = run / "report"
    _clear(report)
    style.apply()
    parts = Parts()
    provenance = read_provenance(run)
    tables = _tables(rows, baseline, report, parts)
    made = parts.make("board", partial(board, rows, baseline)) if len(rows) else None
    published = (run.resolve().parent / "index.html").is_file()
    context: dict[str, Any] = {"run": run.name, "provenance": provenance, "failed": parts.failed}
    context["published"] = published
    others = [
        page
        for make in (paper.build, packages.build, rivals.build)
        if (page := parts.make(make.__module__, partial(make, report, everything, members, parts))) is not None
    ]
    pages: Mapping[str, Any] = {page.name: page for page in others}
    main = None
    if len(rows) or not others:
        main = result_page(rows, baseline, made, tables, report, provenance, parts)
        context |= {"main": True, "explorer": main.pop("explorer")}
    context["pages"] = others
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    for name, page in pages.items():
        (report / f"{name}.html").write_text(environment.get_template(f"{name}.html").render(**context, **page.context))
    index = report / "index.html"
    if main is not None:
        if context["explorer"]:
            explorer = environment.get_template("explorer.html").render(**context, data=main["data"])
            (report / "explorer.html").write_text(explorer)
        index.write_text(environment.get_template("index.html").render(**context, **main))
    else:
        (report / "index.html").write_text(environment.get_template("moved.html").render(to=f"{others[0].name}.html"))
        index = report / f"{others[0].name}.html"
    link_cards(run)
    closing_sentences(report, rows, baseline, others)
    shown = [made.table()] if made is not None else []
    if made is not None:
        shown[0].save(report / "tables")
    return index, [*shown, *tables, *(table for page in others for table in page.tables)]


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


def choose_baseline(rows: pd.DataFrame, wanted: str | None) -> str:
    """The neuron that others are compared with: the wanted one, LIF, or the first; UnknownName if it is not there."""
    present = style.ordered(rows.neuron)
    if wanted is not None and wanted not in present:
        raise UnknownName("neuron of this run", wanted, present)
    if wanted is None and BASELINE in present:
        return BASELINE
    return wanted or (present[0] if present else BASELINE)

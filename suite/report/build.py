"""Writes RUN/report/: index.html, tables/ and plots/."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from suite.report.paper import build_paper
from suite.report.plots import draw_all
from suite.report.table import FORMATS, Table
from suite.report.tables import all_tables
from suite.store import read_provenance, read_results

PLOT_FORMATS = ("png", "svg")


def build(run: Path) -> tuple[Path, list[Table]]:
    """Make the report of a run from its stored rows; the path of its page, and its tables."""
    rows = read_results(run)
    report = run / "report"
    tables = all_tables(rows)
    (report / "tables").mkdir(parents=True, exist_ok=True)
    (report / "plots").mkdir(parents=True, exist_ok=True)
    for table in tables:
        for suffix, write in FORMATS.items():
            (report / "tables" / f"{table.name}.{suffix}").write_text(write(table))
    shown = []
    for plot, figure in draw_all(rows):
        for suffix in PLOT_FORMATS:
            figure.savefig(report / "plots" / f"{plot.name}.{suffix}")
        shown.append(plot)
    page = report / "index.html"
    environment = Environment(loader=PackageLoader("suite.report"), autoescape=select_autoescape())
    paper = build_paper(run, rows, environment)
    tables += paper
    context = {
        "run": run.name,
        "tables": tables,
        "plots": shown,
        "provenance": read_provenance(run),
        "rows": len(rows),
        "paper": paper,
    }
    page.write_text(environment.get_template("index.html").render(context))
    return page, tables

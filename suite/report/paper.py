"""The page `paper.html`: the paper's claims beside this run's figures, with verdicts, tables and plots."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from jinja2 import Environment

from suite.report import style
from suite.report.table import FORMATS, Entry, Table, format_estimate
from suite.store import write_atomically
from suite.studies import Finding, get

STUDIES_FILE = "studies.json"
NOTE = (
    "Embedded data sets and small networks may not show what CIFAR shows; a verdict holds at the scale of this run. "
    "Effects are paired over seeds, with 95 % t-intervals."
)


def remember(run: Path, keys: dict[str, list[str]]) -> None:
    """Note in the run directory which cells belong to which study."""
    path = run / STUDIES_FILE
    known = json.loads(path.read_text()) if path.exists() else {}
    write_atomically(path, json.dumps(known | keys, indent=1))


def build_paper(run: Path, rows: pd.DataFrame, environment: Environment) -> list[Table]:
    """Write paper.html and the tables and plots of the studies of a run; nothing if it has none."""
    path = run / STUDIES_FILE
    if not path.exists():
        return []
    report = run / "report"
    style.apply()
    sections: list[dict[str, Any]] = []
    everything: list[tuple[str, Finding]] = []
    for name, cells in json.loads(path.read_text()).items():
        study = get(name)
        own = rows[rows.cell.isin(cells) & (rows.status == "ok")]
        failed = rows[rows.cell.isin(cells) & (rows.status != "ok")].cell.nunique()
        if own.empty:
            continue
        findings, table = study.findings(own), study.table(own)
        for suffix, write in FORMATS.items():
            (report / "tables" / f"{table.name}.{suffix}").write_text(write(table))
        figure = study.draw(own)
        for suffix in ("png", "svg"):
            figure.savefig(report / "plots" / f"study_{name}.{suffix}", bbox_inches="tight")
        plt.close(figure)
        everything += [(name, finding) for finding in findings]
        sections.append({"study": study, "findings": findings, "table": table, "failed": failed, "scale": _scale(own)})
    summary = verdicts(everything)
    for suffix, write in FORMATS.items():
        (report / "tables" / f"{summary.name}.{suffix}").write_text(write(summary))
    write_atomically(report / "findings.json", json.dumps([{"study": n, **asdict(f)} for n, f in everything], indent=1))
    page = environment.get_template("paper.html").render(run=run.name, sections=sections, note=NOTE, effect=effect)
    (report / "paper.html").write_text(page)
    return [summary]


def verdicts(findings: list[tuple[str, Finding]]) -> Table:
    """All claims with their verdicts."""
    rows = [
        (name, [Entry(f.claim), Entry(f.paper), Entry(f.measured), Entry(effect(f)), Entry(f.verdict)])
        for name, f in findings
    ]
    header = ["study", "claim", "paper", "this run", "effect", "verdict"]
    return Table("verdicts", "The paper's claims at this scale.", NOTE, header, rows)


def effect(finding: Finding) -> str:
    """The effect with its interval and unit."""
    digits = 3 if abs(finding.effect.mean) < 1 else 2
    return f"{format_estimate(finding.effect, digits)} {finding.unit}"


def _scale(rows: pd.DataFrame) -> str:
    """Data set, network and seeds of a study, in words."""
    where = rows[["dataset", "network"]].dropna().drop_duplicates()
    words = " / ".join(map(str, where.iloc[0])) if len(where) else "one neuron"
    return f"{words}, {rows.seed.nunique()} seeds"

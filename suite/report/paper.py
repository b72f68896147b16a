"""The page `paper.html`: the paper's claims beside this run's figures, with verdicts, tables and plots."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from suite.report.groups import Groups
from suite.report.page import Page
from suite.report.parts import Parts
from suite.report.table import Entry, Table, format_estimate
from suite.runs.store import write_atomically
from suite.studies import Finding, Study, studies

NOTE = (
    "Embedded data sets and small networks may not show what CIFAR shows; a verdict holds at the scale of this run. "
    "Effects are paired over seeds, with 95 % t-intervals."
)


def build(report: Path, rows: pd.DataFrame, groups: Groups, parts: Parts) -> Page | None:
    """The page of the studies of a run, with their tables and plots written; None if it has none."""
    sections: list[dict[str, Any]] = []
    everything: list[tuple[str, Finding]] = []
    for name, study in studies().items():
        cells = groups.get(name, [])
        own = rows[rows.cell.isin(cells) & (rows.status == "ok")]
        if own.empty:
            continue
        failed = rows[rows.cell.isin(cells) & (rows.status != "ok")].cell.nunique()
        made = parts.make(f"study {name}", partial(_made, study, own))
        if made is None:
            continue
        findings, table = made
        table.save(report / "tables")
        plotted = parts.make(f"plot of study {name}", partial(study.plot.save, own, report / "plots"))
        everything += [(name, finding) for finding in findings]
        section = {"study": study, "findings": findings, "table": table, "failed": failed, "plotted": plotted}
        sections.append({**section, "scale": _scale(own)})
    if not sections:
        return None
    summary = verdicts(everything)
    summary.save(report / "tables")
    write_atomically(report / "findings.json", json.dumps([{"study": n, **asdict(f)} for n, f in everything], indent=1))
    context = {"sections": sections, "note": NOTE, "effect": effect}
    return Page("paper", "The CLIF paper's claims", [summary], context)


def _made(study: Study, rows: pd.DataFrame) -> tuple[list[Finding], Table]:
    return study.findings(rows), study.table(rows)


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
    return f"{format_estimate(finding.effect, -3)} {finding.unit}"


def _scale(rows: pd.DataFrame) -> str:
    """Data set, network and seeds of a study, in words."""
    where = rows[["dataset", "network"]].dropna().drop_duplicates()
    words = " / ".join(map(str, where.iloc[0])) if len(where) else "one neuron"
    return f"{words}, {rows.seed.nunique()} seeds"

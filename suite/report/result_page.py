"""What the page of a run's main rows shows: answer, figure, board, cost, gradient, certainty, setup, and the rest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from suite.report import names
from suite.report.answer import answer
from suite.report.board import Board
from suite.report.certainty import load, undecided
from suite.report.conditions import name_conditions, whole
from suite.report.page_data import embedded
from suite.report.parts import Parts
from suite.report.plots import PLOTS, Shown, of_baseline
from suite.report.table import Table
from suite.runs.text import counted

FIRST = ("accuracy", "tuned", "cost", "gradient_by_lag", "differences", "ranks")
"""Figures that have a section of their own; the others are folded."""
NOT_FOR_CHOOSERS = ("roofline",)
"""Figures of a page that asks for speed alone."""
DISTRIBUTION = "neuron-suite"


def result_page(
    rows: pd.DataFrame,
    baseline: str,
    made: Board | None,
    tables: Sequence[Table],
    report: Path,
    provenance: Mapping[str, Any],
    parts: Parts,
) -> dict[str, Any]:
    """The template's context; figures and the table of seeds are written on the way."""
    named = name_conditions(rows)
    known = made.known if made is not None else []
    figures = _figures(named, baseline, bool(known), report, parts)
    needed = parts.make("table seeds_needed", partial(undecided, named, known, baseline)) if known else None
    if needed is not None:
        needed.save(report / "tables")
    found = parts.make("answer", partial(answer, named, baseline)) if len(named) else None
    data = parts.make("data of the script", partial(embedded, named, made)) if made else None
    by_name = {table.name: table for table in tables}
    return {
        "answer": found,
        "facts": facts(named, provenance),
        "baseline": names.written(baseline),
        "board": made,
        "data": data or "",
        "explorer": bool(data and known and made and any(cost.ratios for cost in made.costs)),
        "figures": figures,
        "rest": [figure for name, figure in figures.items() if name not in FIRST or not known],
        "first": FIRST if known else (),
        "setup": by_name.pop("setup", None),
        "problems": by_name.pop("problems", None),
        "needed": needed,
        "tables": list(by_name.values()),
        "lines": _lines(provenance),
        "bibtex": bibtex(provenance),
    }


def _figures(rows: pd.DataFrame, baseline: str, chooser: bool, report: Path, parts: Parts) -> dict[str, Shown]:
    wanted = [*PLOTS, of_baseline(baseline)]
    wanted = [plot for plot in wanted if not (chooser and plot.name in NOT_FOR_CHOOSERS)]
    made = {plot.name: parts.make(f"plot {plot.name}", partial(plot.save, rows, report / "plots")) for plot in wanted}
    return {name: shown for name, shown in made.items() if shown is not None}


def facts(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> list[str]:
    """Seeds, T, protocol, machine, date, commit and load, each in a few words."""
    rows = whole(rows)
    scored = rows[(rows.task == "accuracy") & rows.value.notna()]
    counts = scored.groupby("where").seed.nunique() if len(scored) else pd.Series(dtype=int)
    told = []
    if len(counts):
        least, most = int(counts.min()), int(counts.max())
        told.append(counted(least, "seed") if least == most else f"{least} to {most} seeds")
    lengths = rows[rows.value.notna()].ran.dropna() if "ran" in rows else rows.timesteps.dropna()
    if len(scored) and scored.ran.notna().any():
        lengths = scored[[names.spiking(neuron) for neuron in scored.neuron]].ran.dropna()
    if len(lengths):
        least, most = int(lengths.min()), int(lengths.max())
        told.append(f"T = {least}" if least == most else f"T = {least} to {most}")
    protocols = rows.protocol.dropna().unique()
    if len(protocols) == 1:
        told.append(f"{protocols[0]} protocol")
    told += [*machine(provenance), str(provenance.get("date") or "")[:10]]
    parts = [*provenance.get("merged", []), provenance]
    commits = list(dict.fromkeys(str(part["commit"])[:10] for part in parts if part.get("commit")))
    if commits:
        told.append(f"commit {', '.join(commits)}{' (changed)' if provenance.get('dirty') else ''}")
    return [text for text in [*told, load(rows) if len(rows) else ""] if text]


def machine(provenance: Mapping[str, Any]) -> list[str]:
    known = provenance.get("machine")
    if not isinstance(known, Mapping) or not known.get("cpu"):
        return []
    cpu = str(known["cpu"]).replace("(R)", "").replace("(TM)", "")
    return [
        f"{' '.join(cpu.split())}, {cores(known)}",
        *([str(known["gpu"])] if known.get("gpu") else []),
    ]


def cores(machine: Mapping[str, Any]) -> str:
    """ "2 cores" """
    count = machine.get("cores")
    return counted(count, "core") if isinstance(count, int) else "? cores"


def _lines(provenance: Mapping[str, Any]) -> list[str]:
    """All commands of the run, as anybody may repeat them: where it wrote to is left out."""
    commands = provenance.get("commands") or [provenance.get("command") or ["python", "-m", "suite", "run"]]
    return list(dict.fromkeys(shlex.join(_repeated(list(map(str, words)))) for words in commands))


def _repeated(words: Sequence[str]) -> list[str]:
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if word != "--out" and before != "--out" and not word.startswith("--out=")
    ]


def bibtex(provenance: Mapping[str, Any]) -> str:
    """An entry for these results: the suite at the commit that measured them."""
    date, commit = str(provenance.get("date") or ""), str(provenance.get("commit") or "")
    fields = {
        "title": "{Spiking neuron models compared: a benchmark suite}",
        "year": f"{{{date[:4]}}}" if date else "",
        "version": f"{{{_version()}}}",
        "note": f"{{Results measured {date[:10]} at commit {commit[:10]}}}" if commit else "",
    }
    lines = [f"  {name:<7} = {value}," for name, value in fields.items() if value]
    return "\n".join(["@software{neuron_suite,", *lines, "}"])


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"

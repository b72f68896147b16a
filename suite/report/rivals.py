"""The page `rivals.html`: published comparisons of packages, redone; where the neuron is the bottleneck."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pandas as pd

from suite.report import rivals_rows, rivals_tables
from suite.report.answer import fitted
from suite.report.page import Page
from suite.report.parts import Parts
from suite.report.plots.rivals import HALF, PLOTS
from suite.report.rivals_tables import PAPER
from suite.runs.groups import Groups

NAME = "rivals"
QUESTION = "Which package is fastest, and is the neuron the bottleneck?"
JAXPIKE = "jaxpike 0.1.4 states 83 % of a training step (T4, n = 128, batch 256, T = 256)"


def build(report: Path, rows: pd.DataFrame, groups: Groups, parts: Parts) -> Page | None:
    """The page of the task linear_neuron, with its tables and plots written; None if the run has no row of it."""
    own = rows[rows.task == rivals_rows.TASK]
    if own.empty:
        return None
    found = rivals_rows.lines(own)
    today = rivals_rows.published_setting(found)
    makers = {
        "onm_today": partial(rivals_tables.at_published_setting, today),
        "onm_published": partial(rivals_tables.published) if len(today) else lambda: None,
        "reset_free": partial(rivals_tables.lengths, rivals_rows.over_time(found)),
        "offers": partial(rivals_tables.offers, found),
    }
    tables = rivals_tables.all_of(parts.make(f"table {name}", make) for name, make in makers.items())
    for table in tables:
        table.save(report / "tables")
    made = (parts.make(f"plot {plot.name}", partial(plot.save, own, report / "plots")) for plot in PLOTS)
    plots = {shown.name: shown for shown in made if shown is not None}
    verdict = parts.make("verdict", partial(who_was_right, rivals_rows.mapped(found))) or ""
    found_out = [first_finding(today), *(shown.finding for shown in plots.values())]
    sentence = fitted([text for text in found_out if text])
    context = {"question": QUESTION, "sentence": sentence, "verdict": verdict, "plots": plots}
    context |= {"tables": {table.name: table for table in tables}, "busy": busy(found)}
    return Page(NAME, "Rivals", tables, context, QUESTION, sentence)


def first_finding(today: pd.DataFrame) -> str:
    """The neurons' time of packages over that of the fused kernel, at the largest published size of several rounds."""
    measured = today[today.reason == ""] if len(today) else today
    if measured.empty or "neuron_time_over_baseline" not in measured:
        return ""
    several = measured[measured.neuron_time_p80 > measured.neuron_time_p20]
    width = (several if len(several) else measured).width.max()
    own = measured[(measured.width == width) & ~measured.backend.isin(rivals_rows.FUSED)]
    if own.empty:
        return ""
    ordered = own.sort_values("neuron_time_over_baseline")
    told = [f"{row.neuron_time_over_baseline:.3g} ({row.who})" for row in ordered.itertuples()]
    ends = " to ".join(told[:1] + told[1:][-1:])
    return f"In Open Neuromorphic's setting, n = {width:,}, LIF takes {ends} times the fused kernel's time."


def who_was_right(found: pd.DataFrame, folder: Path = PAPER) -> str:
    """What the map says of the two published answers, in one paragraph; empty without a map."""
    if found.empty:
        return ""
    told = [*_published_answers(folder), f"Here, over {_sizes(found)} sizes:"]
    for who, own in found.groupby("who", sort=False):
        low, high = 100 * own.neuron_share.min(), 100 * own.neuron_share.max()
        above = own[own.neuron_share > HALF]
        where = "never half"
        if len(above):
            widest, count = above.width.max(), f"{len(above)} of {len(own)}"
            where = f"above half at {count}, up to n = {widest:,}"
        told.append(f"{who} {low:.2g} to {high:.2g} % ({where});")
    told[-1] = told[-1].rstrip(";") + "."
    if "neuron_share_of_steps" in found and found.neuron_share_of_steps.notna().any():
        both = found[found.neuron_share_of_steps.notna()]
        fewer = 100 * (both.neuron_share - both.neuron_share_of_steps).median()
        sides = int(((both.neuron_share > HALF) != (both.neuron_share_of_steps > HALF)).sum())
        told.append(
            f"A Linear that is called once a step, as Spyx timed it, makes the share {abs(fewer):.2g} points "
            f"{'smaller' if fewer >= 0 else 'larger'} in the median than one call for all steps, as jaxpike does it: "
            f"{sides} of {len(both)} measurements change sides of the half."
        )
    return " ".join(told)


def _published_answers(folder: Path) -> list[str]:
    path = folder / "bottleneck.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        ratios = [float(row["neuron_over_linear"]) for row in csv.DictReader(file)]
    shares = [100 * ratio / (1 + ratio) for ratio in ratios]
    return [
        f"Spyx's study has neurons at {min(shares):.0f} to {max(shares):.0f} % of Linear plus neurons in training "
        f"(Radeon 8060S, n = 64 to 1,024, batch 64, T = 64 to 1,024); {JAXPIKE}. Both are of other machines."
    ]


def _sizes(found: pd.DataFrame) -> int:
    return len(found[rivals_rows.SIZE].drop_duplicates())


def busy(found: pd.DataFrame) -> str:
    """How many timings were taken on a busy machine, in a sentence; empty if none was."""
    measured = found[found.reason == ""]
    if measured.empty:
        return ""
    from suite.report.timings import BUSY

    noisy = (measured.neuron_time_p80 > BUSY * measured.neuron_time_p20).sum()
    if not noisy:
        return ""
    return (
        f"The machine was busy: in {noisy} of {len(measured)} timings the 80th percentile of the rounds lies more than "
        f"{BUSY - 1:.0%} above the 20th. Ratios and shares are of the same rounds."
    )

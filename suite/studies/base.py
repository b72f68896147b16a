"""What a study is: a grid of cells, an analysis that ends in verdicts, a table and a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

import tasks
from suite.report.plots import Plot
from suite.report.table import Entry, Table, format_estimate
from suite.statistics import Estimate
from tasks import Cell

Verdict = Literal["reproduced at this scale", "not reproduced", "undecided"]
PAPER = Path(__file__).resolve().parent.parent.parent / "results" / "paper"
SEEDS = {"smoke": 2, "quick": 6, "full": 10}
EPOCHS = {"smoke": 2, "quick": 15, "full": 60}


@dataclass(frozen=True)
class Scale:
    """How large a study is run: on which data set and network, with how many seeds and epochs."""

    profile: str = "quick"
    dataset: str = "digits"
    network: str = "mlp8"
    backend: str = "cpu"

    @property
    def seeds(self) -> int:
        return SEEDS[self.profile]

    @property
    def smoke(self) -> bool:
        return self.profile == "smoke"

    def cells(self, task: str, neurons: Sequence[str], seeds: int | None = None, **settings: Any) -> list[Cell]:
        """Cells of one task for several neurons and all seeds, on the study's data set and network."""
        known = tasks.get(task).settings
        common = {"dataset": self.dataset, "network": self.network, "epochs": EPOCHS[self.profile], "timesteps": 6}
        if self.smoke:
            common |= {"width": 16, "train_samples": 128}
        merged = {**known, **{key: value for key, value in common.items() if key in known}, **settings}
        count = self.seeds if seeds is None else min(seeds, self.seeds)
        return [Cell(task, neuron, self.backend, seed, merged) for seed in range(count) for neuron in neurons]


@dataclass(frozen=True)
class Finding:
    """One claim put to the test: the paper's figure, this run's effect with its 95 % interval, and the verdict."""

    claim: str
    paper: str
    measured: str
    effect: Estimate
    unit: str
    verdict: Verdict


@dataclass(frozen=True)
class Study:
    """A named experiment: from the rows of its own cells to findings, a table, and what its plot shows."""

    name: str
    order: int
    title: str
    source: str
    grid: Callable[[Scale], list[Cell]]
    findings: Callable[[pd.DataFrame], list[Finding]]
    table: Callable[[pd.DataFrame], Table]
    shown: Callable[[pd.DataFrame], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]

    @property
    def plot(self) -> Plot:
        return Plot(f"study_{self.name}", self.title, f"{self.title} ({self.source}).", self.shown, self.draw)


def judge(
    claim: str, paper: str, measured: str, effect: Estimate, unit: str, expected: Literal["positive", "negative"]
) -> Finding:
    """Reproduced if the whole interval lies on the claimed side of 0, not if it lies on the other, else undecided."""
    low, high = (effect.low, effect.high) if expected == "positive" else (-effect.high, -effect.low)
    verdict: Verdict = "undecided"
    if low > 0:
        verdict = "reproduced at this scale"
    elif high < 0:
        verdict = "not reproduced"
    return Finding(claim, paper, measured, effect, unit, verdict)


def judge_equal(claim: str, paper: str, measured: str, effect: Estimate, unit: str) -> Finding:
    """Reproduced if every difference is 0 or the interval holds 0, not if it excludes 0."""
    equal = effect.mean == 0 or effect.low <= 0 <= effect.high
    verdict: Verdict = "reproduced at this scale" if equal else "not reproduced"
    return Finding(claim, paper, measured, effect, unit, verdict)


def by_setting(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The rows with settings as columns."""
    settings = rows.settings.map(json.loads)
    return rows.assign(**{name: settings.map(lambda values, name=name: values.get(name)) for name in names})


def by_seed(rows: pd.DataFrame, metric: str, **where: Any) -> pd.Series:
    """The metric's mean for each seed, among rows with these column values."""
    chosen = rows[(rows.metric == metric) & rows.value.notna()]
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    return chosen.groupby("seed").value.mean()


def paired(first: pd.Series, second: pd.Series) -> Estimate:
    """The difference first − second over the seeds that both have."""
    return Estimate.of(list((first - second).dropna()))


def mean_of(values: pd.Series) -> str:
    """A mean with its interval, in words."""
    return format_estimate(Estimate.of(list(values)), 2)


def table_of(
    name: str, title: str, caption: str, rows: pd.DataFrame, index: str, columns: str, digits: int = 1
) -> Table:
    """Mean ± 95 % interval over seeds of `value`, `index` down and `columns` across."""
    heads = list(dict.fromkeys(rows[columns]))
    lines = []
    for key in dict.fromkeys(rows[index]):
        entries = []
        for head in heads:
            cell = rows[(rows[index] == key) & (rows[columns] == head)]
            values = list(cell.groupby("seed").value.mean())
            estimate = Estimate.of(values) if values else None
            entries.append(Entry(format_estimate(estimate, digits), estimate) if estimate else Entry("—"))
        lines.append((str(key), entries))
    return Table(name, title, caption, [index, *map(str, heads)], lines)

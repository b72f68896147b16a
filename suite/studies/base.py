"""What a study is: a grid of cells, the evidence that their rows hold on claims, a table and a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

import tasks
from suite.report.conditions import MixedConditions, of_each_seed, over_seeds
from suite.report.plots import Plot
from suite.report.plots.panels import fitted
from suite.report.table import Entry, Table, format_estimate
from suite.runs.backend import resolved
from suite.runs.conditions import RAN, differences, identified
from suite.statistics import Estimate
from suite.studies import claims
from suite.studies.verdicts import Check, Evidence
from tasks import Cell

PAPER = Path(__file__).resolve().parent.parent.parent / "results" / "paper"
SEEDS = {"smoke": 2, "quick": 10, "full": 20}
EPOCHS = {"smoke": 2, "quick": 15, "full": 60}
ALIKE = (*RAN, "dtype", "protocol")
"""What all rows of a study share: its claims are about neurons, never about how two runs differ."""


@dataclass(frozen=True)
class Scale:
    """How large a study is run: on which data set and network, with how many seeds and epochs."""

    profile: str = "quick"
    dataset: str = "digits"
    network: str = "mlp8"
    device: str = "cpu"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the user changed, of tasks that know it; over everything that a study sets itself."""

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
        changed = {key: value for key, value in self.settings.items() if key in known}
        merged = {**known, **{key: value for key, value in common.items() if key in known}, **settings, **changed}
        count = self.seeds if seeds is None else min(seeds, self.seeds)
        backends = {neuron: resolved("auto", neuron, self.device) for neuron in neurons}
        return [
            Cell(task, neuron, backends[neuron], seed, merged, self.device)
            for seed in range(count)
            for neuron in neurons
        ]


@dataclass(frozen=True)
class Study:
    """A named experiment: from the rows of its own cells to evidence, a table, and what its plot shows.

    What it says of rows (`evidence`, `table`, `plot`) is refused with MixedConditions where these did not all run
    alike, and where a number would be a mean over more than the seeds of one condition.

    Attributes:
        finds: from rows to `evidence`.
        tabulates: from rows to `table`.
        shows: from rows to what the plot shows.
        pictured: what is to be seen in the plot, and how to read it.
        says: from rows to a sentence that answers the title, where that is a question.
    """

    name: str
    order: int
    title: str
    grid: Callable[[Scale], list[Cell]]
    finds: Callable[[pd.DataFrame], dict[str, Evidence | Check]]
    tabulates: Callable[[pd.DataFrame], Table]
    shows: Callable[[pd.DataFrame], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    pictured: str
    says: Callable[[pd.DataFrame], str] = lambda _: ""

    def evidence(self, rows: pd.DataFrame) -> dict[str, Evidence | Check]:
        """What the rows say on the claims of results/paper/claims.toml that name the study, by the claim's id.

        A claim is left out where the rows hold nothing on it.
        """
        return self.finds(ran_alike(rows))

    def table(self, rows: pd.DataFrame) -> Table:
        return self.tabulates(ran_alike(rows))

    @property
    def source(self) -> str:
        """The places of the paper that it tests."""
        return "; ".join(dict.fromkeys(claim.place for claim in claims.of_study(self.name)))

    @property
    def plot(self) -> Plot:
        """The figure; a page puts what the run found of the study's claims in the place of its finding."""
        return Plot(
            f"study_{self.name}",
            self.title,
            self.pictured,
            lambda rows: self.shows(ran_alike(rows)),
            lambda data: fitted(self.draw(data)),
            lambda _: f"{self.title}.",
        )


def ran_alike(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows; MixedConditions if they differ in how they ran, whichever neuron or seed ran how."""
    differing = differences(identified(rows), ALIKE)
    if differing:
        raise MixedConditions(f"its rows differ in {differing}; a study compares what ran alike, so report them apart")
    return rows


def by_setting(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The rows with settings as columns."""
    settings = rows.settings.map(json.loads)
    return rows.assign(**{name: settings.map(lambda values, name=name: values.get(name)) for name in names})


def by_seed(rows: pd.DataFrame, metric: str, over: Collection[str] = (), **where: Any) -> pd.Series:
    """The metric for each seed, among rows with these column values; `over` as in `of_each_seed`."""
    chosen = rows[rows.metric == metric]
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    return of_each_seed(chosen, ["metric"], over).set_index("seed").value.sort_index()


def paired(first: pd.Series, second: pd.Series) -> Estimate:
    """The difference first − second over the seeds that both have."""
    return Estimate.of(list((first - second).dropna()))


def mean_of(values: pd.Series) -> str:
    """A mean with its interval, in words."""
    return format_estimate(Estimate.of(list(values)), 2)


HEADS = {
    "accuracy_selected": "selected by validation",
    "accuracy_final": "last epoch",
    "accuracy_paper_style": "paper-style",
    "macs": "MACs",
    "acs": "ACs",
}
"""Metrics as the head of a column; others in words."""


def table_of(
    name: str,
    title: str,
    caption: str,
    rows: pd.DataFrame,
    index: str,
    columns: str,
    digits: int = 1,
    over: Collection[str] = (),
) -> Table:
    """Mean ± 95 % interval over seeds of `value`, `index` down and `columns` across; `over` as in `of_each_seed`.

    Numbers go across by size, names as they come.
    """
    estimates = over_seeds(rows, [index, columns], over)
    heads = list(dict.fromkeys(rows[columns]))
    if pd.api.types.is_numeric_dtype(rows[columns]):
        heads.sort()
    lines = []
    for key in dict.fromkeys(rows[index]):
        entries = []
        for head in heads:
            estimate = estimates.get((key, head))
            entries.append(Entry(format_estimate(estimate, digits), estimate) if estimate else Entry("—"))
        lines.append((str(key), entries))
    names = [HEADS.get(head, head.replace("_", " ")) for head in map(str, heads)] if columns == "metric" else heads
    return Table(name, title, caption, [index, *map(str, names)], lines)


def accuracy_contrast(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str], over: Collection[str] = ()
) -> Evidence:
    """The difference in test accuracy first − second, by seed: after the last epoch, beside the other two readings.

    The last epoch decides, because no few samples choose it: the selected one adds the noise of the validation set.
    """
    final = [by_seed(rows, "accuracy_final", over) for rows in (first, second)]
    other = {
        HEADS[metric]: paired(by_seed(first, metric, over), by_seed(second, metric, over))
        for metric in ("accuracy_selected", "accuracy_paper_style")
    }
    beside = "; ".join(f"{words} {format_estimate(estimate, 2)}" for words, estimate in other.items() if estimate.count)
    measured = ", ".join(f"{name} {mean_of(values)} %" for name, values in zip(names, final, strict=True))
    return Evidence(measured, paired(*final), beside)

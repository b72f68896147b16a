"""What a run found about accuracy: for each data set who leads, who cannot be told from the leader, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from suite.report import data_facts
from suite.report.comparison import accuracies
from suite.report.once import once
from suite.report.ranking import chosen_variant
from suite.report.style import ordered
from suite.statistics import (
    SEEDS_TO_CLAIM,
    Comparison,
    Estimate,
    compare_with_baseline,
    not_told_from_best,
    paired_differences,
    rank_intervals,
)


@dataclass(frozen=True)
class Outcome:
    """The accuracies of one data set, in one condition each.

    Attributes:
        where: the condition, as rows name it.
        values: accuracies by `who`, indexed by seed.
        level: of guessing in percent; NaN where the data set is not at hand.
    """

    where: str
    dataset: str
    values: Mapping[str, pd.Series]
    level: float

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        return {who: Estimate.of(list(own)) for who, own in self.values.items()}

    @cached_property
    def best(self) -> set[str]:
        """Whom the paired test does not tell from the highest mean; empty where it could tell nobody apart.

        Who has too few seeds in common with the best to be told from it is not beaten either.
        """
        found = not_told_from_best(self.values, "higher")
        if not found:
            return set()
        top = max(found, key=lambda who: self.estimates[who].mean)
        common = {who: len(paired_differences(own, self.values[top])) for who, own in self.values.items()}
        return found | {who for who, count in common.items() if count < SEEDS_TO_CLAIM}

    @property
    def told(self) -> bool:
        """Whether the test tells somebody from the best."""
        return bool(self.best) and len(self.best) < len(self.values)

    @property
    def leaders(self) -> list[str]:
        """The best by their means, the highest first."""
        return sorted(self.best, key=lambda who: -self.estimates[who].mean)

    @property
    def beaten(self) -> set[str]:
        """Whom the test tells from the best."""
        return set(self.values) - self.best if self.best else set()

    @property
    def spread(self) -> float:
        """Points between the highest and the lowest mean."""
        means = [own.mean for own in self.estimates.values() if math.isfinite(own.mean)]
        return max(means) - min(means) if means else 0.0

    @cached_property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """The ranks that a neuron takes in 95 % of the resampled sets of seeds."""
        return rank_intervals(self.values)

    def against(self, baseline: str) -> dict[str, Comparison]:
        """Each neuron's difference from the baseline over their common seeds."""
        if baseline not in self.values:
            return {}
        if baseline not in self._compared:
            self._compared[baseline] = {own.name: own for own in compare_with_baseline(self.values, baseline)}
        return self._compared[baseline]

    @cached_property
    def _compared(self) -> dict[str, dict[str, Comparison]]:
        return {}


@once
def outcomes(rows: pd.DataFrame) -> list[Outcome]:
    """One a data set, in the variant of conditions that is ranked; those that tell most neurons apart first."""
    scored = accuracies(rows)
    if scored.empty:
        return []
    chosen = chosen_variant(scored).rows
    found = []
    for dataset, own in chosen.groupby("dataset", sort=False):
        if own["where"].nunique() > 1:
            continue
        values = {str(who): group.set_index("seed").value for who, group in own.groupby("who", sort=False)}
        level = data_facts.chance(str(dataset), own.settings.iloc[0])
        found.append(Outcome(str(own["where"].iloc[0]), str(dataset), values, level))
    return sorted(found, key=lambda own: (not own.told, -own.spread))


def order(rows: pd.DataFrame, known: Sequence[Outcome]) -> list[str]:
    """Every `who` of the rows in the one order of all figures and of the board.

    First who is among the best on most data sets, then by the mean accuracy over the data sets that all of these have;
    who has no accuracy stands last, as papers order them.
    """
    scored = {who for outcome in known for who in outcome.values}
    common = [outcome for outcome in known if scored <= set(outcome.values)] or list(known)

    def place(who: str) -> tuple[int, float]:
        means = [own.estimates[who].mean for own in common if who in own.estimates]
        finite = [mean for mean in means if math.isfinite(mean)]
        return -sum(who in own.best for own in known), -float(np.mean(finite)) if finite else math.inf

    ranked = sorted(ordered(scored), key=place)
    return ranked + [who for who in ordered(rows.who.astype(str)) if who not in scored]


def fewest_seeds(known: Sequence[Outcome]) -> int:
    """The seeds of the neuron and data set that has fewest."""
    return min((own.count for outcome in known for own in outcome.estimates.values()), default=0)

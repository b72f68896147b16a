"""Models ranked over data sets, with the critical difference that noise alone would not exceed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from suite.statistics.estimate import CONFIDENCE, settled
from suite.statistics.lazily import stats
from suite.statistics.paired import SIGNIFICANCE

FEWEST_DATASETS = 2
FEWEST_MODELS = 3
RESAMPLES = 1999
TOGETHER = 100
"""Resamples that are computed at a time: those of thousands of seeds would fill the memory."""


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over data sets (1 is best).

    Attributes:
        mean: by model, the best first.
        p: of Friedman's test that all models rank alike; 1 if all tie everywhere.
        pairwise: Nemenyi's p value of each pair.
        critical_difference: of mean ranks, at 5 %.
        datasets: how many the ranks are over; every ranked model has each of `names`.
        left_out: models, then data sets, that were left out because one lacks the other.
    """

    mean: pd.Series
    p: float
    pairwise: pd.DataFrame
    critical_difference: float
    datasets: int
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def told_apart(self) -> bool:
        """Whether Friedman's test finds that the models differ at all; without it no rank says anything."""
        return self.p < SIGNIFICANCE


def rank_over_datasets(table: pd.DataFrame) -> Ranks | None:
    """Rank models (columns) on data sets (rows) by a metric of which more is better; None for too few of either.

    Equal numbers of correct answers share a rank, whatever the order in which their shares were summed.
    """
    whole = _without_gaps(table)
    datasets, models = whole.shape
    if datasets < FEWEST_DATASETS or models < FEWEST_MODELS:
        return None
    whole = pd.DataFrame(settled(whole.to_numpy(dtype=float)), index=whole.index, columns=whole.columns)
    each = whole.rank(axis=1, ascending=False)
    ranks = each.mean().sort_values(kind="stable")
    tied = (each.nunique(axis=1) == 1).all()
    p = 1.0 if tied else float(stats.friedmanchisquare(*(whole[name] for name in whole)).pvalue)
    error = math.sqrt(models * (models + 1) / (12 * datasets))
    apart = each.mean().to_numpy()
    pairwise = pd.DataFrame(
        stats.studentized_range.sf(np.abs(apart[:, None] - apart) / error, models, math.inf),
        whole.columns,
        whole.columns,
    )
    difference = error * stats.studentized_range.ppf(1 - SIGNIFICANCE, models, math.inf)
    left_out = [*table.columns.difference(whole.columns, sort=False), *table.index.difference(whole.index, sort=False)]
    names = tuple(map(str, whole.index))
    return Ranks(ranks, p, pairwise, float(difference), datasets, names, tuple(map(str, left_out)))


def _without_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the models and data sets of most gaps, one after the other until none is left."""
    while table.isna().any(axis=None):
        by_model, by_dataset = table.isna().mean(axis=0), table.isna().mean(axis=1)
        if by_model.max() >= by_dataset.max():
            table = table.drop(columns=by_model.idxmax())
        else:
            table = table.drop(index=by_dataset.idxmax())
    return table


def rank_intervals(values: Mapping[str, pd.Series]) -> dict[str, tuple[int, int]]:
    """The ranks on one data set that each model takes in 95 % of the bootstrap's sets of seeds (1 is best).

    Seeds are drawn for all models together, as they are paired; models without a value for every common seed share none
    and have no interval.

    Args:
        values: by model, each indexed by seed; more is better.
    """
    table = pd.DataFrame(dict(values)).replace([math.inf, -math.inf], math.nan).dropna(axis=0)
    if len(table) < 2 or table.shape[1] < 2:
        return {}
    numbers = settled(table.to_numpy(dtype=float))
    drawn = np.random.default_rng(0).integers(len(numbers), size=(RESAMPLES, len(numbers)))
    parts = range(0, RESAMPLES, TOGETHER)
    means = settled(np.concatenate([numbers[drawn[i : i + TOGETHER]].mean(axis=1) for i in parts]))
    better = (means[:, None, :] > means[:, :, None]).sum(axis=2)
    ends = np.quantile(1 + better, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0, method="nearest")
    return {str(name): (int(low), int(high)) for name, low, high in zip(table, *ends, strict=True)}
